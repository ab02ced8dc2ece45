import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { type FaultyServer, type Fleet, makeFleet } from '../faults/fleet.ts';
import { type FaultyPostgres, startFaultyPostgres } from '../faults/postgres.ts';
import { cleanUp, newFolder, repository, runProcess } from './servers.ts';

/* What a supervisor sees of a server that it tells to stop, whatever it is at. */

afterEach(cleanUp);

test('REL-3: a signal that comes while the server is still being read ends it in order', async () => {
  // Sends itself the signal when the first library is asked for.
  const early = `import { registerHooks } from 'node:module';
    registerHooks({ load(url, context, next) {
      if (url.includes('/node_modules/graphql/')) process.kill(process.pid, 'SIGTERM');
      return next(url, context);
    } });`;
  const { code, stdout, stderr } = await runProcess({
    folder: await newFolder(),
    command: [
      process.execPath,
      '--import',
      `data:text/javascript,${encodeURIComponent(early)}`,
      join(repository, 'dist/server/main.js'),
    ],
  });
  expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: '', stderr: '' });
});

describe('a server on a database of its own', () => {
  let postgres: FaultyPostgres;
  let fleet: Fleet;
  beforeAll(async () => {
    postgres = await startFaultyPostgres();
    fleet = await makeFleet(postgres.directUrl());
  });
  afterAll(async () => {
    postgres?.thaw();
    await fleet?.close();
    await postgres?.close();
  });

  const readiness = async ({ url }: FaultyServer): Promise<string> => {
    const response = await fetch(`${url}/health/ready`, { signal: AbortSignal.timeout(5_000) });
    const { status, reason } = (await response.json()) as { status: string; reason?: string };
    return reason ?? status;
  };

  test('REL-3: while the database stands still, ready turns 503 at once, and SIGTERM ends it within 10 s', async () => {
    const server = await fleet.start();
    expect(await readiness(server)).toBe('ok');
    await postgres.freeze();
    try {
      // By now what is done in the background waits for an answer.
      await sleep(1_000);
      const began = performance.now();
      server.child.kill('SIGTERM');
      // One that asks before the signal is heard waits for the database, so none waits for another.
      const asked: Promise<string>[] = [];
      for (let n = 0; n < 20; n += 1) {
        asked.push(readiness(server).catch(() => 'gone'));
        await sleep(25);
      }
      expect(await Promise.all(asked)).toContain('draining');
      expect(await server.ended).toBe(0);
      expect(performance.now() - began).toBeLessThan(10_000);
    } finally {
      postgres.thaw();
    }
  });

  test('REL-3: what never ends is cut off within 10 s, in one line, and the exit code tells', async () => {
    const stuck = "import net from 'node:net'; net.Server.prototype.close = () => {};";
    const server = await fleet.start({
      NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(stuck)}`,
    });
    const began = performance.now();
    server.child.kill('SIGTERM');
    expect(await server.ended).toBe(1);
    expect(performance.now() - began).toBeLessThan(10_000);
    expect(server.lines.filter((line) => line.startsWith('Not all'))).toEqual([
      'Not all was stopped within 9.5 s; the rest is cut off.',
    ]);
  });

  test('REL-2: limits on time that PostgreSQL did not take are told, as statements', async () => {
    const url = new URL(fleet.settings['DATABASE_URL'] ?? '');
    // What is in the address comes after what the server says.
    url.searchParams.set('statement_timeout', '0');
    const told = async (env: Record<string, string>) => {
      const server = await fleet.start(env);
      server.child.kill('SIGTERM');
      await server.ended;
      return server.lines.filter((line) => line.includes('limits on time')).map((line) => JSON.parse(line));
    };
    expect(await told({ DATABASE_URL: url.href })).toEqual([
      expect.objectContaining({
        statements: [expect.stringMatching(/^alter role \S+ set statement_timeout = '2000ms';$/)],
      }),
    ]);
    expect(await told({})).toEqual([]);
  });
});
