import { request } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { startTestServer, type TestServer } from '../setup/harness.ts';

/* Tokens of development are for the console in a browser of the same machine, and for nobody else. */

let server: TestServer;
let withIssuer: TestServer;
beforeAll(async () => {
  server = await startTestServer({
    corsOrigins: ['http://friend.test'],
    consoleSignIn: {
      kind: 'development',
      roles: [{ name: 'admin', description: 'an administrator' }],
      mint: async (role) => (role === 'admin' ? 'a token' : null),
    },
  });
  withIssuer = await startTestServer({
    database: server.database,
    consoleSignIn: {
      kind: 'oidc',
      authority: 'https://idp.test',
      clientId: 'c',
      scope: 'openid',
      audience: 'a',
    },
  });
});
afterAll(async () => {
  await withIssuer.stop();
  await server.stop();
});

interface Answer {
  status: number;
  body: string;
}

/** fetch would not let the headers be set that browsers set. */
const send = (
  url: string,
  path: string,
  headers: Record<string, string> = {},
  body: string | null = null,
): Promise<Answer> =>
  new Promise((resolve, reject) => {
    const sent = request(`${url}${path}`, { method: body === null ? 'GET' : 'POST', headers }, (answer) => {
      const chunks: Buffer[] = [];
      answer.on('data', (chunk: Buffer) => chunks.push(chunk));
      answer.on('end', () =>
        resolve({ status: answer.statusCode ?? 0, body: Buffer.concat(chunks).toString() }),
      );
    });
    sent.on('error', reject);
    sent.end(body ?? undefined);
  });

const ask = (headers: Record<string, string>, body = '{"role":"admin"}') =>
  send(
    server.url,
    '/console/development-token',
    { 'content-type': 'application/json', origin: server.url, 'sec-fetch-site': 'same-origin', ...headers },
    body,
  );

describe('a token of development', () => {
  test('is given to the console for a role that there is', async () => {
    expect(await ask({})).toEqual({ status: 200, body: '{"token":"a token"}' });
    for (const body of ['{"role":"root"}', '{"role":"__proto__"}', '{}', 'null', '[]', '{"role":{"a":1}}'])
      expect((await ask({}, body)).status).toBe(400);
  });

  test.each<[string, Record<string, string>]>([
    ['another origin', { origin: 'http://evil.test' }],
    ['an origin that may call the API', { origin: 'http://friend.test' }],
    ['no origin', { origin: 'null' }],
    ['another site', { 'sec-fetch-site': 'cross-site' }],
    ['a foreign name that leads here', { host: 'evil.test', origin: 'http://evil.test' }],
    [
      'a name that looks like loopback',
      { host: '127.0.0.1.evil.test', origin: 'http://127.0.0.1.evil.test' },
    ],
    ['a proxy', { 'x-forwarded-for': '203.0.113.9' }],
    ['a tunnel', { forwarded: 'for=203.0.113.9' }],
  ])('is not given to %s', async (_whom, headers) => {
    const { status, body } = await ask(headers);
    expect({ status, code: JSON.parse(body).errors[0].extensions.code }).toEqual({
      status: 403,
      code: 'FORBIDDEN',
    });
  });

  test('can’t be asked for by a form, which needs nobody’s leave', async () => {
    for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data'])
      expect((await ask({ 'content-type': type })).status).toBe(415);
  });

  test('is not to be had where a real issuer is configured', async () => {
    expect((await send(withIssuer.url, '/console/development-token', {}, '{}')).status).not.toBe(200);
    const answer = await send(withIssuer.url, '/console/settings.json');
    expect(JSON.parse(answer.body)).toEqual({
      signIn: { kind: 'oidc', authority: 'https://idp.test', clientId: 'c', scope: 'openid', audience: 'a' },
    });
  });
});

test('the roles of development are listed on this machine only', async () => {
  expect(JSON.parse((await send(server.url, '/console/settings.json')).body).signIn.kind).toBe('development');
  const foreign = await send(server.url, '/console/settings.json', { host: 'cufflink.test' });
  expect(JSON.parse(foreign.body)).toEqual({ signIn: { kind: 'token' } });
});
