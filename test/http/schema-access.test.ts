import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { getIntrospectionQuery } from 'graphql';
import { startTestServer, type TestServer } from '../setup/harness.ts';
import { makeWorld } from '../setup/world.ts';
import { codesOf, post } from './send.ts';

let server: TestServer;
let closed: TestServer;

beforeAll(async () => {
  server = await startTestServer();
  closed = await startTestServer({ introspection: false });
});
afterAll(() => Promise.all([server.stop(), closed.stop()]));

describe('GQL-2: reading the schema', () => {
  const reads: [string, string][] = [
    ['the standard query', getIntrospectionQuery()],
    ['__type', '{ __type(name: "Query") { name } }'],
    ['an alias', '{ harmless: __schema { queryType { name } } }'],
    [
      'a fragment',
      '{ ...A } fragment A on Query { ...B } fragment B on Query { __schema { queryType { name } } }',
    ],
    ['an inline fragment', '{ ... on Query { ... { __type(name: "Query") { name } } } }'],
    ['a field among others', '{ viewer { subject } __schema { queryType { name } } }'],
    [
      'a field among others, last of two operations',
      'query A { __typename } query B { __typename __schema { queryType { name } } }',
    ],
    ['_service', '{ _service { sdl } }'],
    ['_service under an alias in a fragment', '{ ...A } fragment A on Query { harmless: _service { sdl } }'],
  ];
  const ask = async (at: TestServer, document: string, token: string | null) =>
    post(
      at,
      { query: document, ...(document.includes('query B') && { operationName: 'B' }) },
      token === null ? {} : { authorization: `Bearer ${token}` },
    );

  test.each(reads)('GQL-2: by %s is open to all in development', async (_what, document) => {
    const token = document.includes('viewer') ? await server.token({ scopes: [] }) : null;
    expect(await ask(server, document, token)).toMatchObject({ status: 200, errors: [] });
  });

  test.each(reads)('GQL-2: by %s is closed in production', async (_what, document) => {
    const anonymous = await ask(closed, document, null);
    expect(anonymous.status).toBe(401);
    expect(codesOf(anonymous)).toContain('UNAUTHENTICATED');
    const powerful = await ask(
      closed,
      document,
      await closed.token({ scopes: ['application:write', 'mfa-policy:read', 'schema', 'schema:readx'] }),
    );
    expect(powerful.status).toBe(200);
    expect(codesOf(powerful)).toEqual(['FORBIDDEN']);
    for (const { text } of [anonymous, powerful]) expect(text).not.toMatch(/queryType|sdl|"name"/);
  });

  test.each(reads)(
    'GQL-2: by %s is open in production with the scope, in any boundary',
    async (_what, document) => {
      const { applicationId, tenantIds } = await makeWorld(closed);
      for (const boundary of [{}, { applicationId }, { applicationId, tenantId: tenantIds[0] }]) {
        const token = await closed.token({ scopes: ['schema:read'], ...boundary });
        expect(await ask(closed, document, token)).toMatchObject({ status: 200, errors: [] });
      }
    },
  );

  test('GQL-2: __typename stays open to all', async () => {
    expect(await post(closed, { query: '{ a: __typename }' })).toMatchObject({
      status: 200,
      data: { a: 'Query' },
    });
  });

  test('GQL-2: an operation that is not asked for reads nothing and hinders nothing', async () => {
    const body = {
      query: 'query A { __typename } query B { __schema { queryType { name } } }',
      operationName: 'A',
    };
    expect(await post(closed, body)).toMatchObject({ status: 200, errors: [] });
  });
});
