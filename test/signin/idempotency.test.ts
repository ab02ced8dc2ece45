import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { RemoveTenantDocument } from '../generated/documents.ts';
import { startTestServer, type TestServer, uniqueId } from '../setup/harness.ts';
import { codeAt } from '../setup/totp.ts';
import { introspect, openConnections, renewed, setPolicy, stepOf } from './step-tools.ts';
import { beginTotp, finishEnrollment, type SignInWorld, signInWorld, start, verify } from './user-agent.ts';

let server: TestServer;
let world: SignInWorld;
beforeAll(async () => {
  server = await startTestServer();
  world = await signInWorld(server);
});
afterAll(() => server.stop());

/** A decision that has a token. */
async function decided(own: SignInWorld, userId: string, idempotencyKey: string) {
  const decision = await start(own, userId, { idempotencyKey });
  if (decision.__typename !== 'MfaDecision' || decision.mfaToken === null) {
    throw new Error(`No token: ${JSON.stringify(decision)}`);
  }
  const { mfaToken, pageUrl, ...rest } = decision;
  return { mfaToken, pageUrl, rest };
}

const count = async (table: string, condition: string, ...values: string[]): Promise<number> => {
  const { rows } = await server.database.pool.query<{ n: number }>(
    `select count(*)::int as n from ${table} where ${condition}`,
    values,
  );
  return rows[0]?.n ?? 0;
};
const steps = (userId: string) => count('mfa_steps', 'user_id = $1', userId);
const starts = (userId: string) =>
  count('audit_events', `user_id = $1 and action = 'mfa_step.started'`, userId);

