import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { serverRole } from '../../src/audit/append-only.ts';
import { databaseSchema } from '../../src/database-schema.ts';
import { inRole } from '../../src/db/connection.ts';
import { migrate } from '../../src/db/migrate.ts';
import { post, send } from '../http/send.ts';
import { dropDatabases, withClient } from '../process/databases.ts';
import { type ProductionServer, startProduction } from '../process/production.ts';
import { cleanUp, untilTrue } from '../process/servers.ts';
import { copiedPair, type Pair } from '../replica/pair.ts';

/* How many connections a server holds where all its calls wait for the database: what docs/operations.md says. */

let pair: Pair;
let server: ProductionServer;
beforeAll(async () => {
  pair = await copiedPair();
  await migrate(pair.primary, databaseSchema);
}, 60_000);
afterEach(() => server.stop());
afterAll(async () => {
  await pair?.stop();
  await cleanUp();
  await dropDatabases();
});

/** The table's number, by where the connections end. */
async function told(where: string): Promise<number> {
  const text = await readFile(new URL('../../docs/operations.md', import.meta.url), 'utf8');
  return Number(new RegExp(`^\\| ${where} +\\| (\\d+) `, 'm').exec(text)?.[1]);
}

const countOn = (url: string): Promise<number> =>
  withClient(url, async (client) => {
    const { rows } = await client.query(
      "select count(*)::int as count from pg_stat_activity where application_name = 'cufflink'",
    );
    return rows[0].count;
  });

const start = (more: Record<string, string> = {}) =>
  startProduction({ DATABASE_URL: inRole(pair.primary, serverRole), ...more });

/**
 * Holds a table that calls read, on the primary and so on the replica, for less long than statements have, and counts
 * then. Again where the machine was too busy to make so many connections meanwhile.
 */
async function mostConnections(expected: readonly number[]): Promise<number[]> {
  const urls = [pair.primary, pair.standby].slice(0, expected.length);
  const headers = { authorization: `Bearer ${await server.token({ scope: 'tenant:write audit:read' })}` };
  const call = (query: string) => post(server, { query }, headers);
  await call('mutation { createApplication(input: { id: "app", displayName: "App" }) { __typename } }');
  let counts: number[] = [];
  const isReached = () => counts.every((count, index) => count >= (expected[index] ?? 0));
  for (let round = 0; round < 10; round += 1) {
    await send(server, '/health/ready');
    await withClient(pair.primary, async (holder) => {
      await holder.query('begin; lock table audit_events in access exclusive mode');
      const calls = Array.from({ length: 50 }, () =>
        call('{ auditEvents(applicationId: "app") { nodes { id } } }'),
      );
      const until = performance.now() + 800;
      do {
        counts = await Promise.all(urls.map(countOn));
      } while (!isReached() && performance.now() < until);
      // One more than was expected would come now.
      await sleep(100);
      if (isReached()) counts = await Promise.all(urls.map(countOn));
      await holder.query('rollback');
      await Promise.all(calls);
    });
    if (isReached()) break;
  }
  return counts;
}

test('a busy server holds as many connections to the primary as docs/operations.md says', async () => {
  const expected = [await told('the primary')];
  server = await start();
  expect(await mostConnections(expected)).toEqual(expected);
});

test('and so it does with a replica, to the primary and to the replica', async () => {
  const expected = [await told('the primary, with replicas'), await told('each replica')];
  server = await start({ DATABASE_REPLICA_URLS: inRole(pair.standby, serverRole) });
  await untilTrue(async () => /"used":1/.test((await send(server, '/health/ready')).text));
  expect(await mostConnections(expected)).toEqual(expected);
});
