import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';

/**
 * Debian's PgBouncer before a database, in transaction mode and otherwise as it comes: no startup parameter is
 * ignored. It logs in as a role of its own, a member of the one that servers work as.
 * @param {URL} database of the owner
 */
export async function startPgBouncer(database) {
  const role = `cufflink_pooled_${randomBytes(4).toString('hex')}`;
  const password = randomBytes(16).toString('hex');
  const owner = new pg.Client({ connectionString: database.href });
  await owner.connect();
  await owner.query(`create role ${role} login password '${password}' in role cufflink_server`);
  const folder = await mkdtemp(join(tmpdir(), 'cufflink-pgbouncer-'));
  await chmod(folder, 0o755);
  const port = await freePort();
  const name = database.pathname.slice(1);
  const file = join(folder, 'pgbouncer.ini');
  await writeFile(
    file,
    `[databases]
${name} = host=${database.hostname} port=${database.port || 5432} dbname=${name} user=${role} password=${password}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
pool_mode = transaction
auth_type = any
default_pool_size = 20
max_client_conn = 1000
`,
  );
  const as = process.getuid?.() === 0 ? ['--user', 'postgres'] : [];
  const child = spawn('pgbouncer', ['--quiet', ...as, file], { stdio: 'ignore' });
  await once(child, 'spawn');
  const url = `postgres://${role}@127.0.0.1:${port}/${name}?sslmode=disable`;
  for (let waited = 0; ; waited += 50) {
    const client = new pg.Client({ connectionString: url });
    try {
      await client.connect();
      await client.query('select 1');
      break;
    } catch (error) {
      if (child.exitCode !== null || waited >= 5_000) throw error;
      await sleep(50);
    } finally {
      await client.end();
    }
  }
  return {
    url,
    role,
    async stop() {
      child.kill('SIGINT');
      await once(child, 'exit');
      await owner.query(`drop owned by ${role}`);
      await owner.query(`drop role ${role}`);
      await owner.end();
      await rm(folder, { recursive: true });
    },
  };
}

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}
