import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Scope } from '../../src/caller/caller.ts';
import { encodeCursor } from '../../src/shared/connection.ts';
import { startTestServer, type TestServer } from '../setup/harness.ts';
import { override } from '../setup/world.ts';
import { boundaries, type GridCaller, type Ground, inParallel, makeCaller, makeGround } from './callers.ts';
import { operations } from './operations.ts';

let server: TestServer;
let ground: Ground;
/** Reads policies, each inside its own boundary. */
let readers: Record<(typeof boundaries)[number], GridCaller>;
beforeAll(async () => {
  server = await startTestServer();
  ground = await makeGround(server);
  await override(server, ground.sibling.tenantId, { gracePeriodDays: 7 });
  const reader = (kind: (typeof boundaries)[number]) =>
    makeCaller(server, ground, kind, [
      'mfa-policy:read',
      'tenant:write',
      'application:write',
      'mfa-policy:write',
    ]);
  readers = {
    installation: await reader('installation'),
    application: await reader('application'),
    tenant: await reader('tenant'),
  };
});
afterAll(() => server.stop());

/** What one call answers; it must answer without an error. */
async function read(caller: GridCaller, document: string, variables: object): Promise<unknown> {
  const { codes, data } = await caller.ask(document, variables);
  expect(codes).toEqual([]);
  return data;
}

const listTenants = `query ($id: ID!, $filter: TenantFilter, $after: String) {
  application(id: $id) { tenants(filter: $filter, after: $after) { nodes { id } totalCount pageInfo { hasNextPage } } }
}`;

const tenantsOf = async (
  caller: GridCaller,
  { filter, after }: { filter?: object; after?: string | undefined } = {},
): Promise<unknown> => {
  const data = await read(caller, listTenants, { id: ground.own.applicationId, filter, after });
  return (data as { application: { tenants: unknown } }).application.tenants;
};

const only = (...tenantIds: string[]) => ({
  nodes: tenantIds.map((id) => ({ id })),
  totalCount: tenantIds.length,
  pageInfo: { hasNextPage: false },
});

describe('TEN-2: lists', () => {
  test('of tenants hold and count what the boundary holds', async () => {
    const { own, sibling } = ground;
    expect(await tenantsOf(readers.application)).toEqual(only(own.tenantId, sibling.tenantId));
    expect(await tenantsOf(readers.tenant)).toEqual(only(own.tenantId));
  });

  test.each<[string, object]>([
    ['search', { search: 'Tenant 002' }],
    ['overrideEnabled', { overrideEnabled: true }],
  ])('of tenants, filtered by %s, do not tell whether a neighbour matches', async (_name, filter) => {
    expect(await tenantsOf(readers.application, { filter })).toEqual(only(ground.sibling.tenantId));
    expect(await tenantsOf(readers.tenant, { filter })).toEqual(only());
  });

  test('of applications hold and count what the boundary holds, whatever is searched for', async () => {
    const list = async (caller: GridCaller, search: string) =>
      (
        (await read(caller, 'query ($s: String) { applications(search: $s) { nodes { id } totalCount } }', {
          s: search,
        })) as { applications: unknown }
      ).applications;
    const none = { nodes: [], totalCount: 0 };
    for (const caller of [readers.application, readers.tenant]) {
      expect(await list(caller, '')).toEqual({ nodes: [{ id: ground.own.applicationId }], totalCount: 1 });
      expect(await list(caller, `${ground.search} foreign`)).toEqual(none);
    }
    expect(await list(readers.installation, `${ground.search} foreign`)).not.toEqual(none);
  });

  test('take a cursor of a foreign list for a mere position, like one of nothing at all', async () => {
    const { own, sibling, foreign } = ground;
    const data = await read(
      readers.installation,
      'query ($id: ID!) { application(id: $id) { tenants { pageInfo { endCursor } } } }',
      { id: foreign.applicationId },
    );
    const { endCursor } = (data as { application: { tenants: { pageInfo: { endCursor: string } } } })
      .application.tenants.pageInfo;
    const [foreignRow, nothing] = [endCursor, encodeCursor(['tenant 001', foreign.tenantId])];
    expect(foreignRow).toBe(nothing);
    const rest = [own, sibling]
      .map(({ tenantId }, n) => [`tenant 00${n + 1}`, tenantId] as const)
      .filter(([name, id]) => name > 'tenant 001' || id > foreign.tenantId)
      .map(([, id]) => ({ id }));
    expect(await tenantsOf(readers.application, { after: endCursor })).toMatchObject({ nodes: rest });
    const beforeAll = encodeCursor(['', '']);
    expect(await tenantsOf(readers.tenant, { after: beforeAll })).toEqual(only(own.tenantId));
  });
});

