import { describe, expect, test } from '@jest/globals';
import { Gathered } from '../../src/shared/gathered.ts';
import { startTestServer, type TestCaller } from '../setup/harness.ts';
import { makeManyTenants } from './many.ts';
import { statementsOf } from './statements.ts';

/* What several requests read in one statement, where nothing is remembered. */

const read = 'query ($id: ID!) { tenant(id: $id) { id displayName } }';
const rename = `mutation ($id: ID!, $name: String!) {
  updateTenant(input: { id: $id, displayName: $name }) { ... on TenantPayload { tenant { id } } } }`;

describe('reads of several requests', () => {
  test('are few statements for many requests of one boundary', async () => {
    const server = await startTestServer({ policySnapshot: false });
    const { applicationId, tenantIds } = await makeManyTenants(server, { tenants: 40 });
    const caller = await server.caller({ applicationId });
    const readAll = async () => {
      const answers = await Promise.all(tenantIds.map((id) => caller.call(read, { id })));
      expect(answers.map(({ data }) => (data as { tenant: { id: string } }).tenant.id)).toEqual(tenantIds);
    };
    // First the connections are opened, one after the other; on open ones, calls come together.
    await readAll();
    const statements = await statementsOf(readAll);
    expect(statements.length).toBeLessThan(tenantIds.length / 2);
    await server.stop();
  });

  test('TEN-2: TEN-3: are never shared across boundaries, however many come at once', async () => {
    const server = await startTestServer({ policySnapshot: false });
    const worlds = await Promise.all([1, 2].map(() => makeManyTenants(server, { tenants: 10 })));
    const ids = worlds.flatMap(({ tenantIds }) => tenantIds);
    const calls = await Promise.all(
      worlds.map(async ({ applicationId, tenantIds }) => ({
        caller: await server.caller({ applicationId }),
        seen: new Set(tenantIds),
      })),
    );
    const seenBy = async (caller: TestCaller, id: string) =>
      ((await caller.call(read, { id })).data as { tenant: object | null }).tenant !== null;
    for (let round = 0; round < 5; round += 1) {
      await Promise.all(
        ids.flatMap((id) =>
          calls.map(async ({ caller, seen }) => expect(await seenBy(caller, id)).toBe(seen.has(id))),
        ),
      );
    }
    await server.stop();
  });

  test('see what was acknowledged before they came, while others are on their way', async () => {
    const server = await startTestServer({ policySnapshot: false });
    const { applicationId, tenantIds } = await makeManyTenants(server, { tenants: 1 });
    const caller = await server.caller({ applicationId });
    const [id = ''] = tenantIds;
    let isOver = false;
    const others = Array.from({ length: 8 }, async () => {
      while (!isOver) await caller.call(read, { id });
    });
    for (let n = 0; n < 50; n += 1) {
      await caller.call(rename, { id, name: `Name ${n}` });
      expect((await caller.call(read, { id })).data).toEqual({ tenant: { id, displayName: `Name ${n}` } });
    }
    isOver = true;
    await Promise.all(others);
    await server.stop();
  });
});

describe('Gathered', () => {
  const gather = (idsMax: number) => {
    const asked: [string, readonly string[]][] = [];
    const gathered = new Gathered<{ id: string }>(idsMax);
    const ask = (boundary: string, ...ids: string[]) =>
      gathered.read(boundary, ids, async (all) => {
        asked.push([boundary, all]);
        return all.map((id) => ({ id }));
      });
    return { asked, ask };
  };

  test('asks once for what comes in one turn under one boundary, each id once', async () => {
    const { asked, ask } = gather(10);
    const found = await Promise.all([ask('a', '1', '2'), ask('b', '1'), ask('a', '2', '3')]);
    expect(asked).toEqual([
      ['a', ['1', '2', '3']],
      ['b', ['1']],
    ]);
    expect(found.map((rows) => [...rows.keys()])).toEqual([['1', '2', '3'], ['1'], ['1', '2', '3']]);
  });

  test('asks anew for what comes after a read began, also while it runs', async () => {
    const { asked, ask } = gather(10);
    const first = ask('a', '1');
    await new Promise((resolve) => setImmediate(resolve));
    await Promise.all([first, ask('a', '1')]);
    expect(asked).toEqual([
      ['a', ['1']],
      ['a', ['1']],
    ]);
  });

  test('begins another read where one would have too many ids', async () => {
    const { asked, ask } = gather(2);
    await Promise.all([ask('a', '1', '2'), ask('a', '3'), ask('a', '4', '5', '6')]);
    expect(asked.map(([, ids]) => ids)).toEqual([['1', '2'], ['3'], ['4', '5', '6']]);
  });

  test('a read that fails fails for all who shared it, and not for the next', async () => {
    const gathered = new Gathered<{ id: string }>(10);
    const fail = () =>
      gathered.read('a', ['1'], async () => {
        throw new Error('lost');
      });
    const results = await Promise.allSettled([fail(), fail()]);
    expect(results.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    await expect(gathered.read('a', ['1'], async () => [{ id: '1' }])).resolves.toEqual(
      new Map([['1', { id: '1' }]]),
    );
  });
});
