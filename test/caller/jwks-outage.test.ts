import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { startTestServer, type TestServer } from '../setup/harness.ts';
import { hang, hangUp, keySet, type Respond, stall, startKeyServer, text } from './key-server.ts';
import { parallel, type RemoteIssuer, startRemoteIssuer, within } from './remote-issuer.ts';
import { type IssuerKey, makeKey } from './tokens.ts';

/* JWT-2: the key server is away, slow or talks nonsense. */

let shared: TestServer;
let key: IssuerKey;
let stranger: IssuerKey;
beforeAll(async () => {
  shared = await startTestServer();
  [key, stranger] = await Promise.all([makeKey('ES256', 'key'), makeKey('ES256', 'stranger')]);
});
const stops: (() => Promise<void>)[] = [];
afterEach(async () => {
  await Promise.all(stops.splice(0).map((stop) => stop()));
});
afterAll(() => shared.stop());

async function start(respond: Respond = keySet(key.jwk)): Promise<RemoteIssuer> {
  const issuer = await startRemoteIssuer(shared.database, respond);
  stops.push(() => issuer.stop());
  return issuer;
}

describe('an outage', () => {
  test('JWT-2: leaves the keys for 10 minutes, then answers 503, and ends by itself', async () => {
    const { keyServer, clock, status } = await start();
    await status(key);
    keyServer.answer(hangUp);
    for (const seconds of [200, 200, 200]) {
      clock.advance(seconds);
      expect(await status(key)).toBe(200);
    }
    clock.advance(1);
    expect(await status(key)).toBe(503);
    expect(await status(stranger)).toBe(503);
    keyServer.answer(keySet(key.jwk));
    clock.advance(2);
    expect(await status(key)).toBe(200);
    expect(await status(stranger)).toBe(401);
  });

  test('JWT-2: leaves a token that was accepted no longer than the keys', async () => {
    const { keyServer, clock, tokenOf, statusOf } = await start();
    const token = await tokenOf(key);
    expect(await statusOf(token)).toBe(200);
    keyServer.answer(hangUp);
    clock.advance(600);
    expect(await statusOf(token)).toBe(200);
    clock.advance(1);
    expect(await statusOf(token)).toBe(503);
    keyServer.answer(keySet(key.jwk));
    clock.advance(2);
    expect(await statusOf(token)).toBe(200);
  });

  test('JWT-2: from the start answers 503, and ends by itself', async () => {
    const { keyServer, clock, status } = await start(hangUp);
    expect(await status(key)).toBe(503);
    keyServer.answer(keySet(key.jwk));
    clock.advance(2);
    expect(await status(key)).toBe(200);
  });

  test('JWT-2: does not keep calls without a bearer token from being answered', async () => {
    const { clock, anonymousStatus, status } = await start(hangUp);
    expect(await status(key)).toBe(503);
    clock.advance(700);
    expect(await anonymousStatus()).toBe(200);
  });

  test('JWT-2: is asked about once in 2 s at most, however many calls wait for keys', async () => {
    const { keyServer, clock, status } = await start(text('', 500));
    const hammer = async () => {
      expect(new Set(await parallel(50, () => status(key)))).toEqual(new Set([503]));
      await status(stranger);
    };
    await hammer();
    clock.advance(1.9);
    await hammer();
    expect(keyServer.asked).toHaveLength(1);
    clock.advance(0.1);
    await hammer();
    expect(keyServer.asked).toHaveLength(2);
  });

  test('JWT-2: is asked about once in 2 s at most while the keys still serve', async () => {
    const { keyServer, clock, status } = await start();
    await status(key);
    keyServer.answer(text('', 500));
    clock.advance(400);
    for (let call = 0; call < 30; call += 1) {
      expect(await status(key)).toBe(200);
      clock.advance(0.5);
    }
    // 15 s, the first of them in the background of the first call.
    expect(keyServer.asked.length - 1).toBeGreaterThan(1);
    expect(keyServer.asked.length - 1).toBeLessThanOrEqual(8);
  });
});

