import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { sealAll } from '../../src/audit/sealer.ts';
import { type Finding, verifyRecord } from '../../src/audit/verify.ts';
import { dropDatabases } from '../process/databases.ts';
import { startTestServer, type TestServer, uniqueId } from '../setup/harness.ts';
import { withFaults } from '../setup/statement-faults.ts';
import { enrolledUser, signInWorld, startToken } from '../signin/user-agent.ts';
import { type OwnDatabase, ownDatabase } from './own-database.ts';
import { clockAt, write } from './written-record.ts';

/* LOG-2: the record can only grow, and what was done to it by force is found and named. */

let own: OwnDatabase;
let server: TestServer;
beforeAll(async () => {
  own = await ownDatabase();
  server = await startTestServer({ database: own.server });
});
afterAll(async () => {
  await server.stop();
  await own.close();
  await dropDatabases();
});

const seal = () => sealAll(own.server, server.clock);
const look = () => verifyRecord(own.owner.fork());
const tamper = (statement: string, values: readonly unknown[] = []) =>
  own.owner.pool.query(statement, [...values]);

describe('LOG-2: for the role of servers the record', () => {
  test.each([
    ['audit_events', 'update audit_events set actor = actor'],
    ['audit_events', 'delete from audit_events'],
    ['audit_events', 'truncate audit_events'],
    ['audit_events_default', 'delete from audit_events_default'],
    ['audit_seals', 'update audit_seals set hash = hash'],
    ['audit_seals', 'delete from audit_seals'],
    ['audit_prunes', 'insert into audit_prunes values (now(), now())'],
    ['audit_pruned_chains', "insert into audit_pruned_chains values ('a', 'b', 1, '')"],
    ['audit_pruned_chains', 'update audit_pruned_chains set seal = seal + 1'],
    ['audit_pruned_chains', 'delete from audit_pruned_chains'],
    ['mikro_orm_migrations', 'delete from mikro_orm_migrations'],
    ['audit_events', 'alter table audit_events add column more text'],
  ])('can not be changed: %s, by %s', async (_table, statement) => {
    await expect(own.server.pool.query(statement)).rejects.toMatchObject({ code: '42501' });
  });
});

describe('LOG-2: a record that was left alone', () => {
  test('is as it was recorded, before it is sealed and after', async () => {
    const world = await signInWorld(server);
    await enrolledUser(server, world);
    expect(await look()).toMatchObject({ findings: [], unsealed: expect.any(Number) });
    await seal();
    const seen = await look();
    expect(seen).toMatchObject({ findings: [], unsealed: 0 });
    expect(seen.events).toBeGreaterThan(5);
  });

  test('has one chain for each tenant, and one for each application as a whole', async () => {
    const world = await signInWorld(server, { tenants: 3 });
    await seal();
    const { rows } = await tamper('select tenant_id from audit_chains where application_id = $1 order by 1', [
      world.applicationId,
    ]);
    expect(rows.map(({ tenant_id }) => tenant_id)).toEqual(['', ...world.tenantIds]);
  });

  test('stays whole while several seal at once and many write', async () => {
    const world = await signInWorld(server);
    const writes = Promise.all(Array.from({ length: 100 }, () => startToken(world, uniqueId('user'))));
    const sealers = Promise.all(
      Array.from({ length: 4 }, async () => {
        for (let n = 0; n < 20; n += 1) await seal();
      }),
    );
    await Promise.all([writes, sealers]);
    await seal();
    expect(await look()).toMatchObject({ findings: [], unsealed: 0 });
    const { rows } = await tamper(
      `select id from audit_events e where not exists (select from audit_seals s where s.tenant_id = e.tenant_id and e.id = any (s.event_ids))`,
    );
    expect(rows).toEqual([]);
  });

  test('of many chains is sealed at few looks at what is queued', async () => {
    await seal();
    const clock = clockAt(new Date());
    await Promise.all(Array.from({ length: 100 }, (_, n) => write(own.server, `many-${n}`, clock)));
    let looks = 0;
    const count = (_: number, text: string) => {
      if (text.includes('group by tenant_id')) looks += 1;
      return null;
    };
    expect(await withFaults(count, seal)).toBe(100);
    expect(looks).toBe(2);
  });

  test('is sealed in the order in which it was recorded', async () => {
    const world = await signInWorld(server);
    for (let n = 0; n < 5; n += 1) {
      await enrolledUser(server, world);
      if (n % 2 === 0) await seal();
    }
    await seal();
    const { rows } = await tamper(
      `select k.id from audit_seals s cross join lateral unnest(s.event_ids) with ordinality as k(id, n)
       where s.tenant_id = $1 order by s.seal, k.n`,
      [world.tenantId],
    );
    const ids = rows.map(({ id }) => id);
    expect(ids.length).toBeGreaterThan(20);
    expect(ids).toEqual([...ids].sort());
  });
});

