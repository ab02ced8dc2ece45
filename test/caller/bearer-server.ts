import { KeyObject } from 'node:crypto';
import { expect } from '@jest/globals';
import { type BearerSettings, createAuthenticate } from '../../src/caller/bearer.ts';
import { localKeys } from '../../src/caller/jwks.ts';
import { WhoAmIDocument, type WhoAmIQuery } from '../generated/documents.ts';
import { type Answer, callGraphQl, startTestServer, TestClock, type TestServer } from '../setup/harness.ts';
import { bearerSettings, es256, goodClaims, handMade, type IssuerKey, makeKey } from './tokens.ts';

/** A server with a clock that stands still and keys of several kinds, each named by its algorithm. */
export interface BearerServer {
  server: TestServer;
  clock: TestClock;
  keyOf(alg: string): IssuerKey;
  /** A token of the issuer, with claims written over the good ones; undefined leaves one out. */
  tokenWith(claims: Record<string, unknown>, header?: object): string;
  /** Signs with the issuer's ES256 key. */
  sign(data: Buffer): Buffer;
  whoAmI(token: string): Promise<Answer<WhoAmIQuery>>;
  expectAccepted(token: string): Promise<void>;
  expectRefused(token: string): Promise<void>;
}

export async function startBearerServer(
  algorithms: readonly string[] = ['ES256'],
  settings: BearerSettings = bearerSettings,
): Promise<BearerServer> {
  const keys = new Map<string, IssuerKey>();
  for (const alg of algorithms) keys.set(alg, await makeKey(alg));
  const clock = new TestClock();
  clock.fix(new Date('2026-03-01T12:00:00.000Z'));
  const published = localKeys({ keys: [...keys.values()].map(({ jwk }) => jwk) });
  const server = await startTestServer({
    authenticate: createAuthenticate(settings, published, clock),
    clock,
  });
  const keyOf = (alg: string) => {
    const key = keys.get(alg);
    if (key === undefined) throw new Error(`There is no key for ${alg}.`);
    return key;
  };
  const sign = es256(KeyObject.from(keyOf('ES256').privateKey));
  const whoAmI = (token: string) => callGraphQl(server.url, token, WhoAmIDocument);
  return {
    server,
    clock,
    keyOf,
    tokenWith: (claims, header = {}) =>
      handMade({ alg: 'ES256', kid: 'ES256', ...header }, { ...goodClaims(clock), ...claims }, sign),
    sign,
    whoAmI,
    async expectAccepted(token) {
      const { status, errors, data } = await whoAmI(token);
      expect({ status, errors }).toEqual({ status: 200, errors: [] });
      expect(data.viewer.subject).toBe('tester');
    },
    async expectRefused(token) {
      expectUnauthenticated(await whoAmI(token));
    },
  };
}

/** One answer for every bad token: it must not say what was wrong. */
export function expectUnauthenticated({ status, headers, data, errors }: Answer<unknown>): void {
  expect({ status, challenge: headers.get('www-authenticate'), data, errors }).toEqual({
    status: 401,
    challenge: 'Bearer',
    data: null,
    errors: [
      {
        message: 'A valid bearer token is required: Authorization: Bearer <JWT of the configured issuer>.',
        extensions: { code: 'UNAUTHENTICATED' },
      },
    ],
  });
}
