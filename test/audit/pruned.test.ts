import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Client } from 'pg';
import { pruneRecord, pruneSteps } from '../../src/audit/prune.ts';
import { sealAll } from '../../src/audit/sealer.ts';
import { type Finding, verifyRecord } from '../../src/audit/verify.ts';
import { dropDatabases } from '../process/databases.ts';
import { type OwnDatabase, ownDatabase } from './own-database.ts';
import { clockAt, dayOf, makeMonths, write, writeMonths } from './written-record.ts';

/* LOG-2 of a record that is pruned, or being pruned. */

afterAll(dropDatabases);

const look = async (own: OwnDatabase) => (await verifyRecord(own.owner.fork())).findings;
const prune = (own: OwnDatabase, before: Date, isPlan = false) =>
  pruneRecord(own.owner.fork(), before, new Date(), isPlan);

describe('LOG-2: after the record was pruned is found and named', () => {
  let own: OwnDatabase;
  beforeAll(async () => {
    own = await ownDatabase();
    await makeMonths(own, -2);
    await writeMonths(own, {
      cut: [-2, -1, 0],
      recent: [0],
      gone: [-2],
      forgotten: [-2],
      remade: [-2, 0],
      returned: [-2, 0],
    });
    await prune(own, dayOf(-1));
  });
  afterAll(() => own.close());

  const tamper = (statement: string, values: unknown[]) => own.owner.pool.query(statement, values);
  const found = async (tenantId: string) =>
    (await look(own)).filter((finding) => finding.tenantId === tenantId);
  const finding = (what: Finding['what'], seal: number | null): Finding =>
    expect.objectContaining({ what, seal }) as unknown as Finding;
  const deleteSeals = async (tenantId: string, upTo: number) => {
    await tamper(
      `delete from audit_events where tenant_id = $1 and id = any (array(
         select unnest(event_ids) from audit_seals where tenant_id = $1 and seal <= $2))`,
      [tenantId, upTo],
    );
    await tamper('delete from audit_seals where tenant_id = $1 and seal <= $2', [tenantId, upTo]);
  };

  test('nothing, at first', async () => {
    expect(await look(own)).toEqual([]);
  });

  test('that more of the beginning of a chain is missing', async () => {
    await deleteSeals('cut', 3);
    expect(await found('cut')).toEqual([finding('missing seal', 3)]);
  });

  test('that all of a chain is missing, of which nothing was pruned', async () => {
    await deleteSeals('recent', 2);
    expect(await found('recent')).toEqual([finding('missing seal', 1)]);
  });

  test('that the head of a chain was changed, of which everything was pruned', async () => {
    await tamper("update audit_chains set hash = sha256('x') where tenant_id = $1", ['gone']);
    expect(await found('gone')).toEqual([finding('changed chain head', 2)]);
  });

  test('that the head of a chain is missing, of which everything was pruned', async () => {
    await tamper('delete from audit_chains where tenant_id = $1', ['forgotten']);
    expect(await found('forgotten')).toEqual([finding('changed chain head', 2)]);
  });

  test('that the first seal which was kept does not follow from the last one which was pruned', async () => {
    let previous = Buffer.from('x');
    for (const seal of [3, 4]) {
      const { rows } = await tamper(
        `update audit_seals s set previous_hash = $1, hash = sha256($1 || int8send(seal) || sha256((
           select string_agg(uuid_send(k.id) || k.digest, ''::bytea order by k.n)
           from unnest(s.event_ids, s.event_digests) with ordinality as k(id, digest, n))))
         where tenant_id = 'remade' and seal = $2 returning hash`,
        [previous, seal],
      );
      await tamper("update audit_chains set previous_hash = $1, hash = $2 where tenant_id = 'remade'", [
        previous,
        rows[0].hash,
      ]);
      previous = rows[0].hash;
    }
    expect(await found('remade')).toEqual([finding('changed seal', 3)]);
  });

  test('that a seal stands before the last one which was pruned', async () => {
    await tamper('update audit_seals set seal = 1 where tenant_id = $1 and seal = 3', ['returned']);
    expect(await found('returned')).toContainEqual(finding('changed seal', 1));
  });
});

