import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { createAuthenticate } from '../../src/caller/bearer.ts';
import { localKeys, remoteKeys } from '../../src/caller/jwks.ts';
import { callGraphQl, startTestServer, TestClock, type TestServer } from '../setup/harness.ts';
import { startKeyServer, text } from './key-server.ts';
import { bearerSettings, goodClaims, type IssuerKey, makeKey, secondsOf, signed } from './tokens.ts';

/* What operators are told of tokens that are refused, and callers are not. */

const clock = new TestClock();
clock.fix(new Date('2026-03-01T12:00:00.000Z'));
let server: TestServer;
let key: IssuerKey;
beforeAll(async () => {
  key = await makeKey('ES256', 'key');
  server = await startTestServer({
    authenticate: createAuthenticate(bearerSettings, localKeys({ keys: [key.jwk] }), clock),
    clock,
    logLevel: 'debug',
  });
});
afterAll(() => server.stop());

/** Calls, and gives back what was logged of the refusal. */
async function reasonsOf(token: string | null, at: TestServer = server): Promise<unknown[]> {
  const before = at.logs().length;
  const { status } = await callGraphQl(at.url, token, '{ viewer { subject } }');
  expect(status).toBe(401);
  const logged = at.logs().slice(before);
  if (token !== null && token.length > 20) expect(logged).not.toContain(token.split('.')[1]);
  const lines = logged
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  return lines.filter(({ msg }) => msg === 'unauthenticated').map(({ reason }) => reason);
}

const now = secondsOf(clock);

test.each<[string, Record<string, unknown>]>([
  ['wrong audience', { aud: 'other' }],
  ['wrong issuer', { iss: 'https://other.test' }],
  ['expired', { exp: now - 100 }],
  ['too old', { iat: now - 100_000 }],
  ['not yet valid', { nbf: now + 1_000 }],
  ['missing claim', { sub: undefined }],
  ['bad claim', { scope: 1 }],
])('LOG_LEVEL=debug tells of a token: %s', async (reason, claims) => {
  expect(await reasonsOf(await signed(key, { ...goodClaims(clock), ...claims }))).toEqual([reason]);
});

test('LOG_LEVEL=debug tells unknown keys, bad signatures, what is no token, and that there is none', async () => {
  const [stranger, impostor] = [await makeKey('ES256', 'stranger'), await makeKey('ES256', 'key')];
  expect(await reasonsOf(await signed(stranger, goodClaims(clock)))).toEqual(['unknown key']);
  expect(await reasonsOf(await signed(impostor, goodClaims(clock)))).toEqual(['bad signature']);
  expect(await reasonsOf('nonsense')).toEqual(['malformed']);
  expect(await reasonsOf(null)).toEqual(['no token']);
});

describe('a key server that gives no keys is named with the cause', () => {
  const told = async (url: string) => {
    const remote = await startTestServer({
      database: server.database,
      authenticate: createAuthenticate(bearerSettings, remoteKeys(url, clock), clock),
      clock,
    });
    try {
      await callGraphQl(remote.url, await signed(key, goodClaims(clock)), '{ __typename }');
      return /The key server [^"]*/.exec(remote.logs())?.[0];
    } finally {
      await remote.stop();
    }
  };

  test('a connection that is refused, without the query string', async () => {
    const line = await told('http://127.0.0.1:1/jwks?secret=hidden');
    expect(line).toMatch(/^The key server 127\.0\.0\.1:1 gives no keys: .*(ECONNREFUSED|bad port)/);
    expect(line).not.toMatch(/hidden|jwks/);
  });

  test('a network error by its code, and an address with a password without it', async () => {
    expect(await told('http://localhost:9/jwks')).toMatch(/ECONNREFUSED|bad port/);
    expect(await told('http://127.0.0.1:64999/jwks?a=b')).toContain('ECONNREFUSED');
    const line = await told('https://someone:hidden@127.0.0.1:64999/jwks');
    expect(line).toMatch(/^The key server 127\.0\.0\.1:64999 gives no keys: \w+/);
    expect(line).not.toContain('hidden');
  });

  test('an answer that is none, without repeating it', async () => {
    const keyServer = await startKeyServer(text('<html>private</html>'));
    const line = await told(`${keyServer.url}/jwks`);
    await keyServer.stop();
    expect(line).toMatch(/its answer is no JSON/);
    expect(line).not.toContain('private');
  });
});
