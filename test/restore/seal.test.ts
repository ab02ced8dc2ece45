import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { Client } from 'pg';
import { serverRole } from '../../src/audit/append-only.ts';
import { sealAll } from '../../src/audit/sealer.ts';
import { inRole } from '../../src/db/connection.ts';
import { newRecoveryCode, redeem, selfOf } from '../factor/agent.ts';
import { CreateTenantDocument, StartMfaDocument, TenantPolicyDocument } from '../generated/documents.ts';
import { type Key, newKey, serviceWith } from '../keys/ring.ts';
import { copyOf, dropDatabases, newMigratedDatabase, withClient } from '../process/databases.ts';
import { cleanUp } from '../process/servers.ts';
import { startTestServer, TestClock, type TestServer, uniqueId } from '../setup/harness.ts';
import { codeAt } from '../setup/totp.ts';
import {
  beginTotp,
  type EnrolledUser,
  enrolledUser,
  finishChallenge,
  mfaOf,
  type SignInWorld,
  signInWorld,
  startToken,
  verify,
} from '../signin/user-agent.ts';
import { contents, holdFactor, openAs, seal, sealHere, verifyRecord } from './backup.ts';

let live: string;
let clock: TestClock;
let key: Key;
let world: SignInWorld;
beforeEach(async () => {
  key = newKey('kept');
  clock = new TestClock();
  // Early in a time step, so that a command that takes a while works in the same one.
  clock.fix(new Date(Math.ceil(Date.now() / 30_000) * 30_000 + 1_000));
  live = await newMigratedDatabase();
  await on(live, async (server) => {
    world = await signInWorld(server);
  });
});
afterEach(async () => {
  await cleanUp();
  await dropDatabases();
});

/** Serves a database for as long as the work lasts, and seals its record. @param work gets the world as of this server */
async function on<T>(url: string, work: (server: TestServer, there: SignInWorld) => Promise<T>): Promise<T> {
  const database = await openAs(inRole(url, serverRole));
  const server = await startTestServer({ clock, database, service: await serviceWith(clock, key) });
  try {
    const there: SignInWorld = world && {
      ...world,
      service: server.callerWith(world.service.token),
      browser: server.callerWith(null),
      admin: server.callerWith(world.admin.token),
    };
    const result = await work(server, there);
    await sealAll(database, clock);
    return result;
  } finally {
    await server.stop();
    await database.close();
  }
}

const rightCode = ({ secret }: EnrolledUser) => codeAt(secret, clock.now());

/** Signs in with the code of now. @returns the answer to the code */
async function codeTaken(there: SignInWorld, user: EnrolledUser): Promise<unknown> {
  return verify(there.browser, rightCode(user), await startToken(there, user.id));
}

const verified = expect.objectContaining({ __typename: 'FactorVerified' });
const refused = expect.objectContaining({ code: 'INVALID_CODE' });

const newUser = () => on(live, (server, there) => enrolledUser(server, there));

describe('a backup that is restored', () => {
  test('verifies, with its policies and authenticators; and the record goes on from it and tells of it', async () => {
    const user = await newUser();
    const before = await on(live, (_server, there) => mfaOf(there, user.id));
    const restored = await copyOf(live);
    await on(live, (server, there) => enrolledUser(server, there));

    await sealHere(restored, clock);
    clock.advance(30);
    await on(restored, async (_server, there) => {
      expect(await mfaOf(there, user.id)).toMatchObject({ state: before.state });
      const { data } = await there.admin.call(TenantPolicyDocument, { id: world.tenantId });
      expect(data.tenant).toMatchObject({ effectivePolicy: { totpEnabled: true, enrollment: 'REQUIRED' } });
      const mfaToken = await startToken(there, user.id);
      expect(await verify(there.browser, rightCode(user), mfaToken)).toEqual(verified);
      expect(await finishChallenge(there, mfaToken)).toMatchObject({ __typename: 'MfaCompleted' });
    });
    expect(await verifyRecord(restored)).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/ 0 events not sealed yet: all is as it was recorded\.\n$/),
    });
    const { rows } = await withClient(restored, (client) =>
      client.query(
        "select application_id, actor, detail from audit_events where action = 'application.updated' and detail ? 'restored'",
      ),
    );
    expect(rows).toEqual([
      {
        application_id: world.applicationId,
        actor: 'cufflink',
        detail: {
          restored: {
            newestEvent: expect.any(String),
            authenticators: 1,
            recoveryCodes: 1,
            pendingFactors: 0,
            steps: 0,
            keepsRecoveryCodes: false,
          },
        },
      },
    ]);
  });
});

