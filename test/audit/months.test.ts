import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { prepareRecord } from '../../src/audit/append-only.ts';
import { dropDatabases, withClient } from '../process/databases.ts';
import { isDistributed } from '../setup/nodes.mjs';
import { type OwnDatabase, ownDatabase } from './own-database.ts';
import { clockAt, dayOf, write } from './written-record.ts';

/* REL-4: the record's months ahead are made while others serve. */

let own: OwnDatabase;
beforeAll(async () => {
  own = await ownDatabase();
});
afterAll(async () => {
  await own.close();
  await dropDatabases();
});

const months = async (): Promise<number> =>
  (
    await own.owner.pool.query(
      "select count(*)::int from pg_inherits where inhparent = 'audit_events'::regclass",
    )
  ).rows[0].count;

/** Makes the months from that one on. @returns what was said */
const makeMonthsFrom = (now: Date) =>
  withClient(own.url, async (client) => {
    await client.query("set statement_timeout = '5s'");
    const said: string[] = [];
    await prepareRecord(client, now, (message) => said.push(message));
    return said;
  });

describe('making a month of the record', () => {
  test('waits for no writer', async () => {
    const before = await months();
    await withClient(own.url, async (writer) => {
      await writer.query('begin');
      await writer.query(
        `insert into audit_events values ('ada', $1, gen_random_uuid(), 'harbor', 'tenant.updated', 'x', null, '{}')`,
        [dayOf(0, 3)],
      );
      // Where it is distributed, a month is made with a lock that waits for writers: it is left to the next run (docs/scaling.md).
      const left = isDistributed ? [expect.stringMatching(/made by the next migration run/)] : [];
      expect(await makeMonthsFrom(dayOf(1))).toEqual(left);
      await writer.query('rollback');
    });
    if (isDistributed) expect(await makeMonthsFrom(dayOf(1))).toEqual([]);
    expect(await months()).toBe(before + 1);
  });

  test('is left to the next run where somebody reads for long, and no writer waits meanwhile', async () => {
    const before = await months();
    await withClient(own.url, async (reader) => {
      await reader.query('begin');
      await reader.query('select count(*) from audit_events');
      const making = makeMonthsFrom(dayOf(2));
      await sleep(200);
      const began = performance.now();
      await write(own.server, 'ada', clockAt(dayOf(0, 7)));
      expect(performance.now() - began).toBeLessThan(1_500);
      expect(await making).toEqual([expect.stringMatching(/made by the next migration run/)]);
      await reader.query('rollback');
    });
    expect(await months()).toBe(before);
    expect(await makeMonthsFrom(dayOf(2))).toEqual([]);
    expect(await months()).toBe(before + 1);
  });

  test('gives it the keys and indexes of the record', async () => {
    const { rows } = await own.owner.pool.query(
      "select tablename ~ '[0-9]' as month, count(*)::int from pg_indexes where tablename ~ '^audit_events(_[0-9]|$)' group by tablename",
    );
    const counts = (ofMonth: boolean) =>
      rows.filter(({ month }) => month === ofMonth).map(({ count }) => count);
    expect(new Set(counts(true))).toEqual(new Set(counts(false)));
  });
});
