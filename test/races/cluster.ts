import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { exportJWK, generateKeyPair } from 'jose';
import pg from 'pg';
import { keySet, startKeyServer } from '../caller/key-server.ts';
import { makeKey, signed } from '../caller/tokens.ts';
import { dropDatabases, newMigratedDatabase } from '../process/databases.ts';
import { audience, callGraphQl, issuer, type TestCaller } from '../setup/harness.ts';

/*
 * Several servers as they are deployed: processes of their own with one database, one set of keys
 * and one issuer. A database of their own, so that the record holds nothing else.
 */

const main = fileURLToPath(new URL('../../dist/server/main.js', import.meta.url));

/** What a process has to start and a call to be answered in. */
const patienceMs = 30_000;

export interface Cluster {
  urls: readonly string[];
  /** Whoever holds a token of these claims; the calls go to the servers in turn. */
  caller(claims: { sub: string; scope: string; application_id?: string }): Promise<TestCaller>;
  /** Whoever holds none. */
  anonymous: TestCaller;
  /** Rows of the servers' database. */
  rows<Row extends object>(statement: string, values?: readonly unknown[]): Promise<Row[]>;
  /** The faults that the servers logged: nothing a caller does may be one. */
  errors(): string[];
  /** Stops the servers by SIGTERM. @throws when one does not exit with 0 */
  stop(): Promise<void>;
}

/** Repeats what was refused for overload, as it may be: for what prepares a race. */
export const patient = (caller: TestCaller): TestCaller => ({
  ...caller,
  async call(document, variables) {
    for (let tries = 1; ; tries += 1) {
      const answer = await caller.call(document, variables);
      if (answer.status !== 503 || tries === 20) return answer;
      await sleep(250);
    }
  },
});

export async function startCluster(size: number): Promise<Cluster> {
  const database = await openOwn();
  const key = await makeKey();
  const keyServer = await startKeyServer(keySet(key.jwk));
  const { privateKey } = await generateKeyPair('ES256', { extractable: true });
  const settings = {
    NODE_ENV: 'test',
    PORT: '0',
    DATABASE_URL: database.url,
    JWT_ISSUER: issuer,
    JWT_AUDIENCE: audience,
    JWT_JWKS_URL: `${keyServer.url}/jwks`,
    ENCRYPTION_KEYS: `races:${randomBytes(32).toString('base64')}`,
    ASSERTION_KEY: JSON.stringify(await exportJWK(privateKey)),
    PUBLIC_URL: 'https://mfa.test',
    LOG_LEVEL: 'warn',
  };
  const servers: ServerProcess[] = [];
  const end = async () => {
    for (const { child } of servers) child.kill('SIGKILL');
    await keyServer.stop();
    await database.drop();
  };
  try {
    servers.push(...(await Promise.all(Array.from({ length: size }, () => startProcess(settings)))));
  } catch (error) {
    await end();
    throw error;
  }

  const urls = servers.map(({ url }) => url);
  let calls = 0;
  const callerWith = (token: string | null): TestCaller => ({
    token,
    call: (document, variables) =>
      callGraphQl(urls[calls++ % urls.length] as string, token, document, variables),
  });
  return {
    urls,
    anonymous: callerWith(null),
    async caller(claims) {
      const now = Math.floor(Date.now() / 1000);
      return callerWith(
        await signed(key, { iss: issuer, aud: audience, iat: now, exp: now + 12 * 3600, ...claims }),
      );
    },
    rows: database.rows,
    errors: () => servers.flatMap(({ lines }) => lines.filter((line) => /^\{"level":[56]0/.test(line))),
    async stop() {
      try {
        const codes = await Promise.all(servers.map(stopProcess));
        if (codes.some((code) => code !== 0)) throw new Error(`The servers exited with ${codes.join(', ')}.`);
      } finally {
        await end();
      }
    },
  };
}

interface ServerProcess {
  child: ChildProcess;
  url: string;
  /** What it wrote, line by line. */
  lines: string[];
}

async function startProcess(settings: Record<string, string>): Promise<ServerProcess> {
  const child = spawn(process.execPath, [main], { env: settings, stdio: ['ignore', 'pipe', 'pipe'] });
  const lines: string[] = [];
  const url = await new Promise<string>((resolve, reject) => {
    const fail = (why: string) => reject(new Error(`A server ${why}:\n${lines.join('\n')}`));
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      fail('did not start in time');
    }, patienceMs);
    let rest = '';
    const read = (chunk: Buffer) => {
      const parts = (rest + chunk).split('\n');
      rest = parts.pop() ?? '';
      lines.push(...parts);
      const [, listening] = /^Cufflink listens on (\S+)\/graphql$/m.exec(parts.join('\n')) ?? [];
      if (listening === undefined) return;
      clearTimeout(timer);
      resolve(listening);
    };
    child.stdout.on('data', read);
    child.stderr.on('data', read);
    child.once('exit', (code) => {
      clearTimeout(timer);
      fail(`exited with ${code}`);
    });
  });
  return { child, url, lines };
}

async function stopProcess({ child }: ServerProcess): Promise<number | null> {
  if (child.exitCode === null && child.signalCode === null) {
    const exited = once(child, 'exit');
    child.kill('SIGTERM');
    await exited;
  }
  return child.exitCode;
}

async function openOwn() {
  const url = await newMigratedDatabase();
  const own = new pg.Client({ connectionString: url });
  await own.connect();
  return {
    url,
    rows: async <Row extends object>(statement: string, values: readonly unknown[] = []) =>
      (await own.query<Row>(statement, [...values])).rows,
    async drop() {
      await own.end();
      await dropDatabases();
    },
  };
}
