import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { startTestServer, type TestServer } from '../setup/harness.ts';
import { hang, hangUp, keySet, type Respond, text } from './key-server.ts';
import { parallel, type RemoteIssuer, startRemoteIssuer, within } from './remote-issuer.ts';
import { type IssuerKey, makeKey } from './tokens.ts';

/* JWT-2: keys from a real key server over HTTP, by a clock that only moves when told to. */

let shared: TestServer;
let first: IssuerKey;
let second: IssuerKey;
let stranger: IssuerKey;
beforeAll(async () => {
  shared = await startTestServer();
  [first, second, stranger] = await Promise.all([
    makeKey('ES256', 'first'),
    makeKey('ES256', 'second'),
    makeKey('ES256', 'stranger'),
  ]);
});
const stops: (() => Promise<void>)[] = [];
afterEach(async () => {
  await Promise.all(stops.splice(0).map((stop) => stop()));
});
afterAll(() => shared.stop());

async function start(respond: Respond): Promise<RemoteIssuer> {
  const issuer = await startRemoteIssuer(shared.database, respond);
  stops.push(() => issuer.stop());
  return issuer;
}

/** Waits for a fetch in the background: it shows in what the key server was asked. */
async function until(condition: () => boolean): Promise<void> {
  for (let waited = 0; !condition() && waited < 2_000; waited += 10) await sleep(10);
  expect(condition()).toBe(true);
}

const sleep = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

describe('rotation', () => {
  test('JWT-2: a new key is accepted as soon as it is used, after one fetch', async () => {
    const { keyServer, status } = await start(keySet(first.jwk));
    expect(await status(first)).toBe(200);
    keyServer.answer(keySet(first.jwk, second.jwk));
    expect(await status(second)).toBe(200);
    expect(await status(first)).toBe(200);
    expect(keyServer.asked).toEqual(['/jwks', '/jwks']);
  });

  test('JWT-2: of 50 first users of a new key none is refused, after one fetch', async () => {
    const { keyServer, status } = await start(keySet(first.jwk));
    await status(first);
    keyServer.answer(keySet(second.jwk));
    expect(new Set(await parallel(50, () => status(second)))).toEqual(new Set([200]));
    expect(keyServer.asked).toHaveLength(2);
  });

  test('JWT-2: a retired key is refused once the keys were renewed', async () => {
    const { keyServer, clock, status } = await start(keySet(first.jwk, second.jwk));
    await status(first);
    keyServer.answer(keySet(second.jwk));
    clock.advance(301);
    await status(second);
    await until(() => keyServer.asked.length === 2);
    await sleep(50);
    expect(await status(first)).toBe(401);
    expect(await status(second)).toBe(200);
  });

  test.each<[string, () => IssuerKey[]]>([
    ['retired', () => [second]],
    ['replaced under its own id', () => [second, { ...stranger, jwk: { ...stranger.jwk, kid: 'first' } }]],
  ])('JWT-2: a token that was accepted is refused once its key was %s', async (_what, keys) => {
    const { keyServer, clock, tokenOf, statusOf, status } = await start(keySet(first.jwk, second.jwk));
    const token = await tokenOf(first);
    expect([await statusOf(token), await statusOf(token)]).toEqual([200, 200]);
    keyServer.answer(keySet(...keys().map(({ jwk }) => jwk)));
    clock.advance(301);
    await status(second);
    await until(() => keyServer.asked.length === 2);
    await sleep(50);
    expect(await statusOf(token)).toBe(401);
  });

  test('JWT-2: past 5 minutes the keys are renewed in the background, calls do not wait', async () => {
    const { keyServer, clock, status } = await start(keySet(first.jwk));
    await status(first);
    clock.advance(300);
    await status(first);
    expect(keyServer.asked).toHaveLength(1);
    keyServer.answer(hang);
    clock.advance(1);
    expect(await within(1_000, status(first))).toBe(200);
    expect(await within(1_000, status(first))).toBe(200);
    await until(() => keyServer.asked.length === 2);
  });

  test('JWT-2: each renewal gives the keys another 10 minutes', async () => {
    const { keyServer, clock, status } = await start(keySet(first.jwk));
    await status(first);
    clock.advance(400);
    await status(first);
    await until(() => keyServer.asked.length === 2);
    await sleep(50);
    keyServer.answer(text('', 500));
    clock.advance(600);
    expect(await status(first)).toBe(200);
  });
});

describe('unknown key ids', () => {
  const strangers = () =>
    Promise.all(Array.from({ length: 200 }, (_, n) => ({ ...stranger, kid: `unknown-${n}` })));

  test('JWT-2: 200 at once cause one fetch in 30 s, and are refused', async () => {
    const { keyServer, clock, status } = await start(keySet(first.jwk));
    await status(first);
    const keys = await strangers();
    const hammer = () => parallel(200, (n) => status(keys[n] ?? stranger));
    expect(new Set(await hammer())).toEqual(new Set([401]));
    expect(keyServer.asked).toHaveLength(2);
    clock.advance(29.9);
    await hammer();
    expect(keyServer.asked).toHaveLength(2);
    clock.advance(0.1);
    await hammer();
    expect(keyServer.asked).toHaveLength(3);
    expect(await status(first)).toBe(200);
  });

  test('JWT-2: the first call of all may bring one: it causes one fetch, too', async () => {
    const { keyServer, clock, status } = await start(keySet(first.jwk));
    expect(new Set(await parallel(20, () => status(stranger)))).toEqual(new Set([401]));
    clock.advance(29.9);
    expect(await status(stranger)).toBe(401);
    expect(keyServer.asked).toHaveLength(1);
  });

  test('JWT-2: during an outage are refused and break nothing for the known keys', async () => {
    const { keyServer, clock, status } = await start(keySet(first.jwk));
    await status(first);
    keyServer.answer(hangUp);
    for (let round = 0; round < 5; round += 1) {
      const before = keyServer.asked.length;
      const statuses = await parallel(40, (n) => status(n % 2 ? first : stranger));
      expect(statuses).toEqual(statuses.map((_, n) => (n % 2 ? 200 : 401)));
      expect(keyServer.asked.length - before).toBeLessThanOrEqual(1);
      clock.advance(31);
    }
    keyServer.answer(keySet(first.jwk, stranger.jwk));
    expect(await status(stranger)).toBe(200);
  });

  test('JWT-2: without any key id, a token is checked with the one key that fits its algorithm', async () => {
    const { status } = await start(keySet(first.jwk, (await makeKey('EdDSA')).jwk));
    const nameless = (key: IssuerKey) => status({ ...key, kid: undefined });
    expect(await nameless(first)).toBe(200);
    expect(await nameless(second)).toBe(401);
  });
});
