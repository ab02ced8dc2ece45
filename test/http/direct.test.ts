import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import fc from 'fast-check';
import { buildSchema, execute, type GraphQLSchema, isObjectType, parse } from 'graphql';
import type { RequestContext } from '../../src/caller/context.ts';
import { createDirect } from '../../src/http/direct.ts';
import { createExecutor } from '../../src/http/executor.ts';
import { Piece, Pieces } from '../../src/http/pieces.ts';
import { startTestServer, type TestServer, uniqueId } from '../setup/harness.ts';
import { makeWorld, override } from '../setup/world.ts';
import { codesOf, post, type Reply, send } from './send.ts';

/* A document that Apollo let through before is answered without it; who names several media types is always Apollo's. */

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
});
afterAll(() => server.stop());

const one = 'query One($id: ID!) { effectivePolicy(tenantId: $id) { source version issuer mfaEnabled } }';
const many = `query Many($ids: [ID!]!) {
  tenants(ids: $ids) { id name: displayName effectivePolicy { source issuer gracePeriodDays } }
}`;

/** What differs from call to call. */
const comparable = ({ status, text, headers }: Reply) => {
  const { date, 'x-request-id': requestId, ...kept } = Object.fromEntries(headers);
  expect([date, requestId]).not.toContain(undefined);
  return { status, text, kept };
};

async function bothWays(body: object, token: string) {
  const authorization = `Bearer ${token}`;
  const direct = await post(server, body, { authorization, accept: '*/*' });
  const apollo = await post(server, body, { authorization, accept: 'application/json, text/html' });
  return { direct, apollo };
}

describe('whichever way a call goes, its answer is the same to the last byte, headers included', () => {
  test('answers, refusals and errors', async () => {
    const { tenantIds, applicationId } = await makeWorld(server, { tenants: 3 });
    const [id = ''] = tenantIds;
    await override(server, id, { totpEnabled: true, issuer: 'Ümläut "quoted" 鍵' });
    const full = await server.token();
    const tenant = await server.token({ applicationId, tenantId: id, scopes: [] });
    const scopeless = await server.token({ applicationId, scopes: [] });
    const ids = [...tenantIds, uniqueId('none'), id];
    const bodies: object[] = [
      { query: one, variables: { id } },
      { query: one, variables: { id: uniqueId('none') } },
      { query: one, variables: { id }, operationName: 'One' },
      { query: one, variables: { id }, operationName: null, extensions: null },
      { query: one, variables: { id }, operationName: 'Other' },
      { query: one, variables: { id }, operationName: '' },
      { query: one, variables: { id }, extensions: {} },
      { query: one, variables: { id }, extensions: { persistedQuery: { version: 1, sha256Hash: 'x' } } },
      { query: one, variables: { id: 7 } },
      { query: one, variables: { id: null } },
      { query: one, variables: { id: [id] } },
      { query: one, variables: {} },
      { query: one },
      { query: one, variables: [] },
      { query: one, variables: 'text' },
      { query: many, variables: { ids } },
      { query: many, variables: { ids: id } },
      { query: many, variables: { ids: [] } },
      { query: many, variables: { ids: [id, 7] } },
      { query: many, variables: { ids: [id, null] } },
      { query: many, variables: { ids: Array.from({ length: 201 }, (_, n) => `t${n}`) } },
      { query: many, variables: JSON.parse('{"ids":[],"__typename":"x"}') },
      {
        query: 'query ($first: Int!) { applications(first: $first) { totalCount } }',
        variables: { first: 0 },
      },
      { query: '{ __schema { queryType { name } } }' },
      { query: '{ viewer { subject } ...F } fragment F on Query { again: viewer { scopes } }' },
    ];
    for (const body of bodies) {
      for (const token of [full, tenant, scopeless, full]) {
        const { direct, apollo } = await bothWays(body, token);
        expect(comparable(direct)).toEqual(comparable(apollo));
      }
    }
  });

  test('no other headers than every answer of the service carries', async () => {
    const names = ({ headers }: Reply) => [...headers.keys()].filter((name) => name !== 'www-authenticate');
    const elsewhere = await send(server, '/health/live');
    const call = await post(server, { query: '{ __typename }' });
    expect(names(call)).toEqual(names(elsewhere));
    for (const name of names(elsewhere)) {
      if (!['content-length', 'content-type', 'date', 'x-request-id'].includes(name))
        expect([name, call.headers.get(name)]).toEqual([name, elsewhere.headers.get(name)]);
    }
  });
});

