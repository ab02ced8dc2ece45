import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { encodeCursor } from '../../src/shared/connection.ts';
import { MfaState } from '../../src/user/mfa-state.ts';
import { TenantUsersDocument } from '../generated/documents.ts';
import { startTestServer, type TestCaller, type TestServer, uniqueId } from '../setup/harness.ts';
import { makeWorld, type World } from '../setup/world.ts';
import { idOf, population, settle, statesOf } from './population.ts';

/* Tenant.users: its pages, and its filter by state. */

let server: TestServer;
let reader: TestCaller;
let world: World;
let tenantId: string;
beforeAll(async () => {
  server = await startTestServer();
  // Bounds are met to the millisecond.
  server.clock.fix(new Date());
  world = await makeWorld(server, { tenants: 2 });
  tenantId = world.tenantIds[0] as string;
  reader = await server.caller({ scopes: ['mfa-policy:read', 'auth-factor:read'] });
});
afterAll(() => server.stop());

const states = Object.keys(MfaState) as MfaState[];

async function page(id: string, first: number, after?: string | null, state?: MfaState) {
  const { data, errors } = await reader.call(TenantUsersDocument, {
    id,
    first,
    after,
    filter: state && { state },
  });
  expect(errors).toEqual([]);
  if (data.tenant === null) throw new Error('There is no such tenant.');
  return data.tenant.users;
}
type Page = Awaited<ReturnType<typeof page>>;

/** Reads the whole list page by page; `between` happens after each page. */
async function listed(
  id: string,
  first: number,
  { state, between }: { state?: MfaState; between?: (page: Page) => Promise<void> } = {},
): Promise<string[]> {
  const ids: string[] = [];
  let after: string | null = null;
  for (;;) {
    const read: Page = await page(id, first, after, state);
    ids.push(...read.nodes.map((node) => node.id));
    if (!read.pageInfo.hasNextPage) return ids;
    if (read.pageInfo.endCursor === null) throw new Error('More follows, and not where.');
    after = read.pageInfo.endCursor;
    await between?.(read);
  }
}

const learn = (id: string, users: readonly string[]) =>
  server.database.pool.query(
    'insert into users (tenant_id, id, created_at) select $1, unnest($2::text[]), $3',
    [id, users, server.clock.now()],
  );

const sorted = (ids: readonly string[]) =>
  [...ids].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));

async function tenantWith(users: readonly string[]): Promise<string> {
  const own = await makeWorld(server);
  const [id] = own.tenantIds as [string];
  await learn(id, users);
  return id;
}

describe('pages of users', () => {
  const odd = [
    'b',
    'B',
    'a',
    'ä',
    'a\u0308',
    'Z',
    '10',
    '9',
    '🔐',
    '\uffee',
    '_',
    '%',
    'a b',
    'aa',
    '"',
    '\\',
  ];

  test('of any size, put together, are all users once, byte by byte in order', async () => {
    const id = await tenantWith(odd);
    for (const first of [1, 2, 3, 7, odd.length - 1, odd.length, odd.length + 1, 100]) {
      expect(await listed(id, first)).toEqual(sorted(odd));
    }
    expect(await page(id, 5)).toMatchObject({ totalCount: odd.length });
  });

  test('are those of the tenant only, whoever has the same ids elsewhere', async () => {
    const id = await tenantWith(odd);
    await tenantWith(odd);
    expect(await page(id, 100)).toMatchObject({ totalCount: odd.length, pageInfo: { hasNextPage: false } });
    expect(await listed(id, 4)).toEqual(sorted(odd));
  });

  test('of a tenant without users are one, with nothing behind it', async () => {
    expect(await page(await tenantWith([]), 1)).toEqual({
      totalCount: 0,
      nodes: [],
      pageInfo: { hasNextPage: false, endCursor: null },
    });
  });

  test('while users are added and deleted, whoever stays is listed exactly once', async () => {
    const letter = fc.constantFrom(...'abcdefghij');
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 4 }),
        fc.array(fc.record({ letter, isAdded: fc.boolean() }), { maxLength: 12 }),
        async (first, plan) => {
          const stay = [...'abcdefghij'].map((name) => `${name} stays`);
          const id = await tenantWith([...stay, ...[...'abcdefghij'].map((name) => `${name} goes`)]);
          const acts = plan.values();
          const between = async () => {
            const { value } = acts.next();
            if (value?.isAdded) await learn(id, [uniqueId(`${value.letter} comes`)]);
            else if (value) {
              await server.database.pool.query('delete from users where tenant_id = $1 and id = $2', [
                id,
                `${value.letter} goes`,
              ]);
            }
          };
          const ids = await listed(id, first, { between });
          expect(ids.filter((name) => name.endsWith('stays'))).toEqual(stay);
          expect(new Set(ids).size).toBe(ids.length);
        },
      ),
      { numRuns: 12 },
    );
  });

  test('of another size than 1 to 100, or behind what is no cursor, are BAD_USER_INPUT', async () => {
    const id = await tenantWith(['a']);
    const broken = [
      { first: 0 },
      { first: 101 },
      { after: '!' },
      { after: encodeCursor(['a', 'b']) },
      { after: encodeCursor(['\u0000']) },
    ];
    for (const given of broken) {
      const { errors } = await reader.call(TenantUsersDocument, { id, first: 1, ...given });
      expect(errors[0]?.extensions?.['code']).toBe('BAD_USER_INPUT');
    }
  });
});