describe('a key server', () => {
  test.each([
    ['takes the call and never answers', hang],
    ['begins an answer and never ends it', stall],
  ])('JWT-2: that %s costs no call more than 3 s', async (_what, respond) => {
    const { keyServer, clock, status } = await start(respond);
    expect(
      await within(
        3_000,
        parallel(20, () => status(key)),
      ),
    ).toEqual(Array(20).fill(503));
    // Having waited once, the next calls know.
    expect(await within(1_000, status(key))).toBe(503);
    expect(keyServer.asked).toHaveLength(1);

    keyServer.answer(keySet(key.jwk));
    clock.advance(2);
    await status(key);
    keyServer.answer(respond);
    const unknown = within(3_000, status(stranger));
    expect(await within(1_000, status(key))).toBe(200);
    expect(await unknown).toBe(401);
  });

  test.each<[string, Respond]>([
    ['nothing', text('')],
    ['no JSON', text('<html>keys</html>')],
    ['null', text('null')],
    ['an empty object', text('{}')],
    ['a list', text('[]')],
    ['keys that are no list', text('{"keys":{}}')],
    ['keys that are no objects', text('{"keys":[1]}')],
    ['HTTP 500 with good keys', (response) => keySet(key.jwk)(Object.assign(response, { statusCode: 500 }))],
    ['HTTP 404', text('{}', 404)],
    ['HTTP 204', text('', 204)],
    ['a broken connection', hangUp],
  ])('JWT-2: that answers %s brings no keys and takes none away', async (_what, respond) => {
    const cold = await start(respond);
    expect(await cold.status(key)).toBe(503);

    const { keyServer, clock, status } = await start();
    await status(key);
    keyServer.answer(respond);
    expect(await status(stranger)).toBe(401);
    clock.advance(600);
    expect(await status(key)).toBe(200);
    clock.advance(1);
    expect(await status(key)).toBe(503);
  });

  test.each([301, 302, 303, 307, 308])('JWT-2: that redirects by %i is not followed', async (code) => {
    const elsewhere = await startKeyServer(keySet(stranger.jwk));
    stops.push(() => elsewhere.stop());
    const { status } = await start(text('', code, { location: `${elsewhere.url}/jwks` }));
    expect(await status(stranger)).toBe(503);
    expect(elsewhere.asked).toEqual([]);
  });

  test('JWT-2: that has no keys any more has revoked them all', async () => {
    const { keyServer, clock, status } = await start();
    await status(key);
    keyServer.answer(keySet());
    clock.advance(601);
    expect(await status(key)).toBe(401);
  });

  test('JWT-2: whose set holds unusable keys spoils only these', async () => {
    const rsa = await makeKey('RS256', 'rsa');
    const { status } = await start(
      keySet(
        { ...stranger.jwk, x: 'AA' },
        { kty: 'none', kid: 'odd' },
        { ...rsa.jwk, n: 'AQAB' },
        { kty: 'oct', k: 'c2VjcmV0', kid: 'oct' },
        key.jwk,
      ),
    );
    expect(await status(key)).toBe(200);
    expect(await status(stranger)).toBe(401);
    expect(await status(rsa)).toBe(401);
  });
});

describe('a clock set back', () => {
  test('JWT-2: does not prolong the life of the keys', async () => {
    const { keyServer, clock, status } = await start();
    await status(key);
    keyServer.answer(hangUp);
    clock.advance(540);
    expect(await status(key)).toBe(200);
    clock.advance(-3600);
    expect(await status(key)).toBe(503);
  });

  test('JWT-2: has the keys fetched anew, once', async () => {
    const { keyServer, clock, status } = await start();
    await status(key);
    clock.advance(-3600);
    expect(new Set(await parallel(20, () => status(key)))).toEqual(new Set([200]));
    expect(keyServer.asked).toHaveLength(2);
    clock.advance(299);
    await status(key);
    expect(keyServer.asked).toHaveLength(2);
  });
});