describe('TEN-2: ids', () => {
  test.each<[string, (real: string) => string]>([
    ['empty', () => ''],
    ['blank', () => ' '],
    ['with U+0000', () => 'a\u0000b'],
    ['of 300 characters', () => 'x'.repeat(300)],
    ['of letters beyond ASCII', () => 'Łódź'],
    ['half a surrogate pair', () => '\ud800'],
    ['with a right-to-left override', () => 'a\u202eb'],
    ['quotes and comments of SQL', () => `' or '1'='1' --`],
    ['a pattern that matches everything', () => '%'],
    ['real but for a full-width letter', (real) => real.replace('a', '\uff41')],
    ['real but for a space behind', (real) => `${real} `],
    ['real but in capitals', (real) => real.toUpperCase()],
  ])('that are %s answer like absent ones, in every operation', async (_name, odd) => {
    const { applicationId, tenantId, endpointId } = ground.own;
    const target = {
      applicationId: odd(applicationId),
      tenantId: odd(tenantId),
      endpointId: odd(endpointId),
    };
    const asked = operations
      .filter(({ about }) => about !== 'nothing')
      .flatMap((operation) => boundaries.map((kind) => ({ operation, caller: readers[kind] })));
    await inParallel(asked, async ({ operation, caller }) => {
      const ask = (at: typeof target) => caller.ask(operation.document, operation.variables(at, ground));
      const [answer, absent] = [await ask(target), await ask(ground.absent)];
      expect([operation.name, answer.bytes]).toEqual([operation.name, absent.bytes]);
    });
  });

  test.each(['createTenant', 'createApplication'])(
    'that are taken are told by %s alike, whosever they are',
    async (mutation) => {
      const type = `${mutation[0]?.toUpperCase()}${mutation.slice(1)}Input`;
      const taken = async ({ applicationId, tenantId }: Ground['own']) =>
        (
          await (mutation === 'createTenant' ? readers.application : readers.installation).ask(
            `mutation ($input: ${type}!) { result: ${mutation}(input: $input) { __typename ... on UserError { code message } } }`,
            {
              input:
                mutation === 'createTenant'
                  ? { id: tenantId, applicationId: ground.own.applicationId, displayName: 'Mine' }
                  : { id: applicationId, displayName: 'Mine' },
            },
          )
        ).bytes;
      const own = await taken(ground.own);
      expect(own).toContain('ALREADY_EXISTS');
      expect(await taken(ground.foreign)).toBe(own);
    },
  );
});

describe('TEN-2: boundaries that do not fit together', () => {
  test('a tenant of another application than the token names is no tenant at all', async () => {
    const { own, foreign } = ground;
    const mixed = { ...own, tenantId: foreign.tenantId };
    const caller = await makeCaller(server, { ...ground, own: mixed }, 'tenant', [
      'mfa-policy:read',
      'tenant:write',
    ]);
    expect(await read(caller, '{ viewer { application { id } tenant { id } } }', {})).toEqual({
      viewer: { application: { id: own.applicationId }, tenant: null },
    });
    expect(
      await read(caller, 'query ($ids: [ID!]!) { tenants(ids: $ids) { id } }', {
        ids: [own.tenantId, foreign.tenantId],
      }),
    ).toEqual({ tenants: [null, null] });
    expect(await tenantsOf(caller)).toEqual(only());
    expect(
      await read(caller, 'mutation ($id: ID!) { deleteTenant(input: { id: $id }) { __typename } }', {
        id: foreign.tenantId,
      }),
    ).toEqual({ deleteTenant: { __typename: 'NotFound' } });
  });
});

