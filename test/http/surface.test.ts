import { request } from 'node:http';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { bodyBytesMax } from '../../src/shared/limits.ts';
import { startTestServer, type TestServer, uniqueId } from '../setup/harness.ts';
import { codesOf, post, send } from './send.ts';

let server: TestServer;
let closed: TestServer;

beforeAll(async () => {
  server = await startTestServer();
  closed = await startTestServer({ corsOrigins: [] });
});
afterAll(() => Promise.all([server.stop(), closed.stop()]));

const query = '{ __typename }';

/** Bytes as they are, for what no client would send. */
const sendBytes = (url: string, bytes: string): Promise<string> =>
  new Promise((resolve, reject) => {
    const socket = connect(Number(new URL(url).port), '127.0.0.1', () => socket.write(bytes));
    let answer = '';
    socket.on('data', (data) => {
      answer += data;
    });
    socket.on('close', () => resolve(answer));
    socket.on('error', reject);
    socket.setTimeout(2_000, () => socket.destroy());
  });

describe('GQL-2: POST with JSON only', () => {
  test('GQL-2: JSON is served, with a charset or without', async () => {
    for (const type of ['application/json', 'application/json; charset=utf-8', 'Application/JSON']) {
      expect(await post(server, { query }, { 'content-type': type })).toMatchObject({
        status: 200,
        data: { __typename: 'Query' },
      });
    }
  });

  test.each(['GET', 'HEAD', 'PUT', 'PATCH', 'DELETE'])(
    'GQL-2: %s is refused and says what is allowed',
    async (method) => {
      const hasBody = !['GET', 'HEAD'].includes(method);
      const reply = await send(server, `/graphql?query=${encodeURIComponent(query)}`, {
        method,
        headers: {
          'apollo-require-preflight': 'yes',
          ...(hasBody && { 'content-type': 'application/json' }),
        },
        ...(hasBody && { body: JSON.stringify({ query }) }),
      });
      expect(reply.status).toBe(405);
      expect(reply.headers.get('allow')).toBe('POST');
      if (method !== 'HEAD') expect(codesOf(reply)).toEqual(['METHOD_NOT_ALLOWED']);
    },
  );

  test.each([
    ['a form', 'application/x-www-form-urlencoded', `query=${encodeURIComponent(query)}`],
    ['text', 'text/plain', JSON.stringify({ query })],
    ['a GraphQL document', 'application/graphql', query],
    [
      'a multipart form',
      'multipart/form-data; boundary=x',
      `--x\r\ncontent-disposition: form-data; name="operations"\r\n\r\n${JSON.stringify({ query })}\r\n--x--`,
    ],
    ['another kind of JSON', 'application/problem+json', JSON.stringify({ query })],
    ['no media type', 'nonsense', JSON.stringify({ query })],
  ])('GQL-2: %s is refused', async (_what, type, body) => {
    const reply = await post(server, body, { 'content-type': type, 'apollo-require-preflight': 'yes' });
    expect(reply).toMatchObject({
      status: 415,
      data: null,
      errors: [
        {
          message: 'Send the request as Content-Type: application/json.',
          extensions: { code: 'UNSUPPORTED_MEDIA_TYPE' },
        },
      ],
    });
  });

  test('GQL-2: a body without a type is refused', async () => {
    const { port } = new URL(server.url);
    const status = await new Promise((resolve) => {
      const call = request({ port, method: 'POST', path: '/graphql' }, (response) =>
        resolve(response.statusCode),
      );
      call.end(JSON.stringify({ query }));
    });
    expect(status).toBe(415);
  });

  test('GQL-2: the query string of a POST asks nothing', async () => {
    const reply = await send(server, `/graphql?query=${encodeURIComponent(query)}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"variables":{}}',
    });
    expect(reply).toMatchObject({ status: 400, data: null });
  });

  test.each([
    ['a batch', [{ query }, { query }]],
    ['a batch of one', [{ query }]],
    ['an empty batch', []],
    ['an empty object', {}],
    ['a query that is no text', { query: { kind: 'Document' } }],
    ['variables that are a list', { query, variables: [1] }],
    ['variables that are text', { query, variables: '{}' }],
    ['an operationName that is a number', { query, operationName: 1 }],
    ['no query', { variables: {} }],
    ['broken JSON', '{"query":'],
    ['text', '"{ __typename }"'],
    ['null', 'null'],
    ['no bytes', ''],
  ])('GQL-2: %s is BAD_REQUEST', async (_what, body) => {
    const reply = await post(server, body);
    expect(reply).toMatchObject({
      status: 400,
      data: null,
      errors: [{ extensions: { code: 'BAD_REQUEST' } }],
    });
    expect(reply.errors).toHaveLength(1);
  });

  test('GQL-2: persisted queries are refused in a way that clients understand', async () => {
    const extensions = { persistedQuery: { version: 1, sha256Hash: 'a'.repeat(64) } };
    expect(await post(server, { query, extensions })).toMatchObject({
      status: 400,
      errors: [{ extensions: { code: 'PERSISTED_QUERY_NOT_SUPPORTED' } }],
    });
  });

  test('GQL-2: what a foreign page can send without a preflight never reaches a resolver', async () => {
    const id = uniqueId('csrf');
    const body = JSON.stringify({
      query: `mutation { createApplication(input: { id: "${id}", displayName: "x" }) { __typename } }`,
    });
    const authorization = `Bearer ${await server.token()}`;
    for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data']) {
      const reply = await post(server, body, {
        'content-type': type,
        authorization,
        origin: 'https://evil.test',
      });
      expect(reply.status).toBe(415);
    }
    const admin = await server.caller();
    const { data } = await admin.call(`{ application(id: "${id}") { id } }`);
    expect(data).toEqual({ application: null });
  });
});

describe('GQL-5: every answer', () => {
  const answers: [string, () => Promise<{ status: number; headers: Headers }>, number][] = [
    ['data', () => post(server, { query }), 200],
    ['a syntax error', () => post(server, { query: '{' }), 400],
    ['UNAUTHENTICATED', () => post(server, { query: '{ viewer { subject } }' }), 401],
    ['a bad token', () => post(server, { query }, { authorization: 'Bearer x' }), 401],
    ['a body that is too large', () => post(server, { query: ' '.repeat(bodyBytesMax) }), 413],
    ['a wrong media type', () => post(server, '', { 'content-type': 'text/plain' }), 415],
    ['a wrong method', () => send(server, '/graphql'), 405],
    ['nothing there', () => send(server, '/nothing'), 404],
    ['a broken address', () => send(server, '/%c0'), 404],
    ['live', () => send(server, '/health/live'), 200],
    ['ready', () => send(server, '/health/ready'), 200],
    ['metrics', () => send(server, '/metrics'), 200],
  ];

  test.each(answers)(
    'GQL-5: %s carries no-store, nosniff, a charset and a strict policy, and no cookie',
    async (_what, ask, status) => {
      const reply = await ask();
      expect(reply.status).toBe(status);
      expect(Object.fromEntries(reply.headers)).toMatchObject({
        'cache-control': 'no-store',
        'x-content-type-options': 'nosniff',
        'content-security-policy': "default-src 'none';frame-ancestors 'none'",
        'content-type': expect.stringMatching(/; ?charset=utf-8/),
      });
      expect(reply.headers.get('set-cookie')).toBeNull();
      expect(reply.headers.get('x-powered-by')).toBeNull();
      expect(reply.headers.get('server')).toBeNull();
    },
  );

  test.each([
    ['bytes that are no HTTP', 'nonsense\r\n\r\n', '400 Bad Request'],
    ['headers that are too large', `GET / HTTP/1.1\r\nhost: x\r\nx: ${'x'.repeat(20_000)}\r\n\r\n`, '431 '],
  ])('GQL-5: %s are answered likewise', async (_what, bytes, status) => {
    const answer = await sendBytes(server.url, bytes);
    expect(answer).toContain(`HTTP/1.1 ${status}`);
    expect(answer).toContain('cache-control: no-store');
    expect(answer).toContain('x-content-type-options: nosniff');
    expect(answer).toContain('charset=utf-8');
    expect(answer).not.toContain('nonsense');
  });
});

describe('GQL-2: other origins', () => {
  const preflight = (at: TestServer, origin: string) =>
    send(at, '/graphql', {
      method: 'OPTIONS',
      headers: {
        origin,
        'access-control-request-method': 'POST',
        'access-control-request-headers': 'authorization,content-type',
      },
    });

  test('GQL-2: a configured origin may call, without credentials', async () => {
    const asked = await preflight(server, 'https://app.test');
    expect(asked.status).toBe(204);
    expect(Object.fromEntries(asked.headers)).toMatchObject({
      'access-control-allow-origin': 'https://app.test',
      'access-control-allow-methods': 'POST',
      vary: expect.stringMatching(/Origin/i),
    });
    const called = await post(server, { query }, { origin: 'https://app.test' });
    expect(called.headers.get('access-control-allow-origin')).toBe('https://app.test');
    for (const { headers } of [asked, called]) {
      expect(headers.get('access-control-allow-credentials')).toBeNull();
    }
  });

  test.each([
    'https://evil.test',
    'https://app.test.evil.test',
    'http://app.test',
    'null',
    'https://APP.test',
  ])('GQL-2: the origin %s may not', async (origin) => {
    for (const at of [server, closed]) {
      for (const { headers } of [await preflight(at, origin), await post(at, { query }, { origin })]) {
        expect(headers.get('access-control-allow-origin')).toBeNull();
        expect(headers.get('access-control-allow-credentials')).toBeNull();
      }
    }
  });

  test('GQL-2: without configured origins none may', async () => {
    expect(
      (await preflight(closed, 'https://app.test')).headers.get('access-control-allow-origin'),
    ).toBeNull();
  });
});

describe('the status of an answer', () => {
  test('UNAUTHENTICATED is 401 and says how to authenticate, whoever notices', async () => {
    for (const headers of [undefined, { authorization: 'Bearer x' }, { authorization: 'Basic eDp4' }]) {
      const reply = await post(server, { query: '{ viewer { subject } }' }, headers);
      expect(reply.status).toBe(401);
      expect(codesOf(reply)).toEqual(['UNAUTHENTICATED']);
      expect(reply.headers.get('www-authenticate')).toBe('Bearer');
    }
  });

  test('FORBIDDEN is 200 and leaves the other fields standing', async () => {
    const caller = await server.caller({ scopes: [] });
    const answer = await caller.call('{ viewer { subject } application(id: "x") { id } }');
    expect(answer).toMatchObject({
      status: 200,
      data: { viewer: { subject: 'tester' }, application: null },
      errors: [{ path: ['application'], extensions: { code: 'FORBIDDEN' } }],
    });
  });

  test.each([
    ['GRAPHQL_PARSE_FAILED', { query: '{' }],
    ['GRAPHQL_VALIDATION_FAILED', { query: '{ nothing }' }],
    ['BAD_USER_INPUT', { query: 'query ($id: ID!) { tenant(id: $id) { id } }' }],
    ['OPERATION_RESOLUTION_FAILURE', { query: 'query A { __typename } query B { __typename }' }],
    ['OPERATION_RESOLUTION_FAILURE', { query: 'query A { __typename }', operationName: 'B' }],
  ])('%s is 400', async (code, body) => {
    const reply = await post(server, body);
    expect(reply).toMatchObject({ status: 400, data: null });
    expect(codesOf(reply)).toEqual([code]);
  });
});