describe('startMfa with an idempotency key', () => {
  test('repeated, it answers the same decision with a new token, and the first token dies', async () => {
    const [userId, key] = [uniqueId('user'), uniqueId('key')];
    const first = await decided(world, userId, key);
    server.clock.advance(5);
    const second = await decided(world, userId, key);
    expect(second.rest).toEqual(first.rest);
    expect(second.mfaToken).not.toBe(first.mfaToken);
    expect(second.pageUrl).toContain(second.mfaToken);
    expect(await introspect(world.browser, first.mfaToken)).toBeNull();
    expect(await introspect(world.browser, second.mfaToken)).toMatchObject({
      userId,
      expiresAt: first.rest.expiresAt,
    });
    expect([await steps(userId), await starts(userId)]).toEqual([1, 1]);
  });

  test('repeated in the middle of the step, it goes on where the step stood', async () => {
    const [userId, key] = [uniqueId('user'), uniqueId('key')];
    const first = await decided(world, userId, key);
    const begun = await beginTotp(world.browser, { mfaToken: first.mfaToken });
    const { mfaToken } = await decided(world, userId, key);
    expect((await beginTotp(world.browser, { mfaToken })).secret).toBe(begun.secret);
    const code = codeAt(begun.secret, server.clock.now());
    expect(await verify(world.browser, code, first.mfaToken)).toMatchObject({ code: 'INVALID_MFA_TOKEN' });
    expect(await verify(world.browser, code, mfaToken)).toMatchObject({ __typename: 'FactorVerified' });
    expect(await finishEnrollment(world, mfaToken)).toMatchObject({ __typename: 'MfaCompleted' });
    const afterwards = await decided(world, userId, key);
    expect(await introspect(world.browser, afterwards.mfaToken)).toBeNull();
    expect(await finishEnrollment(world, afterwards.mfaToken)).toMatchObject({ code: 'INVALID_MFA_TOKEN' });
  });

  test('repeated after the policy changed, it answers what it answered first', async () => {
    const own = await signInWorld(server, { policy: { totpEnabled: true, enrollment: 'OPTIONAL' } });
    const [userId, idempotencyKey] = [uniqueId('user'), uniqueId('key')];
    const first = await start(own, userId, { idempotencyKey });
    await setPolicy(own, { enrollment: 'REQUIRED' });
    expect(await start(own, userId, { idempotencyKey })).toEqual(first);
    expect(await start(own, userId, { idempotencyKey: uniqueId('key') })).toMatchObject({
      status: 'MFA_ENROLLMENT_REQUIRED',
    });
  });

  test('acts once when 8 calls come at once; one of their tokens lives', async () => {
    await openConnections(server);
    const [userId, key] = [uniqueId('user'), uniqueId('key')];
    const answers = await Promise.all(Array.from({ length: 8 }, () => decided(world, userId, key)));
    expect(new Set(answers.map(({ mfaToken }) => mfaToken)).size).toBe(8);
    expect(new Set(answers.map(({ rest }) => JSON.stringify(rest))).size).toBe(1);
    const living = await Promise.all(answers.map(({ mfaToken }) => introspect(world.browser, mfaToken)));
    expect(living.filter((info) => info !== null)).toHaveLength(1);
    expect([await steps(userId), await starts(userId)]).toEqual([1, 1]);
  });

  test('refuses another input under the same key, whatever differs, and changes nothing', async () => {
    const [userId, idempotencyKey] = [uniqueId('user'), uniqueId('key')];
    const { mfaToken } = await decided(world, userId, idempotencyKey);
    const others = [
      { userId: uniqueId('user') },
      { tenantId: uniqueId('tenant') },
      { accountName: 'somebody@else.test' },
      { trigger: 'PASSWORD_RESET' as const },
      { identityProvider: 'EXTERNAL' as const },
      { redirectUrl: 'https://app.test/' },
    ];
    for (const other of others) {
      expect(await start(world, userId, { idempotencyKey, ...other })).toMatchObject({
        __typename: 'InvalidInput',
        field: 'idempotencyKey',
      });
    }
    expect(await introspect(world.browser, mfaToken)).not.toBeNull();
    expect(await steps(userId)).toBe(1);
  });

  test('knows the keys of its own caller only', async () => {
    const [userId, key] = [uniqueId('user'), uniqueId('key')];
    const first = await decided(world, userId, key);
    const other = await server.caller({
      sub: 'another service',
      applicationId: world.applicationId,
      scopes: ['mfa-workflow:execute'],
    });
    const second = await decided({ ...world, service: other }, userId, key);
    expect(await introspect(world.browser, first.mfaToken)).not.toBeNull();
    expect((await stepOf(server, second.mfaToken)).id).not.toBe((await stepOf(server, first.mfaToken)).id);
    expect(await decided(await signInWorld(server), userId, key)).toBeDefined();
  });

  test('acts anew after 24 hours, and not a second earlier', async () => {
    const [userId, key] = [uniqueId('user'), uniqueId('key')];
    server.clock.fix(server.clock.now());
    const first = await decided(world, userId, key);
    server.clock.advance(24 * 3600 - 1);
    const later = await renewed(server, world);
    expect((await decided(later, userId, key)).rest).toEqual(first.rest);
    expect(await steps(userId)).toBe(1);
    server.clock.advance(1);
    const anew = await decided(later, userId, key);
    expect(anew.rest.expiresAt).toBe(new Date(server.clock.now().getTime() + 600_000).toISOString());
    expect([await steps(userId), await starts(userId)]).toEqual([2, 2]);
    expect(await introspect(later.browser, anew.mfaToken)).not.toBeNull();
    world = later;
  });

  test('LOG-1: keeps no token, name or other secret for it', async () => {
    const [userId, key] = [uniqueId('user'), uniqueId('key')];
    const first = await decided(world, userId, key);
    const second = await decided(world, userId, key);
    const { rows } = await server.database.pool.query<{ row: string; answer: object }>(
      'select k::text as row, answer from idempotency_keys k',
    );
    const kept = rows.map(({ row }) => row).join('\n');
    for (const secret of [first.mfaToken, second.mfaToken, key, userId, `${userId}@acme.test`]) {
      expect(kept).not.toContain(secret.split('.')[0]);
    }
    // Other tests keep answers of other mutations in the same table.
    const decisions = rows.filter(({ answer }) => answer !== null && 'reason' in answer);
    expect(decisions.length).toBeGreaterThan(0);
    for (const { answer } of decisions) {
      expect(Object.keys(answer).sort()).toEqual(['graceDays', 'reason', 'status', 'step']);
    }
  });

  test('of a tenant that was deleted meanwhile, answers as for one that never was', async () => {
    const own = await signInWorld(server);
    const [userId, key] = [uniqueId('user'), uniqueId('key')];
    await decided(own, userId, key);
    await own.admin.call(RemoveTenantDocument, { id: own.tenantId });
    expect(await start(own, userId, { idempotencyKey: key })).toMatchObject({ code: 'NOT_FOUND' });
  });

  test('answers the same moment of grace again', async () => {
    const own = await signInWorld(server, {
      policy: { totpEnabled: true, enrollment: 'REQUIRED', gracePeriodDays: 7 },
    });
    const [userId, key] = [uniqueId('user'), uniqueId('key')];
    const first = await decided(own, userId, key);
    expect(first.rest).toMatchObject({ reason: 'GRACE_PERIOD', enrollmentDueAt: expect.any(String) });
    server.clock.advance(60);
    await setPolicy(own, { gracePeriodDays: 3 });
    expect((await decided(own, userId, key)).rest).toEqual(first.rest);
  });
});
