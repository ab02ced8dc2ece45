import { expect } from '@jest/globals';
import { createAuthenticate } from '../../src/caller/bearer.ts';
import { remoteKeys } from '../../src/caller/jwks.ts';
import type { Database } from '../../src/db/connection.ts';
import { callGraphQl, startTestServer, TestClock } from '../setup/harness.ts';
import { type KeyServer, type Respond, startKeyServer } from './key-server.ts';
import { bearerSettings, goodClaims, type IssuerKey, signed } from './tokens.ts';

/** A server that fetches its keys from a key server, by a clock that only moves when told to. */
export interface RemoteIssuer {
  /** Of the server. */
  url: string;
  keyServer: KeyServer;
  clock: TestClock;
  /** The HTTP status of a call with a fresh token of this key. */
  status(key: IssuerKey): Promise<number>;
  /** The HTTP status of a call with this token. */
  statusOf(token: string): Promise<number>;
  tokenOf(key: IssuerKey): Promise<string>;
  /** The HTTP status of a call without a token. */
  anonymousStatus(): Promise<number>;
  stop(): Promise<void>;
}

export async function startRemoteIssuer(database: Database, respond: Respond): Promise<RemoteIssuer> {
  const keyServer = await startKeyServer(respond);
  const clock = new TestClock();
  clock.fix(new Date('2026-03-01T12:00:00.000Z'));
  const keys = remoteKeys(`${keyServer.url}/jwks`, clock);
  const server = await startTestServer({
    database,
    authenticate: createAuthenticate(bearerSettings, keys, clock),
    clock,
  });
  const tokenOf = async (key: IssuerKey) => signed(key, goodClaims(clock));
  const issuer: RemoteIssuer = {
    url: server.url,
    keyServer,
    clock,
    tokenOf,
    status: async (key) => issuer.statusOf(await tokenOf(key)),
    async statusOf(token) {
      const { status, errors } = await callGraphQl(server.url, token, '{ __typename }');
      const code = { 200: undefined, 401: 'UNAUTHENTICATED', 503: 'UNAVAILABLE' }[status];
      expect({ status, code: errors[0]?.extensions?.['code'] }).toEqual({ status, code });
      return status;
    },
    anonymousStatus: async () => (await callGraphQl(server.url, null, '{ __typename }')).status,
    async stop() {
      await server.stop();
      await keyServer.stop();
    },
  };
  return issuer;
}

export const parallel = <T>(count: number, call: (n: number) => Promise<T>): Promise<T[]> =>
  Promise.all(Array.from({ length: count }, (_, n) => call(n)));

export async function within<T>(milliseconds: number, work: Promise<T>): Promise<T> {
  const startedAt = performance.now();
  const result = await work;
  expect(performance.now() - startedAt).toBeLessThan(milliseconds);
  return result;
}
