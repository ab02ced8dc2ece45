import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { startTestServer, type TestCaller, type TestServer, uniqueId } from '../setup/harness.ts';
import type { World } from '../setup/world.ts';
import { makeManyTenants } from './many.ts';
import { statementsOf } from './statements.ts';

/*
 * What a read costs the database does not depend on how many things it answers. Every list is asked
 * for 1, 50 and 200 tenants, with everything of each of them.
 */

const sizes = [1, 50, 200] as const;
type Size = (typeof sizes)[number];

let server: TestServer;
let admin: TestCaller;
let one: World;
/** By number of tenants: a part of the names of applications that have so many between them. */
let searches: Record<Size, string>;
beforeAll(async () => {
  // What is remembered takes no statement at all; test/policy/snapshot.test.ts has it.
  server = await startTestServer({ policySnapshot: false });
  admin = await server.caller();
  one = await makeManyTenants(server, { tenants: 200, policy: { totpEnabled: true } });
  const spread = async (applications: number, tenants: number): Promise<string> => {
    const displayName = uniqueId('batch');
    await Promise.all(
      Array.from({ length: applications }, () => makeManyTenants(server, { tenants, displayName })),
    );
    return displayName;
  };
  searches = { 1: await spread(1, 1), 50: await spread(5, 10), 200: await spread(20, 10) };
});
afterAll(() => server.stop());

const everything = `id displayName
  mfaPolicyOverride { enabled policy { version } }
  effectivePolicy { issuer source tenant { id } }
  application { id displayName mfaPolicy { version } }`;

interface List {
  document: string;
  variables: (size: Size) => object;
  /** How many tenants an answer has. */
  count: (data: never) => number;
  statements: number;
}

const lists: [string, List][] = [
  [
    'tenants(ids)',
    {
      document: `query ($ids: [ID!]!) { tenants(ids: $ids) { ${everything} } }`,
      variables: (size) => ({ ids: one.tenantIds.slice(0, size) }),
      count: ({ tenants }: { tenants: unknown[] }) => tenants.filter(Boolean).length,
      statements: 1,
    },
  ],
  [
    'connections inside a connection',
    {
      document: `query ($search: String) { applications(search: $search, first: 20) { nodes {
        displayName tenants(first: 10) { nodes { ${everything} } } } } }`,
      variables: (size) => ({ search: searches[size] }),
      count: ({ applications }: { applications: { nodes: { tenants: { nodes: unknown[] } }[] } }) =>
        applications.nodes.reduce((sum, { tenants }) => sum + tenants.nodes.length, 0),
      // A page of applications; the pages of their tenants.
      statements: 2,
    },
  ],
  [
    'connections with their counts',
    {
      document: `query ($search: String) { applications(search: $search, first: 20) { totalCount nodes {
        tenants(first: 10) { totalCount edges { node { id } } pageInfo { hasNextPage } } } } }`,
      variables: (size) => ({ search: searches[size] }),
      count: ({ applications }: { applications: { nodes: { tenants: { totalCount: number } }[] } }) =>
        applications.nodes.reduce((sum, { tenants }) => sum + tenants.totalCount, 0),
      statements: 4,
    },
  ],
  [
    '_entities',
    {
      document: `query ($of: [_Any!]!) { _entities(representations: $of) { ... on Tenant { ${everything} } } }`,
      variables: (size) => ({
        of: one.tenantIds.slice(0, size).map((id) => ({ __typename: 'Tenant', id })),
      }),
      count: ({ _entities }: { _entities: unknown[] }) => _entities.filter(Boolean).length,
      statements: 1,
    },
  ],
  [
    '_entities of two types at once',
    {
      document: `query ($of: [_Any!]!) { _entities(representations: $of) {
        ... on Tenant { id } ... on Application { id mfaPolicy { version } } } }`,
      variables: (size) => ({
        of: [
          { __typename: 'Application', id: one.applicationId },
          ...one.tenantIds.slice(1, size).map((id) => ({ __typename: 'Tenant', id })),
        ],
      }),
      count: ({ _entities }: { _entities: unknown[] }) => _entities.filter(Boolean).length,
      statements: 2,
    },
  ],
];

describe('the number of database statements', () => {
  test.each(lists)('of %s is the same for 1, 50 and 200 tenants', async (name, list) => {
    const measured: [Size, number][] = [];
    for (const size of sizes) {
      const statements = await statementsOf(async () => {
        const { data, errors } = await admin.call<unknown, object>(list.document, list.variables(size));
        expect(errors).toEqual([]);
        expect(list.count(data as never)).toBe(size);
      });
      measured.push([size, statements.length]);
    }
    // A single representation has one type, so the smallest call of two types has one statement less.
    const least = name === '_entities of two types at once' ? list.statements - 1 : list.statements;
    expect(measured).toEqual([
      [1, least],
      [50, list.statements],
      [200, list.statements],
    ]);
  });

  test('of a tenant asked for in many ways at once is one', async () => {
    const [id] = one.tenantIds;
    const statements = await statementsOf(async () => {
      const { data } = await admin.call<unknown, object>(
        `query ($id: ID!, $of: [_Any!]!) {
          tenant(id: $id) { id } again: tenant(id: $id) { id } tenants(ids: [$id, $id]) { id }
          effectivePolicy(tenantId: $id) { issuer } _entities(representations: $of) { ... on Tenant { id } }
        }`,
        { id, of: [{ __typename: 'Tenant', id }] },
      );
      expect(data).toMatchObject({
        tenant: { id },
        again: { id },
        tenants: [{ id }, { id }],
        _entities: [{ id }],
      });
    });
    expect(statements).toHaveLength(1);
  });

  test('of ids that cannot be ids is none', async () => {
    const statements = await statementsOf(async () => {
      const { data } = await admin.call<unknown, object>('{ tenants(ids: ["", "a b", "%"]) { id } }');
      expect(data).toEqual({ tenants: [null, null, null] });
    });
    expect(statements).toEqual([]);
  });

  test('carries no value in its text: a statement is the same for whatever is asked', async () => {
    const texts = async (id: string | undefined) =>
      statementsOf(() => admin.call<unknown, object>('query ($id: ID!) { tenant(id: $id) { id } }', { id }));
    const [first, second] = [await texts(one.tenantIds[0]), await texts("o'clock".replaceAll("'", '.'))];
    expect(first).toHaveLength(1);
    expect(first).toEqual(second);
  });
});