describe('npm run restore:seal', () => {
  test('OTP-1: a code that was used since the backup is not taken again; a later one is', async () => {
    const user = await newUser();
    const [unsealed, restored] = [await copyOf(live), await copyOf(live)];
    expect(await on(live, (_server, there) => codeTaken(there, user))).toEqual(verified);
    // So it would be without.
    expect(await on(unsealed, (_server, there) => codeTaken(there, user))).toEqual(verified);

    await sealHere(restored, clock);
    await on(restored, async (_server, there) => {
      expect(await codeTaken(there, user)).toEqual(refused);
      clock.advance(30);
      expect(await codeTaken(there, user)).toEqual(verified);
    });
  });

  test('REC-2: recovery codes of the backup die, each with an event; the user takes a new one', async () => {
    const user = await newUser();
    const restored = await copyOf(live);
    const redeemed = (there: SignInWorld) =>
      startToken(there, user.id).then((token) => redeem(there.browser, token, user.recoveryCode ?? ''));
    expect(await on(live, (_server, there) => redeemed(there))).toEqual(verified);

    await sealHere(restored, clock);
    clock.advance(30);
    await on(restored, async (server, there) => {
      expect(await redeemed(there)).toEqual(refused);
      expect(await mfaOf(there, user.id)).toMatchObject({ recoveryCodeState: 'NONE' });
      const self = await selfOf(server, there, user.id);
      expect(await newRecoveryCode(self, { currentCode: rightCode(user) })).toEqual(expect.any(String));
    });
    const { rows } = await withClient(restored, (client) =>
      client.query("select user_id, detail from audit_events where action = 'auth_factor.removed'"),
    );
    expect(rows).toEqual([
      {
        user_id: user.id,
        detail: { type: 'RECOVERY_CODE', factorId: expect.any(String), because: 'restored from a backup' },
      },
    ]);
  });

  test('REC-2: with --keep-recovery-codes they live, for who knows that none was redeemed', async () => {
    const user = await newUser();
    const restored = await copyOf(live);
    expect(await sealHere(restored, clock, true)).toMatchObject({ recoveryCodes: 0 });
    await on(restored, async (_server, there) => {
      const mfaToken = await startToken(there, user.id);
      expect(await redeem(there.browser, mfaToken, user.recoveryCode ?? '')).toEqual(verified);
    });
  });

  test('STEP-1: tokens of before finish, enroll and confirm nothing, also one that was finished since', async () => {
    const user = await newUser();
    const newcomer = uniqueId('user');
    const tokens = await on(live, async (_server, there) => ({
      finished: await startToken(there, user.id),
      begun: await startToken(there, newcomer),
    }));
    const { secret } = await on(live, (_server, there) =>
      beginTotp(there.browser, { mfaToken: tokens.begun }),
    );
    await on(live, async (_server, there) => {
      expect(await verify(there.browser, rightCode(user), tokens.finished)).toEqual(verified);
    });
    const restored = await copyOf(live);
    await on(live, async (_server, there) => {
      expect(await finishChallenge(there, tokens.finished)).toMatchObject({ __typename: 'MfaCompleted' });
    });

    expect(await sealHere(restored, clock)).toMatchObject({ steps: 2, pendingFactors: 1 });
    const over = expect.objectContaining({ code: 'INVALID_MFA_TOKEN' });
    await on(restored, async (_server, there) => {
      expect(await finishChallenge(there, tokens.finished)).toEqual(over);
      expect(await verify(there.browser, codeAt(secret, clock.now()), tokens.begun)).toEqual(over);
      expect(await startToken(there, newcomer)).toEqual(expect.any(String));
    });
  });

  test('a call that was carried out before the backup is not carried out again; its token is dead', async () => {
    const user = await newUser();
    const create = {
      applicationId: world.applicationId,
      displayName: 'Once',
      idempotencyKey: uniqueId('key'),
    };
    const step = {
      tenantId: world.tenantId,
      userId: user.id,
      accountName: user.id,
      trigger: 'LOGIN' as const,
      idempotencyKey: uniqueId('key'),
    };
    const created = await on(live, async (_server, there) => {
      await there.service.call(StartMfaDocument, { input: step });
      return (await there.admin.call(CreateTenantDocument, { input: create })).data.createTenant;
    });
    const restored = await copyOf(live);
    await sealHere(restored, clock);
    await on(restored, async (_server, there) => {
      const { data } = await there.admin.call(CreateTenantDocument, { input: create });
      expect(data.createTenant).toEqual(created);
      const { data: started } = await there.service.call(StartMfaDocument, { input: step });
      const { mfaToken } = started.startMfa as { mfaToken: string };
      expect(await verify(there.browser, rightCode(user), mfaToken)).toMatchObject({
        code: 'INVALID_MFA_TOKEN',
      });
    });
  });

  test('the feed of policies goes on from a number that no server has heard', async () => {
    const position = (url: string) =>
      withClient(url, async (client) => {
        const { rows } = await client.query<{ position: string }>('select position from policy_feed');
        return Number(rows[0]?.position);
      });
    const restored = await copyOf(live);
    await sealHere(restored, clock);
    const once = await position(restored);
    await sealHere(restored, clock);
    expect(await position(live)).toBeLessThan(once);
    expect(once).toBeLessThan(await position(restored));
    expect(Number.isSafeInteger(once)).toBe(true);
  });

  test('done twice it is done once; the plan tells what it does and writes nothing', async () => {
    const user = await newUser();
    await on(live, (_server, there) => startToken(there, user.id));
    const restored = await copyOf(live);
    const before = await contents(restored);
    expect(await seal(restored, clock.now(), '--plan')).toEqual({
      code: 0,
      stdout:
        'Would seal: 1 authenticators take no code of before, 1 recovery codes go, 1 open MFA steps end, 0 authenticators that were begun go, 1 applications have it in their record.\n',
      stderr: '',
    });
    expect(await contents(restored)).toEqual(before);
    expect(await seal(restored, clock.now(), '--yes')).toEqual({
      code: 0,
      stdout: expect.stringMatching(
        /^Sealed: 1 authenticators .* 1 recovery codes .* 1 open MFA steps .* 1 applications/,
      ),
      stderr: '',
    });
    const once = await contents(restored);
    // Later than the command was, in the same time step.
    clock.advance(20);
    expect(await sealHere(restored, clock)).toEqual({
      authenticators: 0,
      recoveryCodes: 0,
      pendingFactors: 0,
      steps: 0,
      recorded: 0,
    });
    expect({ ...(await contents(restored)), policy_feed: null }).toEqual({ ...once, policy_feed: null });
  });

  test('the plan counts the applications whose record --yes writes to', async () => {
    await on(live, async (server, there) => {
      await enrolledUser(server, there);
      await signInWorld(server);
    });
    const restored = await copyOf(live);
    const applications = async (...args: string[]) => {
      // The command's clock goes on while it works, and the next must not be behind it.
      clock.advance(10);
      const { stdout } = await seal(restored, clock.now(), ...args);
      return / (\d+) applications /.exec(stdout)?.[1];
    };
    expect(await applications('--plan', '--keep-recovery-codes')).toBe('2');
    expect(await applications('--yes', '--keep-recovery-codes')).toBe('2');
    expect(await applications('--plan', '--keep-recovery-codes')).toBe('0');
    // The recovery code that was kept goes now, which stands in the record, so that the restore does anew.
    expect(await applications('--plan')).toBe('1');
    expect(await applications('--yes')).toBe('1');
    expect(await applications('--plan')).toBe('0');
    clock.advance(30);
    await on(restored, (_server, there) => startToken(there, uniqueId('user')));
    expect(await applications('--plan')).toBe('1');
    expect(await applications('--yes')).toBe('1');
    expect(await applications('--plan')).toBe('0');
  });

  test('refuses without --yes, while servers are connected, and as the role of servers; then nothing is changed', async () => {
    const user = await newUser();
    const before = await contents(live);
    const refusal = async (url: string, ...args: string[]) => {
      const { code, stdout, stderr } = await seal(url, clock.now(), ...args);
      expect([code, stdout]).toEqual([1, '']);
      return stderr;
    };
    expect(await refusal(live)).toMatch(/^Give --plan .* or --yes/);
    expect(await refusal(inRole(live, serverRole), '--yes')).toMatch(/owner/);
    const database = await openAs(live);
    expect(await refusal(live, '--yes')).toMatch(/^\d+ connections of servers are open/);
    await database.close();
    expect(await contents(live)).toEqual(before);
    expect(user.recoveryCode).not.toBeNull();
  });

  test('REC-2: refuses while another session holds a recovery code, and seals nothing then', async () => {
    await newUser();
    const restored = await copyOf(live);
    const before = await contents(restored);
    await withClient(restored, async (holder) => {
      await holder.query('begin');
      await holdFactor(holder, 'RECOVERY_CODE');
      await expect(sealHere(restored, clock)).rejects.toThrow(/^1 rows were in use by another session/);
      await holder.query('rollback');
    });
    expect(await contents(restored)).toEqual(before);
    expect(await sealHere(restored, clock)).toMatchObject({ recoveryCodes: 1 });
  });

  test.each<[string, (holder: Client) => Promise<unknown>]>([
    ['a row', (holder) => holdFactor(holder, 'TOTP')],
    ['a table', (holder) => holder.query('lock table mfa_steps in access exclusive mode')],
  ])('refuses in time while another session holds %s, and seals nothing then', async (_what, hold) => {
    await newUser();
    const restored = await copyOf(live);
    const before = await contents(restored);
    await withClient(restored, async (holder) => {
      await holder.query('begin');
      await hold(holder);
      const { code, stdout, stderr } = await seal(restored, clock.now(), '--yes');
      expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
      expect(stderr).toMatch(
        /^Another session holds rows or a table of this database, so nothing was sealed\./,
      );
      await holder.query('rollback');
    });
    expect(await contents(restored)).toEqual(before);
  });

  test('OTP-1: refuses by a clock that is behind the newest event: codes of in between would be taken again', async () => {
    await newUser();
    const restored = await copyOf(live);
    const before = await contents(restored);
    const behind = new TestClock();
    behind.fix(new Date(clock.now().getTime() - 60_000));
    await expect(sealHere(restored, behind)).rejects.toThrow(
      /^The newest event of the record is of \S+, and this machine's clock says \S+\. Set the clock right first\.$/,
    );
    expect(await contents(restored)).toEqual(before);
  });
});