describe('pruning', () => {
  let own: OwnDatabase;
  beforeAll(async () => {
    own = await ownDatabase();
  });
  afterAll(() => own.close());

  test('may be cut between any two steps: the record verifies, and the next call goes on', async () => {
    await writeMonths(own, { ada: [-4] });
    await makeMonths(own, -3);
    await writeMonths(own, { ada: [-3, -2, 0], ben: [-3], cy: [0], '': [-2, -1] });
    await write(own.server, 'unsealed', clockAt(dayOf(-3, 20)));
    const before = dayOf(-1);
    const plan = await prune(own, before, true);
    const done = { partitions: [] as string[], otherEvents: 0, seals: 0 };
    for (let steps = 0; ; steps += 1) {
      // Each call is left after its first step.
      const batch = { rows: 1, chains: 1, seals: 1 };
      const { value, done: over } = await pruneSteps(own.owner.fork(), before, new Date(), batch).next();
      expect(await look(own)).toEqual([]);
      if (over) {
        expect(steps).toBeGreaterThan(10);
        break;
      }
      done.partitions.push(...value.partitions);
      done.otherEvents += value.otherEvents;
      done.seals += value.seals;
    }
    expect(done).toEqual(plan);
    expect(plan).toMatchObject({ otherEvents: 4, seals: 10 });
    expect(plan.partitions).toHaveLength(2);
    expect(await prune(own, before)).toEqual({ partitions: [], otherEvents: 0, seals: 0 });
    // What is written afterwards goes on from there.
    await writeMonths(own, { ben: [0] });
    expect(await look(own)).toEqual([]);
  });

  test('holds no writer up for long while somebody reads the month that goes', async () => {
    await makeMonths(own, -3);
    await writeMonths(own, { dan: [-1, 0] });
    let readingEnds = 0;
    const reader = new Client({ connectionString: own.url });
    await reader.connect();
    await reader.query('begin');
    await reader.query('select count(*) from audit_events');
    const reading = sleep(4_000).then(async () => {
      readingEnds = performance.now();
      await reader.end();
    });
    let prunedAt = 0;
    const pruning = prune(own, dayOf(0)).finally(() => {
      prunedAt = performance.now();
    });
    let longestMs = 0;
    while (prunedAt === 0) {
      const began = performance.now();
      await write(own.server, 'eve', clockAt(dayOf(0, 7)));
      longestMs = Math.max(longestMs, performance.now() - began);
      await sleep(20);
    }
    await reading;
    const { partitions } = await pruning;
    expect(partitions).not.toEqual([]);
    expect(prunedAt).toBeGreaterThan(readingEnds);
    expect(longestMs).toBeLessThan(1_500);
    await sealAll(own.server, clockAt(dayOf(0, 7)));
    expect(await look(own)).toEqual([]);
  });

  test('takes no seal along that was emptied', async () => {
    await writeMonths(own, { fay: [0] });
    await own.owner.pool.query(
      "update audit_seals set event_ids = '{}', event_digests = '{}' where tenant_id = 'fay' and seal = 1",
    );
    await prune(own, dayOf(0));
    expect(await look(own)).toContainEqual(
      expect.objectContaining({ what: 'changed seal', tenantId: 'fay', seal: 1 }),
    );
    await own.owner.pool.query("delete from audit_events where tenant_id = 'fay'");
    await own.owner.pool.query("delete from audit_seals where tenant_id = 'fay'");
    await own.owner.pool.query("delete from audit_chains where tenant_id = 'fay'");
  });

  test('at the edge of a month takes each event with its id: one moment is both', async () => {
    let now = dayOf(0).getTime() - 3;
    const ticking = { now: () => new Date(now++) };
    for (let n = 0; n < 5; n += 1) await write(own.server, 'edge', ticking);
    await sealAll(own.server, ticking);
    const { rows } = await own.owner.pool.query(
      "select id, at from audit_events where tenant_id = 'edge' order by id",
    );
    expect(rows.map(({ at }) => new Date(at).getTime())).toEqual(
      rows.map(({ id }) => Number.parseInt(id.replaceAll('-', '').slice(0, 12), 16)),
    );
    await prune(own, dayOf(0));
    expect(await look(own)).toEqual([]);
  });
});