test('a body that would set a prototype is refused, however it is written', async () => {
  for (const name of ['__proto__', '\\u005f_proto__', 'constructor":{"prototype":{}},"x']) {
    const reply = await post(server, `{"query":"{ __typename }","${name}":{}}`);
    expect([name, reply.status, codesOf(reply)]).toEqual([name, 400, ['BAD_REQUEST']]);
  }
  expect((await post(server, '{"query":')).status).toBe(400);
});

test('what has errors was executed once, and is told as it came out', async () => {
  const { applicationId } = await makeWorld(server);
  const writer = await server.caller({ applicationId, scopes: ['tenant:write'] });
  const query = `mutation Make($input: CreateTenantInput!) { createTenant(input: $input) {
    __typename ... on TenantPayload { tenant { id users(first: 1) { totalCount } } } } }`;
  for (let n = 0; n < 4; n += 1) {
    const id = uniqueId('t');
    const made = await writer.call(query, { input: { id, applicationId, displayName: 'T' } });
    expect(codesOf(made)).toEqual(['FORBIDDEN']);
    const again = await writer.call(query, { input: { id, applicationId, displayName: 'T' } });
    expect(again.data).toEqual({ createTenant: { __typename: 'AlreadyExists' } });
  }
});

test('objects of lists that are remembered as text are read by who may, and change with what they tell', async () => {
  const { applicationId, tenantIds } = await makeWorld(server, { tenants: 2 });
  const [id = ''] = tenantIds;
  const reader = await server.caller({ applicationId, scopes: ['mfa-policy:read'] });
  const user = await server.caller({ applicationId, tenantId: id, scopes: [] });
  const stranger = await server.caller({ applicationId: (await makeWorld(server)).applicationId });
  const read = async () => JSON.stringify((await reader.call(many, { ids: tenantIds })).data);
  for (let n = 0; n < 4; n += 1) {
    await override(server, id, { totpEnabled: true, gracePeriodDays: n });
    for (let again = 0; again < 3; again += 1) expect(await read()).toContain(`"gracePeriodDays":${n}`);
    // A user sees its own tenant, and no other.
    expect((await user.call(many, { ids: tenantIds })).data).toMatchObject({
      tenants: [{ id, effectivePolicy: { gracePeriodDays: n } }, null],
    });
    expect((await stranger.call(many, { ids: tenantIds })).data).toEqual({ tenants: [null, null] });
  }
});

test('a call is counted once, by its name, whichever way it goes', async () => {
  const query = 'query CountedOnce { __typename }';
  const headers = { authorization: `Bearer ${await server.token()}` };
  for (let n = 0; n < 5; n += 1) await post(server, { query }, headers);
  const { text } = await send(server, '/metrics');
  expect(text).toContain('cufflink_graphql_requests_total{operation="CountedOnce",status="200"} 5');
  expect(text).toContain('cufflink_graphql_request_duration_seconds_count{operation="CountedOnce"} 5');
});

// --- beside graphql-js ---------------------------------------------------------------------------

interface Asker extends Record<string, unknown> {
  denied: ReadonlySet<unknown>;
  rows: readonly unknown[];
}

/** A schema with a derived field behind a guard, as ours has. */
function guardedSchema(): GraphQLSchema {
  const schema = buildSchema(`
    type Query { rows(ids: [ID!]): [Row] strict: [Row!] }
    type Row { id: ID! name: String policy: Policy own: Policy needed: Policy! }
    type Policy { days: Int! label: String }`);
  const query = schema.getQueryType()?.getFields();
  const row = schema.getType('Row');
  if (!query || !isObjectType(row)) throw new Error('no schema');
  for (const name of ['rows', 'strict']) {
    const field = query[name];
    if (field) field.resolve = (_root, _args, { rows }: Asker) => rows;
  }
  for (const name of ['policy', 'needed']) {
    const field = row.getFields()[name];
    if (!field) continue;
    const guard = (context: unknown, parent: unknown) => {
      if ((context as Asker).denied.has(parent)) throw new Error('denied');
    };
    field.extensions = { guard, isDerived: true };
    field.resolve = (parent: { days: unknown; label: unknown }, _args, context) => {
      guard(context, parent);
      return { days: parent.days, label: parent.label };
    };
  }
  return schema;
}

