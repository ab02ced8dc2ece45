import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import {
  EnrollTotpDocument,
  FinishChallengeDocument,
  FinishEnrollmentDocument,
  SnapshotPolicyDocument,
  StartMfaDocument,
  VerifyRecoveryCodeDocument,
  VerifyTotpDocument,
} from '../generated/documents.ts';
import { databaseUrl, startTestServer, type TestServer, uniqueId } from '../setup/harness.ts';
import { isDistributed } from '../setup/nodes.mjs';
import { codeAt } from '../setup/totp.ts';
import { beginTotp, enrolledUser, type SignInWorld, signInWorld, startToken } from '../signin/user-agent.ts';
import { type Watched, watch } from './remote.ts';

/*
 * All that a sign-in waits for is done in its tenant's shard: by the plans, and by what the coordinator
 * really sends to the nodes.
 */

let server: TestServer;
let world: SignInWorld;
/** Which part of the tenants a shard holds, by its number: shards of several tables with the same lie beside each other. */
let parts: Map<string, string>;

beforeAll(async () => {
  if (!isDistributed) throw new Error('Set TEST_DISTRIBUTE=on, and TEST_DATABASE_URL to a coordinator.');
  server = await startTestServer({ policySnapshot: false });
  world = await signInWorld(server);
  const { rows } = await server.database.pool.query<{ shard: string; part: string }>(
    `select shardid::text as shard, coalesce(shardminvalue, 'every node') as part from pg_dist_shard`,
  );
  parts = new Map(rows.map(({ shard, part }) => [shard, part]));
});
afterAll(() => server.stop());

const code = (secret: string, steps = 0) => codeAt(secret, server.clock.now(), steps);

/** The parts of the tenants that a statement's commands named. */
const partsIn = ({ commands }: Watched): string[] => [
  ...new Set(
    commands
      .flatMap((command) => [...command.matchAll(/_(\d{6,})\b/g)].map(([, shard]) => parts.get(shard ?? '')))
      .filter((part) => part !== undefined && part !== 'every node') as string[],
  ),
];

/** Runs a call whose every statement must stay in one shard, the same for all. @returns how many there were */
async function stays(call: () => Promise<unknown>): Promise<number> {
  const statements = await watch(databaseUrl(), call);
  expect(statements).not.toEqual([]);
  for (const { text, plan } of statements) {
    const counts = plan.flatMap((line) => /Task Count: (\d+)/.exec(line)?.[1] ?? []);
    expect({ text, counts: new Set(counts) }).toEqual({ text, counts: new Set(['1']) });
  }
  expect(new Set(statements.flatMap(partsIn)).size).toBe(1);
  return statements.length;
}

const input = (userId: string) => ({
  tenantId: world.tenantId,
  userId,
  accountName: `${userId}@acme.test`,
  trigger: 'LOGIN' as const,
});

describe('in one shard stay', () => {
  test('startMfa, of a user never seen and of one who is enrolled', async () => {
    const user = await enrolledUser(server, world);
    for (const userId of [uniqueId('user'), user.id]) {
      expect(await stays(() => world.service.call(StartMfaDocument, { input: input(userId) }))).toBe(2);
    }
  });

  test('an enrollment: beginning, confirming and finishing it', async () => {
    const mfaToken = await startToken(world, uniqueId('user'));
    await stays(() => world.browser.call(EnrollTotpDocument, { input: { mfaToken } }));
    const { secret } = await beginTotp(world.browser, { mfaToken });
    for (const typed of ['000000', code(secret)]) {
      await stays(() => world.browser.call(VerifyTotpDocument, { input: { mfaToken, code: typed } }));
    }
    expect(await stays(() => world.service.call(FinishEnrollmentDocument, { input: { mfaToken } }))).toBe(2);
  });

  test('a challenge: wrong codes, a right one, and finishing it', async () => {
    const user = await enrolledUser(server, world);
    const mfaToken = await startToken(world, user.id);
    for (const typed of ['000000', code(user.secret)]) {
      expect(
        await stays(() => world.browser.call(VerifyTotpDocument, { input: { mfaToken, code: typed } })),
      ).toBe(3);
    }
    expect(await stays(() => world.service.call(FinishChallengeDocument, { input: { mfaToken } }))).toBe(2);
  });

  test('a challenge by a recovery code', async () => {
    const user = await enrolledUser(server, world);
    const mfaToken = await startToken(world, user.id);
    await stays(() =>
      world.browser.call(VerifyRecoveryCodeDocument, {
        input: { mfaToken, recoveryCode: user.recoveryCode ?? '' },
      }),
    );
    await stays(() => world.service.call(FinishChallengeDocument, { input: { mfaToken } }));
  });

  test('the effective policy of a tenant', async () => {
    expect(await stays(() => world.admin.call(SnapshotPolicyDocument, { tenantId: world.tenantId }))).toBe(1);
  });
});

test('with an idempotency key, startMfa touches the shard of the key beside it, and each part one shard', async () => {
  const statements = await watch(databaseUrl(), () =>
    world.service.call(StartMfaDocument, {
      input: { ...input(uniqueId('user')), idempotencyKey: uniqueId('key') },
    }),
  );
  for (const { plan } of statements) {
    const counts = plan.flatMap((line) => /Task Count: (\d+)/.exec(line)?.[1] ?? []);
    expect(new Set(counts)).toEqual(new Set(['1']));
  }
  expect(new Set(statements.flatMap(partsIn)).size).toBeLessThanOrEqual(2);
});
