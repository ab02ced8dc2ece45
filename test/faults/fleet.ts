import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { exportJWK, generateKeyPair } from 'jose';
import { serverRole } from '../../src/audit/append-only.ts';
import { inRole } from '../../src/db/connection.ts';
import { keySet, startKeyServer } from '../caller/key-server.ts';
import { makeKey, signed } from '../caller/tokens.ts';
import { audience, issuer } from '../setup/harness.ts';

/*
 * Servers as they are deployed: processes in production mode, with one database, one set of keys and one
 * issuer of tokens.
 */

const main = fileURLToPath(new URL('../../dist/server/main.js', import.meta.url));
const startMsMax = 60_000;
const startsMax = 5;

export interface FaultyServer {
  url: string;
  child: ChildProcess;
  /** What it wrote, line by line. */
  lines: readonly string[];
  /** How it ended, once it has: the exit code or the signal. */
  ended: Promise<number | string>;
  isRunning(): boolean;
}

export interface Fleet {
  start(env?: Record<string, string>): Promise<FaultyServer>;
  /** Starts one and kills it, so many milliseconds later. */
  startAndKill(env: Record<string, string>, afterMs: number): Promise<void>;
  /** Starts one that is to end by itself. @returns its exit code and what it wrote */
  startInVain(env: Record<string, string>): Promise<{ code: number | string; said: string }>;
  token(claims: { sub: string; scope: string; application_id?: string }): Promise<string>;
  /** The settings, for commands that work on the same database. */
  settings: Readonly<Record<string, string>>;
  close(): Promise<void>;
}

/** @param databaseUrl of a database that is migrated */
export async function makeFleet(databaseUrl: string): Promise<Fleet> {
  const key = await makeKey();
  const keyServer = await startKeyServer(keySet(key.jwk));
  const { privateKey } = await generateKeyPair('ES256', { extractable: true });
  const settings = {
    NODE_ENV: 'production',
    PORT: '0',
    DATABASE_URL: inRole(databaseUrl, serverRole),
    JWT_ISSUER: issuer,
    JWT_AUDIENCE: audience,
    JWT_JWKS_URL: `${keyServer.url}/jwks`,
    ENCRYPTION_KEYS: `faults:${randomBytes(32).toString('base64')}`,
    ASSERTION_KEY: JSON.stringify(await exportJWK(privateKey)),
    PUBLIC_URL: 'https://mfa.test',
    LOG_LEVEL: 'warn',
  };
  const servers: FaultyServer[] = [];
  return {
    settings,
    async start(env = {}) {
      for (let tries = 1; ; tries += 1) {
        try {
          const server = await startServer({ ...settings, ...env });
          servers.push(server);
          return server;
        } catch (error) {
          // A database that is busy with what was killed may not answer at once. Supervisors start anew.
          if (tries === startsMax || !/\(no answer\)/.test((error as Error).message)) throw error;
        }
      }
    },
    async startAndKill(env, afterMs) {
      const { child, ended } = launch({ ...settings, ...env });
      await Promise.race([sleep(afterMs), ended]);
      child.kill('SIGKILL');
      await ended;
    },
    async startInVain(env) {
      const { child, ended, lines } = launch({ ...settings, ...env });
      const late = setTimeout(() => child.kill('SIGKILL'), startMsMax);
      const code = await ended;
      clearTimeout(late);
      return { code, said: lines.join('\n') };
    },
    async token(claims) {
      const now = Math.floor(Date.now() / 1000);
      return signed(key, { iss: issuer, aud: audience, iat: now, exp: now + 12 * 3600, ...claims });
    },
    async close() {
      for (const { child, isRunning } of servers) if (isRunning()) child.kill('SIGKILL');
      await Promise.all(servers.map(({ ended }) => ended));
      await keyServer.stop();
    },
  };
}

/** Begins to start a server. */
function launch(env: Record<string, string>) {
  const child = spawn(process.execPath, [main], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  const lines: string[] = [];
  const ended = once(child, 'close').then(([code, signal]) => (code ?? signal) as number | string);
  const listening = new Promise<string>((resolve) => {
    let rest = '';
    const read = (chunk: Buffer) => {
      const parts = (rest + chunk).split('\n');
      rest = parts.pop() ?? '';
      lines.push(...parts);
      const [, address] = /"url":"([^"]+)","msg":"Cufflink serves"/.exec(parts.join('\n')) ?? [];
      if (address !== undefined) resolve(address);
    };
    child.stdout.on('data', read);
    child.stderr.on('data', read);
  });
  return { child, lines, ended, listening };
}

async function startServer(env: Record<string, string>): Promise<FaultyServer> {
  const { child, lines, ended, listening } = launch(env);
  const late = new Promise<never>((_resolve, reject) => {
    setTimeout(() => reject(new Error(`A server did not start:\n${lines.join('\n')}`)), startMsMax).unref();
  });
  const url = await Promise.race([
    listening,
    late,
    ended.then((how) => Promise.reject(new Error(`A server ended with ${how}: ${lines.join('\n')}`))),
  ]);
  return { url, child, lines, ended, isRunning: () => child.exitCode === null && child.signalCode === null };
}