const text = fc.oneof(fc.string(), fc.constantFrom('"', '\\', '\u2028', '\ud800', '</script>', 'toJSON'));
const rowOf = fc.record({
  id: text,
  name: fc.option(text),
  days: fc.oneof(fc.nat(), fc.constant('no number'), fc.constant(null)),
  label: fc.option(text),
  own: fc.option(fc.record({ days: fc.nat(), label: text })),
});
const fields = [
  'id',
  'name',
  'n2: name',
  'policy { days }',
  'policy { label days }',
  'needed { days }',
  'own { days }',
];

test('with pieces or without, data and errors are those of graphql-js', async () => {
  const schema = guardedSchema();
  let withPieces = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(rowOf, fc.boolean(), fc.boolean()), { maxLength: 6 }),
      fc.uniqueArray(fc.constantFrom(...fields), { minLength: 1, maxLength: 4 }),
      fc.constantFrom('rows', 'strict', 'x: rows', 'toJSON: rows', 'rows(ids: $ids)'),
      async (made, selected, root) => {
        const executor = createExecutor(schema);
        const direct = createDirect({ schema, executor });
        const query = `query ($ids: [ID!]) { ${root} { ${selected.join(' ')} } again: rows(ids: $ids) { id } }`;
        const document = parse(query);
        direct.learn(query, document);
        const rows = made.map(([row, isFrozen]) => (isFrozen ? Object.freeze(row) : row));
        for (let round = 0; round < 4; round += 1) {
          const denied = new Set(rows.filter((_, n) => round % 2 === 1 && made[n]?.[2]));
          const contextValue: Asker = { denied, rows: round === 2 ? rows.toReversed() : rows };
          const expected = await execute({ schema, document, contextValue, variableValues: { ids: ['a'] } });
          const asked = { ...contextValue, call: {}, beginOperation: () => {} } as unknown as RequestContext;
          const answer = await direct.answer({ query, variables: { ids: ['a'] } }, () => asked);
          if (expected.errors) {
            expect(answer).toBeNull();
            expect(JSON.stringify(asked.executed?.result)).toBe(JSON.stringify(expected));
          } else {
            expect(answer).toBe(`${JSON.stringify({ data: expected.data })}\n`);
            withPieces += 1;
          }
        }
      },
    ),
    { numRuns: 250 },
  );
  expect(withPieces).toBeGreaterThan(200);
}, 60_000);

test('no more objects are kept as text than may be, and those used last are', () => {
  const pieces = new Pieces(10);
  const selection = { guards: [] };
  const rows = Array.from({ length: 100 }, (_, id) => ({ id }));
  for (const row of rows) {
    pieces.keep(selection, row, new Piece(`${row.id}`));
    expect(pieces.get(selection, rows[0] ?? {})?.json).toBe('0');
  }
  // Asking for one moves it up, so what was kept last is asked for first.
  const kept = rows.toReversed().filter((row) => pieces.get(selection, row) !== undefined);
  expect(kept.length).toBeLessThanOrEqual(21);
  expect(kept).toContain(rows.at(-1));
});

test('a text that a caller made long is not kept', async () => {
  const schema = guardedSchema();
  const executor = createExecutor(schema);
  const direct = createDirect({ schema, executor });
  const keep = jest.spyOn(Pieces.prototype, 'keep');
  const keptFor = async (alias: string): Promise<number> => {
    keep.mockClear();
    const query = `{ rows { ${alias}: id } }`;
    direct.learn(query, parse(query));
    const rows = [Object.freeze({ id: 'one' })];
    const asker = { denied: new Set(), rows, call: {}, beginOperation: () => {} };
    for (let n = 0; n < 3; n += 1) await direct.answer({ query }, () => asker as unknown as RequestContext);
    return keep.mock.calls.length;
  };
  expect(await keptFor('short')).toBeGreaterThan(0);
  expect(await keptFor('x'.repeat(2_000))).toBe(0);
  keep.mockRestore();
});