const entities = `query ($of: [_Any!]!) {
  _entities(representations: $of) { ... on Tenant { id } ... on Application { id } }
}`;

describe('TEN-2: _entities', () => {
  const tenant = (id: string) => ({ __typename: 'Tenant', id });
  const application = (id: string) => ({ __typename: 'Application', id });

  test('answers what the boundary holds and null for the rest, in the order asked', async () => {
    const { own, sibling, foreign, absent } = ground;
    const of = [
      tenant(foreign.tenantId),
      application(own.applicationId),
      tenant(own.tenantId),
      application(foreign.applicationId),
      tenant(absent.tenantId),
      tenant(sibling.tenantId),
      tenant(own.tenantId),
      tenant('a\u0000b'),
    ];
    const [app, mine, near] = [{ id: own.applicationId }, { id: own.tenantId }, { id: sibling.tenantId }];
    expect(await read(readers.application, entities, { of })).toEqual({
      _entities: [null, app, mine, null, null, near, mine, null],
    });
    expect(await read(readers.tenant, entities, { of })).toEqual({
      _entities: [null, app, mine, null, null, null, mine, null],
    });
  });

  test('without a bearer token is UNAUTHENTICATED as a whole, also for nothing and for what is no entity', async () => {
    const nobody = await makeCaller(server, ground, 'none', []);
    for (const asked of [[], [tenant(ground.own.tenantId)], [{ __typename: 'Nothing' }], [7]]) {
      expect(await nobody.ask(entities, { of: asked })).toMatchObject({
        status: 401,
        codes: ['UNAUTHENTICATED'],
        data: null,
      });
    }
  });

  test('refuses one entity and answers the others', async () => {
    const { own } = ground;
    const user = await makeCaller(server, ground, 'tenant', []);
    const answer = await user.ask(entities, { of: [application(own.applicationId), tenant(own.tenantId)] });
    expect(answer).toMatchObject({
      status: 200,
      codes: ['FORBIDDEN'],
      data: { _entities: [null, { id: own.tenantId }] },
    });
  });

  test.each<[string, unknown]>([
    ['an unknown type', { __typename: 'Nothing', id: 'x' }],
    ['a type that is no entity', { __typename: 'Viewer', id: 'x' }],
    ['a root type', { __typename: 'Query', id: 'x' }],
    ['an interface', { __typename: 'UserError', id: 'x' }],
    ['no type', { id: 'x' }],
    ['a type that is no text', { __typename: { Tenant: 1 }, id: 'x' }],
    ['no id', { __typename: 'Tenant' }],
    ['an id that is null', { __typename: 'Tenant', id: null }],
    ['an id that is a list', { __typename: 'Tenant', id: ['x'] }],
    ['an id that cannot become text', { __typename: 'Tenant', id: { toString: 1, valueOf: 1 } }],
    ['a text', 'Tenant'],
    ['a number', 7],
    ['a list', [{ __typename: 'Tenant', id: 'x' }]],
  ])('answers %s with BAD_USER_INPUT', async (_name, representation) => {
    const of = [tenant(ground.own.tenantId), representation];
    expect(await readers.application.ask(entities, { of })).toMatchObject({
      status: 400,
      codes: ['BAD_USER_INPUT'],
      data: null,
    });
  });
});

describe('TEN-2: loaders', () => {
  test('are of one request: callers in parallel each see their own only', async () => {
    const granted: readonly Scope[] = ['mfa-policy:read'];
    const mine = await makeCaller(server, ground, 'application', granted);
    const theirs = await makeCaller(server, { ...ground, own: ground.foreign }, 'application', granted);
    const ids = [ground.own.tenantId, ground.foreign.tenantId];
    const document = 'query ($ids: [ID!]!) { tenants(ids: $ids) { id } }';
    const rounds = Array.from({ length: 50 }, () => [mine, theirs]).flat();
    await Promise.all(
      rounds.map(async (caller) => {
        const seen = ids.map((id, n) => (n === (caller === mine ? 0 : 1) ? { id } : null));
        expect(await read(caller, document, { ids })).toEqual({ tenants: seen });
      }),
    );
  });
});