describe('users by state', () => {
  test('are those whom the pure rules put there, each in one state, whatever the population', async () => {
    const met = new Set<MfaState>();
    await fc.assert(
      fc.asyncProperty(population, fc.integer({ min: 1, max: 9 }), async (people, first) => {
        await settle(server, world, people);
        const expected = statesOf(people, server.clock.now());
        const all = await page(tenantId, 100);
        expect(all.nodes.map(({ id, mfa }) => [id, mfa?.state])).toEqual([...expected]);
        const found = await Promise.all(
          states.map(async (state) => {
            const { totalCount, nodes } = await page(tenantId, 100, null, state);
            const ids = nodes.map(({ id }) => id);
            expect(ids).toEqual([...expected].flatMap(([id, its]) => (its === state ? [id] : [])));
            expect(totalCount).toBe(ids.length);
            expect(new Set(nodes.map(({ mfa }) => mfa?.state)).size).toBe(ids.length > 0 ? 1 : 0);
            if (ids.length > 0) met.add(state);
            return ids;
          }),
        );
        expect(found.flat().sort()).toEqual(people.people.map((_, n) => idOf(n)));
        const largest = found.reduce((one, other) => (other.length > one.length ? other : one));
        const state = states[found.indexOf(largest)];
        expect(await listed(tenantId, first, { state })).toEqual(largest);
      }),
      { numRuns: 40 },
    );
    expect([...met].sort()).toEqual([...states].sort());
  }, 120_000);

  test('of another tenant do not show, whatever their state', async () => {
    const [people] = fc.sample(population, { numRuns: 1, seed: 7 });
    if (people === undefined) throw new Error('nobody');
    await settle(server, world, people);
    for (const state of states) {
      expect(await page(world.tenantIds[1] as string, 100, null, state)).toMatchObject({ nodes: [] });
    }
  });

  test('change as time goes by: grace ends, and so does an exemption', async () => {
    const whole = {
      application: {
        totpEnabled: true,
        recoveryCodesEnabled: false,
        enrollment: 'REQUIRED',
        gracePeriodDays: 1,
        issuer: null,
      },
      overrideRule: 'ANY',
      override: null,
      people: [
        { requiredAt: 0, enrolledAt: null, exemptUntil: null, totp: 'none', recovery: 'none' },
        { requiredAt: -9, enrolledAt: null, exemptUntil: 1, totp: 'none', recovery: 'none' },
      ],
    } as const;
    await settle(server, world, { ...whole, people: [...whole.people] });
    const found = async () =>
      Object.fromEntries((await page(tenantId, 9)).nodes.map(({ id, mfa }) => [id, mfa?.state]));
    const at = server.clock.now();
    expect(await found()).toEqual({ [idOf(0)]: 'PENDING', [idOf(1)]: 'EXEMPT' });
    server.clock.fix(new Date(at.getTime() + 24 * 3600 * 1000));
    reader = await server.caller();
    expect(await found()).toEqual({ [idOf(0)]: 'OVERDUE', [idOf(1)]: 'OVERDUE' });
    expect(await listed(tenantId, 1, { state: 'OVERDUE' })).toEqual([idOf(0), idOf(1)]);
  });
});