describe('LOG-2: is found and named', () => {
  let tenantId: string;
  let applicationId: string;
  let events: { id: string; at: string }[];
  beforeEach(async () => {
    // Each test has a chain of its own with three seals, and repairs nothing: it looks at its chain alone.
    const world = await signInWorld(server);
    [tenantId, applicationId] = [world.tenantId, world.applicationId];
    for (let n = 0; n < 3; n += 1) {
      await enrolledUser(server, world);
      await seal();
    }
    const { rows } = await tamper('select id, at from audit_events where tenant_id = $1 order by at, id', [
      tenantId,
    ]);
    events = rows;
  });

  const found = async (): Promise<Finding[]> =>
    (await look()).findings.filter((finding) => finding.tenantId === tenantId);
  const finding = (what: Finding['what'], more: Partial<Finding> = {}): Finding =>
    expect.objectContaining({ what, applicationId, tenantId, ...more }) as unknown as Finding;
  const second = () => events[1]?.id as string;

  test.each([
    ['the actor', "actor = 'somebody else'"],
    ['the detail', `detail = detail || '{"more": true}'`],
    ['the action', "action = 'tenant.updated'"],
    ['the user', "user_id = 'somebody else'"],
    ['the moment', "at = timestamptz '2026-01-02 03:04:05.006Z'"],
    ['the application', "application_id = 'another'"],
  ])('an event of which %s was changed', async (_what, change) => {
    await tamper(`update audit_events set ${change} where tenant_id = $1 and id = $2`, [tenantId, second()]);
    expect(await found()).toEqual([finding('changed event', { eventId: second() })]);
  });

  test('an event that was deleted', async () => {
    await tamper('delete from audit_events where tenant_id = $1 and id = $2', [tenantId, second()]);
    expect(await found()).toEqual([finding('missing event', { eventId: second(), seal: 1 })]);
  });

  test('the newest event that was deleted, and its seal and the head put back', async () => {
    const newest = events.at(-1)?.id;
    await tamper('delete from audit_events where tenant_id = $1 and id = $2', [tenantId, newest]);
    await tamper('delete from audit_seals where tenant_id = $1 and seal = 3', [tenantId]);
    expect(await found()).toContainEqual(finding('missing seal', { seal: 3 }));
  });

  test('two events that changed places', async () => {
    const [first, other] = events.slice(1, 3);
    await tamper(
      `update audit_events e set action = o.action, detail = o.detail from audit_events o
       where e.tenant_id = $1 and o.tenant_id = $1 and ((e.id = $2 and o.id = $3) or (e.id = $3 and o.id = $2))`,
      [tenantId, first?.id, other?.id],
    );
    expect(await found()).toEqual(
      expect.arrayContaining([
        finding('changed event', { eventId: first?.id as string }),
        finding('changed event', { eventId: other?.id as string }),
      ]),
    );
  });

  test('an event that was inserted', async () => {
    const { rows } = await tamper(
      `insert into audit_events select tenant_id, at, gen_random_uuid(), application_id, action, actor, user_id, detail
       from audit_events where tenant_id = $1 and id = $2 returning id`,
      [tenantId, second()],
    );
    expect(await found()).toEqual([finding('inserted event', { eventId: rows[0].id, seal: null })]);
  });

  test('an event that was changed before it was sealed', async () => {
    const world = { ...(await signInWorld(server)) };
    [tenantId, applicationId] = [world.tenantId, world.applicationId];
    await tamper("update audit_events set actor = 'somebody else' where tenant_id = $1", [tenantId]);
    const before = await found();
    await seal();
    expect([before, await found()]).toEqual([
      [finding('changed event', { seal: null })],
      [finding('changed event', { seal: 1 })],
    ]);
  });

  test('a seal of which a digest was changed along with its event', async () => {
    await tamper(`update audit_seals set event_digests[2] = sha256('x') where tenant_id = $1 and seal = 1`, [
      tenantId,
    ]);
    expect(await found()).toContainEqual(finding('changed seal', { seal: 1 }));
  });

  test('a seal that was made anew over changed events: the next one does not follow from it', async () => {
    await tamper(
      `update audit_seals s set event_digests[2] = sha256('x'), hash = sha256(previous_hash || int8send(seal) || sha256((
         select string_agg(uuid_send(k.id) || case when k.n = 2 then sha256('x') else k.digest end, ''::bytea order by k.n)
         from unnest(s.event_ids, s.event_digests) with ordinality as k(id, digest, n))))
       where tenant_id = $1 and seal = 1`,
      [tenantId],
    );
    expect(await found()).toContainEqual(finding('changed seal', { seal: 2 }));
  });

  test('a seal that was emptied, after its events were deleted', async () => {
    await tamper(
      `delete from audit_events where tenant_id = $1 and id = any ((
         select event_ids from audit_seals where tenant_id = $1 and seal = 2)::uuid[])`,
      [tenantId],
    );
    await tamper(
      "update audit_seals set event_ids = '{}', event_digests = '{}' where tenant_id = $1 and seal = 2",
      [tenantId],
    );
    expect(await found()).toEqual([finding('changed seal', { seal: 2 })]);
  });

  test('an event that was inserted, and named in a seal without a digest', async () => {
    const { rows } = await tamper(
      `insert into audit_events select tenant_id, at, gen_random_uuid(), application_id, action, actor, user_id, detail
       from audit_events where tenant_id = $1 and id = $2 returning id`,
      [tenantId, second()],
    );
    await tamper(
      'update audit_seals set event_ids = event_ids || $2::uuid where tenant_id = $1 and seal = 2',
      [tenantId, rows[0].id],
    );
    expect(await found()).toEqual([
      finding('changed event', { eventId: rows[0].id, seal: 2 }),
      finding('changed seal', { seal: 2 }),
    ]);
  });

  test.each([
    ['an id that is NULL', 'event_ids = event_ids || null::uuid'],
    ['a digest that is NULL', 'event_digests = event_digests || null::bytea'],
    ['both', 'event_ids = event_ids || null::uuid, event_digests = event_digests || null::bytea'],
    ['a digest that is empty', "event_digests = event_digests || ''::bytea"],
    ['no previous hash', 'previous_hash = null'],
    ['no hash', 'hash = null'],
  ])('a seal that got %s', async (_what, change) => {
    await tamper(
      'alter table audit_seals alter hash drop not null, alter previous_hash drop not null, alter event_ids drop not null',
    );
    await tamper(`update audit_seals set ${change} where tenant_id = $1 and seal = 2`, [tenantId]);
    expect(await found()).toContainEqual(finding('changed seal', { seal: 2 }));
  });

  test('an event whose digest was taken away before it was sealed', async () => {
    const world = await signInWorld(server);
    [tenantId, applicationId] = [world.tenantId, world.applicationId];
    await tamper('alter table audit_unsealed alter digest drop not null');
    await tamper('update audit_unsealed set digest = null where tenant_id = $1', [tenantId]);
    expect(await found()).toEqual([finding('changed event', { seal: null })]);
    await tamper('delete from audit_unsealed where tenant_id = $1', [tenantId]);
  });

  test('a head that lost its hash', async () => {
    await tamper('alter table audit_chains alter hash drop not null, alter previous_hash drop not null');
    await tamper('update audit_chains set hash = null, previous_hash = null where tenant_id = $1', [
      tenantId,
    ]);
    expect(await found()).toEqual([finding('changed chain head')]);
  });

  test('a seal that was deleted', async () => {
    await tamper('delete from audit_seals where tenant_id = $1 and seal = 2', [tenantId]);
    expect(await found()).toContainEqual(finding('missing seal', { seal: 2 }));
  });

  test('a head that was changed', async () => {
    await tamper("update audit_chains set hash = sha256('x') where tenant_id = $1", [tenantId]);
    expect(await found()).toEqual([finding('changed chain head')]);
  });
});
