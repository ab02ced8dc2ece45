import { randomBytes } from 'node:crypto';
import { request } from 'node:http';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import type { PoolClient } from 'pg';
import { databaseSchema } from '../../src/database-schema.ts';
import { type Database, openDatabase } from '../../src/db/connection.ts';
import { KeyRing } from '../../src/shared/key-ring.ts';
import { answerMsMax } from '../../src/shared/limits.ts';
import { newMfaToken } from '../../src/signin/token.ts';
import { untilTrue } from '../process/servers.ts';
import {
  databaseUrl,
  encryptionKeys,
  startTestServer,
  type TestCaller,
  type TestServer,
  uniqueId,
} from '../setup/harness.ts';
import { codesOf, post, type Reply, send } from './send.ts';

const callsRunningMax = 2;
const callsWaitingMax = 20;
const query = '{ tenant(id: "x") { id } }';

let database: Database;
let server: TestServer;

beforeAll(async () => {
  database = await openDatabase({
    url: databaseUrl(),
    schema: databaseSchema,
    poolConnectionsMax: 1,
    unlimited: true,
  });
  server = await startTestServer({
    database,
    policySnapshot: false,
    callsRunningMax,
    callsWaitingMax,
    // What waits here does so until the test has seen it.
    callsWaitMsMax: answerMsMax,
  });
});
afterAll(async () => {
  await server.stop();
  await database.close();
});

/** A caller of a tenant of its own; that there is none such does not matter to a read. */
const tenantsCaller = (): Promise<TestCaller> =>
  server.caller({ applicationId: uniqueId('app'), tenantId: uniqueId('tenant') });

const metric = async (line: string, of: TestServer = server): Promise<number> => {
  const { text } = await send(of, '/metrics');
  const found = text.split('\n').find((each) => each.startsWith(`${line} `));
  return Number(found?.slice(line.length + 1));
};
const running = () => metric('cufflink_requests_in_progress{state="running"}');
const waiting = () => metric('cufflink_requests_in_progress{state="waiting"}');

describe('REL-6: while every call waits for the database', () => {
  let busy: PoolClient;
  beforeEach(async () => {
    busy = await database.pool.connect();
  });
  afterEach(async () => {
    await untilTrue(async () => (await waiting()) === 0);
  });

  test('REL-6: a noisy tenant waits for itself: the call of another, which came last, is among the first that are answered', async () => {
    const [noisy, quiet] = await Promise.all([tenantsCaller(), tenantsCaller()]);
    const answered: string[] = [];
    const ask = async (caller: TestCaller, name: string) => {
      const { status } = await caller.call(query);
      answered.push(`${name} ${status}`);
    };
    const noise = Array.from({ length: callsRunningMax + callsWaitingMax }, () => ask(noisy, 'noisy'));
    await untilTrue(async () => (await waiting()) === callsWaitingMax);
    const last = ask(quiet, 'quiet');
    await untilTrue(async () => (await waiting()) === callsWaitingMax + 1);
    busy.release();
    await Promise.all([...noise, last]);
    expect(answered).toHaveLength(callsRunningMax + callsWaitingMax + 1);
    expect(answered.slice(0, 2 * callsRunningMax + 1)).toContain('quiet 200');
    expect(new Set(answered)).toEqual(new Set(['noisy 200', 'quiet 200']));
  });

  test('REL-6: of a tenant that has too many waiting the rest is shed, with 503 and Retry-After, and health stays true', async () => {
    const [noisy, quiet] = await Promise.all([tenantsCaller(), tenantsCaller()]);
    const before = await metric('cufflink_requests_shed_total{reason="queue_full"}');
    const noise = Array.from({ length: callsRunningMax + callsWaitingMax }, () => noisy.call(query));
    await untilTrue(async () => (await waiting()) === callsWaitingMax);
    const shed = await noisy.call(query);
    expect(shed).toMatchObject({ status: 503, data: null });
    expect(codesOf(shed)).toEqual(['UNAVAILABLE']);
    expect(shed.headers.get('retry-after')).toBe('2');
    const others = [quiet.call(query), server.callerWith(null).call('{ __typename }')];
    for (const path of ['/health/live', '/health/ready', '/.well-known/jwks.json']) {
      expect((await send(server, path)).status).toBe(200);
    }
    busy.release();
    for (const { status } of await Promise.all([...noise, ...others])) expect(status).toBe(200);
    expect(await metric('cufflink_requests_shed_total{reason="queue_full"}')).toBe(before + 1);
    expect(server.logs()).toMatch(/20 calls of \[[^\]]*tenant-[^\]]*\] wait already/);
  });

  describe('the MFA step', () => {
    const startMfa = `mutation ($input: StartMfaInput!) { startMfa(input: $input) { __typename } }`;
    const verify = `mutation ($input: VerifyTotpAuthFactorChallengeInput!) {
      verifyTotpAuthFactorChallenge(input: $input) { __typename } }`;

    /** Sends noise until as many wait as may, then a call of somebody else; tells in which order all were answered. */
    async function besideNoise(noise: () => Promise<Reply>, other: () => Promise<Reply>): Promise<string[]> {
      const answered: string[] = [];
      const note = async (name: string, call: Promise<{ status: number }>) => {
        answered.push(`${name} ${(await call).status}`);
      };
      const calls = Array.from({ length: callsRunningMax + callsWaitingMax }, () => note('noise', noise()));
      await untilTrue(async () => (await waiting()) === callsWaitingMax);
      const before = await metric('cufflink_requests_shed_total{reason="queue_full"}');
      const last = note('other', other());
      await untilTrue(
        async () =>
          (await waiting()) === callsWaitingMax + 1 ||
          (await metric('cufflink_requests_shed_total{reason="queue_full"}')) > before,
      );
      busy.release();
      await Promise.all([...calls, last]);
      return answered;
    }

    test('REL-6: a storm of sign-ins to one tenant does not keep those to another of its application out', async () => {
      const applicationId = uniqueId('app');
      const headers = {
        authorization: `Bearer ${await server.token({ applicationId, scopes: ['mfa-workflow:execute'] })}`,
      };
      const user = { userId: 'user', accountName: 'user', trigger: 'LOGIN' };
      const start = (tenantId: string) => () =>
        post(server, { query: startMfa, variables: { input: { tenantId, ...user } } }, headers);
      const answered = await besideNoise(start(uniqueId('noisy')), start(uniqueId('quiet')));
      // It is no boundary of its own, so the last of the noise made room.
      expect(answered.filter((each) => each === 'noise 503')).toHaveLength(1);
      const served = answered.filter((each) => each !== 'noise 503');
      expect(served.slice(0, 2 * callsRunningMax + 1)).toContain('other 200');
    });

    test('REL-6: a storm of made-up MFA tokens does not keep one out that was issued', async () => {
      const keyRing = new KeyRing(encryptionKeys);
      const call = (mfaToken: string) => () =>
        post(server, { query: verify, variables: { input: { mfaToken, code: '123456' } } });
      const issued = newMfaToken('some-tenant', keyRing).text;
      const stranger = new KeyRing([{ id: 'test', key: randomBytes(32) }]);
      const answered = await besideNoise(call(newMfaToken('some-tenant', stranger).text), call(issued));
      expect(answered.filter((each) => each.endsWith('503'))).toEqual([]);
      expect(answered.slice(0, 2 * callsRunningMax + 1)).toContain('other 200');
    });

    test('REL-6: nor does a storm with one token that was issued keep out another of its tenant', async () => {
      const keyRing = new KeyRing(encryptionKeys);
      const call = (mfaToken: string) => () =>
        post(server, { query: verify, variables: { input: { mfaToken, code: '123456' } } });
      const [noisy, quiet] = [newMfaToken('some-tenant', keyRing), newMfaToken('some-tenant', keyRing)];
      const answered = await besideNoise(call(noisy.text), call(quiet.text));
      expect(answered.filter((each) => each === 'noise 503')).toHaveLength(1);
      expect(answered).toContain('other 200');
      expect(server.logs()).toContain('20 calls of steps of some-tenant wait already');
    });
  });

  test('REL-6: who goes away, while waiting or being served, leaves no place taken', async () => {
    const { token } = await tenantsCaller();
    const gone = new AbortController();
    const call = () =>
      fetch(`${server.url}/graphql`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
        body: JSON.stringify({ query }),
        signal: gone.signal,
      });
    const calls = Promise.allSettled(Array.from({ length: callsRunningMax + 1 }, call));
    await untilTrue(async () => (await waiting()) === 1);
    gone.abort();
    expect((await calls).map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected']);
    await untilTrue(async () => (await waiting()) === 0);
    expect(await running()).toBe(callsRunningMax);
    busy.release();
    await untilTrue(async () => (await running()) === 0);
  });
});

