import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { cleanUp, startJanitor } from '../../src/janitor.ts';
import { type OwnDatabase, ownDatabase } from '../audit/own-database.ts';
import { dropDatabases } from '../process/databases.ts';
import { untilTrue } from '../process/servers.ts';
import { startTestServer, type TestServer, uniqueId } from '../setup/harness.ts';
import {
  beginTotp,
  enrolledUser,
  mfaOf,
  type SignInWorld,
  signInWorld,
  startToken,
} from '../signin/user-agent.ts';

/* On a database of its own: by this clock, what others have begun is over. */

let own: OwnDatabase;
let server: TestServer;
let world: SignInWorld;
beforeAll(async () => {
  own = await ownDatabase();
  server = await startTestServer({ database: own.server });
  world = await signInWorld(server);
});
afterAll(async () => {
  await server.stop();
  await own.close();
  await dropDatabases();
});

const rowsOf = async (table: string): Promise<number> => {
  const { rows } = await server.database.pool.query(
    `select count(*)::int as count from ${table} where tenant_id = $1`,
    [world.tenantId],
  );
  return rows[0].count;
};

test('what is over is deleted, and nothing else', async () => {
  const user = await enrolledUser(server, world);
  await beginTotp(world.browser, { mfaToken: await startToken(world, uniqueId('user')) });
  const open = await rowsOf('mfa_steps');
  await cleanUp(server.database, server.clock);
  expect([await rowsOf('mfa_steps'), await rowsOf('pending_auth_factors')]).toEqual([open, 1]);

  server.clock.advance(25 * 3600);
  expect(await cleanUp(server.database, server.clock)).toBeGreaterThan(0);
  expect([await rowsOf('mfa_steps'), await rowsOf('pending_auth_factors')]).toEqual([0, 0]);
  const admin = await server.caller();
  expect(await mfaOf({ ...world, admin }, user.id)).toMatchObject({
    state: 'ENROLLED',
    recoveryCodeState: 'ACTIVE',
  });
});

test('what it fails with is told, and it comes again', async () => {
  const told: unknown[] = [];
  const broken = { ...server.database, fork: () => fail() };
  const janitor = startJanitor(broken, server.clock, (...failure) => told.push(failure), 1);
  await untilTrue(async () => told.length > 1);
  await janitor.stop();
  const failure = ['janitor', new Error('no database'), 'the clean-up failed; it is tried again later'];
  expect(told.slice(0, 2)).toEqual([failure, failure]);
});

function fail(): never {
  throw new Error('no database');
}

test('REL-3: a stop waits for the batch at hand, not for all that is over', async () => {
  const batches = 20;
  const left = async (): Promise<number> => {
    const { rows } = await server.database.pool.query(
      "select count(*)::int as count from idempotency_keys where id like 'janitor %'",
    );
    return rows[0].count;
  };
  await server.database.pool.query(
    `insert into idempotency_keys (id, input_digest, created_at)
      select 'janitor ' || n, '', '2020-01-01T00:00:00Z' from generate_series(1, $1::int) n`,
    [batches * 1_000],
  );
  const janitor = startJanitor(server.database, server.clock, () => {}, 1);
  while ((await left()) === batches * 1_000) await sleep(1);
  await janitor.stop();
  expect(await left()).toBeGreaterThan(0);
  await cleanUp(server.database, server.clock);
  expect(await left()).toBe(0);
});
