import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { getIntrospectionQuery } from 'graphql';
import * as limits from '../../src/shared/limits.ts';
import { startTestServer, type TestServer, uniqueId } from '../setup/harness.ts';
import { codesOf, post, type Reply, statementsDuring, times } from './send.ts';

let server: TestServer;
let bearer: string;

beforeAll(async () => {
  server = await startTestServer();
  bearer = await server.token();
});
afterAll(() => server.stop());

const send = (body: object | string): Promise<Reply> =>
  post(server, body, { authorization: `Bearer ${bearer}` });

/** Sends, and expects that no statement reached the database. */
async function refused(body: object): Promise<Reply> {
  let reply: Reply | undefined;
  expect(
    await statementsDuring(server, async () => {
      reply = await send(body);
    }),
  ).toBe(0);
  if (reply === undefined) throw new Error('not sent');
  return reply;
}

describe('GQL-1: lists', () => {
  const tenants = 'query ($ids: [ID!]!) { tenants(ids: $ids) { id } }';
  const entities = 'query ($of: [_Any!]!) { _entities(representations: $of) { __typename } }';
  const ids = (n: number) => Array.from({ length: n }, (_, i) => `t${i}`);
  const representations = (n: number) => ids(n).map((id) => ({ __typename: 'Tenant', id }));
  const idList = (n: number) => times(n, (i) => `"t${i}"`);

  test.each<[string, (n: number) => object]>([
    ['ids in a variable', (n) => ({ query: tenants, variables: { ids: ids(n) } })],
    ['ids written out', (n) => ({ query: `{ tenants(ids: [${idList(n)}]) { id } }` })],
    [
      'ids by default',
      (n) => ({ query: `query ($ids: [ID!]! = [${idList(n)}]) { tenants(ids: $ids) { id } }` }),
    ],
    ['representations', (n) => ({ query: entities, variables: { of: representations(n) } })],
    [
      'a list inside a representation',
      (n) => ({
        query: entities,
        variables: { of: [{ __typename: 'Tenant', id: 't', more: { list: ids(n) } }] },
      }),
    ],
  ])('GQL-1: %s: 200 are served, 201 refused', async (_what, build) => {
    expect(await send(build(200))).toMatchObject({ status: 200, errors: [] });
    expect(await refused(build(201))).toMatchObject({
      status: 400,
      errors: [
        {
          message: 'A list has 201 entries; the limit is 200. Split the call.',
          extensions: { code: 'LIMIT_EXCEEDED' },
        },
      ],
    });
  });

  test('GQL-1: a list given makes the fields under it cost once for each entry', async () => {
    const selection = `{ application { tenants(first: 100) { nodes { id } } } }`;
    expect(
      await refused({ query: tenants.replace('{ id }', selection), variables: { ids: ids(200) } }),
    ).toMatchObject({
      status: 400,
      errors: [{ message: expect.stringMatching(/of cost/) }],
    });
  });

  test('GQL-1: a value nested thousands deep is refused, not choked on', async () => {
    const deep = `${'['.repeat(20_000)}1${']'.repeat(20_000)}`;
    for (const value of [deep, `{"__typename":"Tenant","id":${deep}}`]) {
      const reply = await send(`{"query":${JSON.stringify(entities)},"variables":{"of":[${value}]}}`);
      expect(reply).toMatchObject({ status: 400, errors: [{ extensions: { code: 'LIMIT_EXCEEDED' } }] });
    }
  });

  test('GQL-1: tens of thousands of wrong values in a variable are answered at once', async () => {
    const sent = { query: tenants, variables: { ids: Array.from({ length: 25_000 }, () => 1.5) } };
    // The process does other things too, which only ever adds: the least of some counts.
    const replies = [await send(sent), await send(sent), await send(sent)];
    expect(replies[0]).toMatchObject({
      status: 400,
      errors: [
        {
          message: 'Variable "$ids" does not fit at "[0]": expected a value of type ID!.',
          extensions: { code: 'BAD_USER_INPUT' },
        },
      ],
    });
    expect(Math.min(...replies.map(({ cpuMs }) => cpuMs))).toBeLessThan(200);
  });
});