test('REL-6: a call that was answered late has its turn until its work ends, and who waits for it is refused in half of the time', async () => {
  const busy = await database.pool.connect();
  let isHeld = true;
  const release = () => {
    if (isHeld) busy.release();
    isHeld = false;
  };
  const slow = await startTestServer({
    database,
    policySnapshot: false,
    callsRunningMax: 1,
    callsWaitingMax,
    answerMsMax: 600,
    callsWaitMsMax: 300,
  });
  try {
    const inProgress = (state: string) => metric(`cufflink_requests_in_progress{state="${state}"}`, slow);
    const caller = await slow.caller({ applicationId: uniqueId('app'), tenantId: uniqueId('tenant') });
    expect((await caller.call(query)).status).toBe(503);
    expect(await inProgress('running')).toBe(1);
    expect((await caller.call(query)).status).toBe(503);
    expect(slow.logs()).toContain('no turn within 300 ms');
    expect([await inProgress('running'), await inProgress('waiting')]).toEqual([1, 0]);
    expect(database.pool.waitingCount).toBe(1);
    release();
    await untilTrue(async () => (await inProgress('running')) === 0);
    expect((await caller.call(query)).status).toBe(200);
  } finally {
    release();
    await slow.stop();
  }
});

test('REL-6: bodies that come slowly keep nobody waiting', async () => {
  const slow = Array.from({ length: 2 * callsRunningMax }, () => {
    const sending = request(`${server.url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'content-length': '100' },
    });
    sending.on('error', () => {});
    sending.write('{');
    return sending;
  });
  expect((await post(server, { query: '{ __typename }' })).status).toBe(200);
  for (const sending of slow) sending.destroy();
});

test('what a proxy, or anybody, says of a client is not believed', async () => {
  const forwarded = { 'x-forwarded-for': '203.0.113.9', forwarded: 'for=203.0.113.9' };
  expect((await post(server, { query: '{ __typename }' }, forwarded)).status).toBe(200);
  expect(server.logs()).toContain('"ip":"127.0.0.1"');
  expect(server.logs()).not.toContain('203.0.113.9');
});
