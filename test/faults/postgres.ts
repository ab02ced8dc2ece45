import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { databaseSchema } from '../../src/database-schema.ts';
import { startEmbeddedPostgres } from '../../src/db/embedded.ts';
import { migrate } from '../../src/db/migrate.ts';
import { startWire, type Wire } from '../setup/wire.ts';

/** A PostgreSQL of the suite's own, which writes to disk as in production, behind a wire. */
export interface FaultyPostgres {
  /** Through the wire: the servers' way. */
  url: string;
  wire: Wire;
  /** Rows, asked past the wire. */
  rows<Row extends object>(statement: string): Promise<Row[]>;
  /** What is seen after a statement whatever the constraints say; then it is undone. */
  supposing<Seen>(statement: string, see: (rows: FaultyPostgres['rows']) => Promise<Seen>): Promise<Seen>;
  /** The address past the wire, for commands that judge. */
  directUrl(): string;
  /** Ends it as an administrator does ('fast'), or without any care ('immediate'). */
  stop(how: 'fast' | 'immediate'): Promise<void>;
  start(): Promise<void>;
  /** All its processes stand still. */
  freeze(): Promise<void>;
  thaw(): void;
  close(): Promise<void>;
}

/** Asks a database by its address. */
export async function rowsIn<Row extends object>(url: string, statement: string): Promise<Row[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query<Row>(statement)).rows;
  } finally {
    await client.end();
  }
}

export async function startFaultyPostgres(): Promise<FaultyPostgres> {
  const home = await mkdtemp(join(tmpdir(), 'cufflink-faults-'));
  const folder = join(home, 'postgres');
  const begin = () => startEmbeddedPostgres(folder, ['max_connections=200']);
  let running = await begin();
  await migrate(running.url, databaseSchema);
  const { hostname, port } = new URL(running.url);
  const wire = await startWire(hostname, Number(port));
  const url = new URL(running.url);
  url.port = String(wire.port);
  let frozen: number[] = [];

  const postmaster = async () =>
    Number((await readFile(join(folder, 'data/postmaster.pid'), 'utf8')).split('\n')[0]);
  const postgres: FaultyPostgres = {
    url: url.href,
    wire,
    async supposing(statement, see) {
      const client = new pg.Client({ connectionString: running.url });
      await client.connect();
      try {
        await client.query(`begin; set local session_replication_role = replica; ${statement}`);
        return await see(async <Row extends object>(asked: string) => (await client.query<Row>(asked)).rows);
      } finally {
        // What was begun is undone with its connection.
        await client.end();
      }
    },
    directUrl: () => running.url,
    rows: (statement) => rowsIn(running.url, statement),
    async stop(how) {
      if (how === 'immediate') process.kill(await postmaster(), 'SIGQUIT');
      await running.stop();
    },
    async start() {
      running = await begin();
      wire.lead(Number(new URL(running.url).port));
    },
    async freeze() {
      const pid = await postmaster();
      frozen = [pid, ...(await childrenOf(pid))];
      for (const one of frozen) signal(one, 'SIGSTOP');
    },
    thaw() {
      for (const one of frozen.reverse()) signal(one, 'SIGCONT');
      frozen = [];
    },
    async close() {
      postgres.thaw();
      await wire.close();
      await running.stop();
      await rm(home, { recursive: true, force: true });
    },
  };
  return postgres;
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    // A session may have ended meanwhile.
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

async function childrenOf(parent: number): Promise<number[]> {
  const pids = (await readdir('/proc')).map(Number).filter(Number.isInteger);
  const parents = await Promise.all(
    pids.map(async (pid) => {
      const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
      // The name stands in brackets and may hold anything.
      return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
    }),
  );
  return pids.filter((_, n) => parents[n] === parent);
}