describe('GQL-1: pages', () => {
  const make = (args: string, head = '') => `mutation ($id: ID!${head}) {
    createApplication(input: { id: $id, displayName: "Made" }) {
      ... on ApplicationPayload { application { tenants${args} { nodes { id } } } }
    }
  }`;

  test.each([
    ['0', '(first: 0)', '', {}],
    ['101', '(first: 101)', '', {}],
    ['-1', '(first: -1)', '', {}],
    ['2147483647', '(first: 2147483647)', '', {}],
    ['101 in a variable', '(first: $n)', ', $n: Int!', { n: 101 }],
    ['0 by default', '(first: $n)', ', $n: Int = 0', {}],
  ])(
    'GQL-1: first: %s is BAD_USER_INPUT, before anything is written',
    async (_what, args, head, variables) => {
      const id = uniqueId('page');
      const reply = await refused({ query: make(args, head), variables: { id, ...variables } });
      expect(reply).toMatchObject({
        status: 400,
        data: null,
        errors: [{ message: 'first must be 1 to 100.', extensions: { code: 'BAD_USER_INPUT' } }],
      });
    },
  );

  test.each([1, 100])('GQL-1: first: %d is served', async (n) => {
    const reply = await send({
      query: make('(first: $n)', ', $n: Int!'),
      variables: { id: uniqueId('page'), n },
    });
    expect(reply).toMatchObject({ status: 200, errors: [] });
  });

  test('GQL-1: a null where an argument needs a value is BAD_USER_INPUT, before anything is written', async () => {
    const query = make('(first: $n)', ', $n: Int');
    const reply = await refused({ query, variables: { id: uniqueId('page'), n: null } });
    expect(reply).toMatchObject({
      status: 400,
      data: null,
      errors: [{ extensions: { code: 'BAD_USER_INPUT' } }],
    });
    expect(reply.errors[0]?.message).toBe(
      'An argument of tenants is null, or has a null in it, where a value is required.',
    );
  });
});

describe('GQL-1: the body', () => {
  const sized = (bytes: number) => {
    const body = '{"query":"{ __typename }"}';
    return body.replace('}"}', `}"${' '.repeat(bytes - body.length)}}`);
  };

  test('GQL-1: 100 KB are served, one byte more is TOO_LARGE', async () => {
    expect(await send(sized(limits.bodyBytesMax))).toMatchObject({
      status: 200,
      data: { __typename: 'Query' },
    });
    const reply = await send(sized(limits.bodyBytesMax + 1));
    expect(reply).toMatchObject({ status: 413, errors: [{ extensions: { code: 'TOO_LARGE' } }] });
    expect(reply.errors[0]?.message).toBe('The body is larger than 102400 bytes. Ask for less, or split it.');
  });

  test('GQL-1: a body without a length is counted while it arrives', async () => {
    const response = await fetch(`${server.url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: new Blob([sized(limits.bodyBytesMax + 1)]).stream(),
      duplex: 'half',
    } as RequestInit);
    expect(response.status).toBe(413);
  });
});

describe('GQL-1: introspection', () => {
  test('GQL-1: the standard query is within the limits', async () => {
    const query = getIntrospectionQuery({
      specifiedByUrl: true,
      directiveIsRepeatable: true,
      schemaDescription: true,
      inputValueDeprecation: true,
      oneOf: true,
    });
    expect(await send({ query })).toMatchObject({ status: 200, errors: [] });
  });

  test('GQL-1: lists of the schema nested in each other are refused', async () => {
    const query = `{ __schema { types { ${'fields { type { '.repeat(4)} name ${'} }'.repeat(4)} } } }`;
    expect(new Set(codesOf(await refused({ query })))).toEqual(new Set(['LIMIT_EXCEEDED']));
  });
});

describe('GQL-1: hostile documents cost little time', () => {
  const many = (n: number, one: string) => one.repeat(n);
  test.each<[string, string]>([
    [
      'the same field with fields, 450 times',
      `{ application(id: "a") { ${many(450, 'mfaPolicy { version } ')} } }`,
    ],
    ['the same field with an argument, 220 times', `{ ${many(220, 'tenant(id: "a") { id } ')} }`],
    [
      'twenty fragments of seventeen fields each, all beside each other',
      `{ ${times(20, (i) => `...F${i}`)} } ${times(20, (i) => `fragment F${i} on Query { ${many(17, 'viewer { subject } ')} }`)}`,
    ],
    ['one field, 1,900 times', `{ viewer { ${many(1_900, 'subject ')} } }`],
    ['640 aliases', `{ viewer { ${times(640, (i) => `a${i}: subject`)} } }`],
    [
      'a chain of 180 fragments',
      `{ viewer { ...F0 } } ${times(180, (i) => `fragment F${i} on Viewer { ...F${i + 1} subject }`)} fragment F180 on Viewer { subject }`,
    ],
    ['300 variables', `query (${times(300, (i) => `$v${i}: Int = 1`)}) { viewer { subject } }`],
    ['500 unknown fields', `{ ${times(500, (i) => `unknown${i}`)} }`],
    ['100 KB of brackets', many(100_000, '{')],
    ['a name of 100 KB', `{ ${many(100_000, 'a')} }`],
    ['a string of 100 KB', `{ tenant(id: "${many(100_000, 'a')}") { id } }`],
  ])('GQL-1: %s', async (_what, query) => {
    let best = Number.POSITIVE_INFINITY;
    for (let round = 0; round < 3; round += 1) {
      const reply = await send({ query });
      expect([200, 400]).toContain(reply.status);
      best = Math.min(best, reply.cpuMs);
    }
    expect(best).toBeLessThan(150);
  });
});
