import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { startEmbeddedPostgres } from '../../src/db/embedded.ts';
import { withClient } from '../process/databases.ts';
import { newFolder } from '../process/servers.ts';

/** A primary and its streaming replica. URLs are those of the owner, of the database `cufflink`. */
export interface Pair {
  primary: string;
  standby: string;
  /** Ends the replica in order. */
  stopStandby(): Promise<void>;
  /** Starts it again, at the same address. */
  startStandby(): Promise<void>;
  stop(): Promise<void>;
}

const run = promisify(execFile);
const settings = ['fsync=off', 'max_connections=60'];

/** Of the embedded PostgreSQL, by a copy of its files while it was stopped. */
export async function copiedPair(): Promise<Pair> {
  const [here, there] = [join(await newFolder('primary'), 'db'), join(await newFolder('standby'), 'db')];
  await (await startEmbeddedPostgres(here, settings)).stop();
  await run('cp', ['-a', here, there]);
  const primary = await startEmbeddedPostgres(here, settings);
  const { hostname, port, username, password } = new URL(primary.url);
  await writeFile(join(there, 'data/standby.signal'), '');
  const follow = `primary_conninfo=host=${hostname} port=${port} user=${username} password=${password}`;
  const start = (...more: string[]) => startEmbeddedPostgres(there, [...settings, follow, ...more]);
  let standby = await start();
  const address = standby.url;
  return {
    primary: primary.url,
    standby: address,
    stopStandby: () => standby.stop(),
    async startStandby() {
      standby = await start(`port=${new URL(address).port}`);
    },
    async stop() {
      await standby.stop();
      await primary.stop();
    },
  };
}

const debian = '/usr/lib/postgresql/15/bin';

/** Of Debian's PostgreSQL, by pg_basebackup while the primary is in use; needs the package postgresql-15. */
export async function backedUpPair(): Promise<Pair> {
  const [here, there] = [await newFolder('primary'), await newFolder('standby')];
  await chmodAll(here, there);
  const unprivileged =
    process.getuid?.() === 0 ? ['setpriv', '--reuid=postgres', '--regid=postgres', '--clear-groups'] : [];
  const debianRun = async (program: string, ...args: string[]) => {
    const [command, ...rest] = [...unprivileged, join(debian, program), ...args] as [string, ...string[]];
    await run(command, rest, { cwd: '/' });
  };
  if (unprivileged.length > 0) await run('chown', ['postgres:', here, there]);
  const ports = { here: await freePort(), there: await freePort() };
  const start = (folder: string, port: number) =>
    debianRun(
      'pg_ctl',
      'start',
      '--wait',
      `--pgdata=${folder}`,
      `--log=${folder}/log`,
      `--options=-c port=${port} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off`,
    );
  const stop = (folder: string) => debianRun('pg_ctl', 'stop', '--wait', '--mode=fast', `--pgdata=${folder}`);
  await debianRun(
    'initdb',
    `--pgdata=${here}`,
    '--username=cufflink',
    '--auth=trust',
    '--encoding=UTF8',
    '--locale=C',
  );
  await start(here, ports.here);
  const url = (port: number, database = 'cufflink') =>
    `postgres://cufflink@127.0.0.1:${port}/${database}?sslmode=disable`;
  await withClient(url(ports.here, 'postgres'), (client) => client.query('create database cufflink'));
  await debianRun(
    'pg_basebackup',
    `--dbname=host=127.0.0.1 port=${ports.here} user=cufflink`,
    `--pgdata=${there}`,
    '--write-recovery-conf',
    '--checkpoint=fast',
  );
  await start(there, ports.there);
  return {
    primary: url(ports.here),
    standby: url(ports.there),
    stopStandby: () => stop(there),
    startStandby: () => start(there, ports.there),
    async stop() {
      await stop(there);
      await stop(here);
    },
  };
}

const chmodAll = (...folders: string[]) => run('chmod', ['700', ...folders]);

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
