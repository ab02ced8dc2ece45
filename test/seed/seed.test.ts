import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { exportJWK, generateKeyPair } from 'jose';
import { placeText } from '../../src/factor/rows.ts';
import { createService } from '../../src/service.ts';
import { KeyRing } from '../../src/shared/key-ring.ts';
import { SeededStatesDocument } from '../generated/documents.ts';
import { newClone } from '../process/clone.ts';
import { cleanUp, runProcess } from '../process/servers.ts';
import {
  databaseUrl,
  startTestServer,
  type TestCaller,
  TestClock,
  type TestServer,
  uniqueId,
} from '../setup/harness.ts';
import { hotp } from '../setup/totp.ts';
import { finishChallenge, type SignInWorld, startToken, verify } from '../signin/user-agent.ts';
import { type Application, readApplications, type Tenant, tenantsOf, type User, usersOf } from './reading.ts';
import { sealingKey } from './run-seed.ts';

/* One small seed, made by npm in a fresh clone and looked at through the API. */

const prefix = uniqueId('seed');
const clock = new TestClock();
let server: TestServer;
let admin: TestCaller;
let printed: { stdout: string; stderr: string };
let applications: Map<string, Application>;
let tenants: Tenant[];
const users: User[] = [];

beforeAll(async () => {
  const { code, ...output } = await runProcess({
    folder: await newClone(),
    env: {
      DATABASE_URL: databaseUrl(),
      ENCRYPTION_KEYS: `${sealingKey.id}:${sealingKey.key.toString('base64')}`,
    },
    command: ['sh', '-c', `npm run -s seed -- --applications 5 --tenants 50 --users 1000 --prefix ${prefix}`],
  });
  if (code !== 0) throw new Error(output.stderr);
  printed = output;
  const service = await createService({
    clock,
    encryptionKeys: [sealingKey],
    assertionKey: await exportJWK((await generateKeyPair('ES256', { extractable: true })).privateKey),
    publicUrl: 'https://mfa.test',
    redirectOrigins: [],
  });
  server = await startTestServer({ clock, service });
  admin = await server.caller();
  applications = await readApplications(
    admin,
    [1, 2, 3, 4, 5].map((n) => `${prefix}-a000${n}`),
  );
  tenants = tenantsOf(applications);
  for (const { id } of tenants) users.push(...(await usersOf(admin, id)));
});
afterAll(async () => {
  await server?.stop();
  await cleanUp();
});

const rows = async <Row>(statement: string, ...values: unknown[]): Promise<Row[]> =>
  (await server.database.pool.query(statement, values)).rows as Row[];

test('makes as many as were asked for, and says so', () => {
  expect(tenants).toHaveLength(50);
  expect([...applications.values()].map(({ tenants }) => tenants.totalCount)).toEqual([10, 10, 10, 10, 10]);
  expect(users).toHaveLength(1000);
  expect(new Set(users.map(({ id }) => id)).size).toBe(1000);
  expect(printed.stdout).toMatch(
    /^Seeded 5 applications, 50 tenants and 1,000 users with \d{3} factors, and \d+ begun, in [\d.]+ s\.\n/,
  );
  expect(printed.stdout).toContain(
    `The first are ${prefix}-a0001, ${prefix}-t0000001 and ${prefix}-u00000001.`,
  );
});

test('shows its progress in ten lines where there is no terminal', () => {
  const lines = printed.stderr.trimEnd().split('\n');
  expect(lines).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10].map((tenth) => `${tenth * 10} % of 1,050 rows`));
});

test('tenants are of every size', async () => {
  const sizes = Map.groupBy(users, ({ tenantId }) => tenantId);
  const counts = [...sizes.values()].map((of) => of.length).sort((a, b) => a - b);
  expect(counts[0]).toBeLessThan(15);
  expect(counts.at(-1)).toBeGreaterThan(40);
});

describe('policies', () => {
  test('applications have every override rule, and MFA off, optional and required', () => {
    const all = [...applications.values()];
    expect(new Set(all.map(({ overrideRule }) => overrideRule))).toEqual(
      new Set(['ANY', 'STRICTER_ONLY', 'NONE']),
    );
    expect(
      new Set(all.map(({ mfaPolicy: { totpEnabled, enrollment } }) => `${totpEnabled} ${enrollment}`)),
    ).toEqual(new Set(['true OPTIONAL', 'true REQUIRED', 'false OPTIONAL']));
  });

  test('tenants have no override, one that is switched off, and one that is on', () => {
    const kinds = tenants.map(
      ({ mfaPolicyOverride: { enabled, policy } }) => `${enabled} ${policy !== null}`,
    );
    expect(new Set(kinds)).toEqual(new Set(['false false', 'false true', 'true true']));
  });

  test('of the application apply where they must, and of the tenant elsewhere', () => {
    for (const { applicationId, mfaPolicyOverride, effectivePolicy } of tenants) {
      const overrides = applications.get(applicationId)?.overrideRule !== 'NONE' && mfaPolicyOverride.enabled;
      expect(effectivePolicy.source).toBe(overrides ? 'TENANT' : 'APPLICATION');
    }
  });
});

describe('users', () => {
  test('are in every state, and the lists by state agree with each of them', async () => {
    const states = Map.groupBy(users, ({ mfa }) => mfa.state);
    expect(new Set(states.keys())).toEqual(
      new Set(['DISABLED', 'ENROLLED', 'EXEMPT', 'OPTIONAL', 'OVERDUE', 'PENDING']),
    );
    for (const { id } of tenants) {
      const { data } = await admin.call(SeededStatesDocument, { id });
      const listed = Object.entries(data.tenant ?? {}).filter(([name]) => name !== '__typename');
      const counts = listed.map(([name, list]) => [
        name.toUpperCase(),
        (list as { totalCount: number }).totalCount,
      ]);
      const expected = counts.map(([state]) => [
        state,
        users.filter(({ tenantId, mfa }) => tenantId === id && mfa.state === state).length,
      ]);
      expect(counts).toEqual(expected);
    }
  });

  test.each<[string, (user: User) => boolean]>([
    ['an active factor', ({ mfa }) => mfa.factors.some((f) => f.type === 'TOTP' && f.status === 'ACTIVE')],
    ['a disabled factor', ({ mfa }) => mfa.factors.some((f) => f.type === 'TOTP' && f.status === 'DISABLED')],
    ['a begun factor', ({ mfa }) => mfa.factors.some((f) => f.status === 'PENDING')],
    ['a factor that the policy suspends', ({ mfa }) => mfa.factors.some((f) => f.suspendedByPolicy)],
    ['a recovery code', ({ mfa }) => mfa.recoveryCodeState === 'ACTIVE'],
    ['a recovery code that is used', ({ mfa }) => mfa.recoveryCodeState === 'USED'],
    [
      'no recovery code beside a factor',
      ({ mfa }) => mfa.state === 'ENROLLED' && mfa.recoveryCodeState === 'NONE',
    ],
    ['an exemption that runs', ({ mfa }) => mfa.exemption !== null],
    ['an exemption, though enrolled', ({ mfa }) => mfa.exemption !== null && mfa.state === 'ENROLLED'],
    ['grace that runs', ({ mfa }) => mfa.state === 'PENDING' && mfa.enrollmentDueAt !== null],
    ['grace that is over', ({ mfa }) => mfa.state === 'OVERDUE' && mfa.enrollmentDueAt !== null],
    [
      'never been asked',
      ({ mfa }) => ['PENDING', 'OVERDUE'].includes(mfa.state) && mfa.enrollmentDueAt === null,
    ],
    ['a wait', ({ mfa }) => mfa.lockedUntil !== null],
  ])('some have %s', (_what, has) => {
    expect(users.filter(has).length).toBeGreaterThan(0);
  });

  test('some have exemptions that are over', async () => {
    const over = await rows(
      'select from users where tenant_id like $1 and exempt_until < $2',
      `${prefix}-%`,
      clock.now(),
    );
    expect(over.length).toBeGreaterThan(0);
  });
});

describe('secrets', () => {
  interface FactorRow {
    tenant_id: string;
    user_id: string;
    application_id: string;
    id: string;
    key_id: string;
    secret: Buffer;
  }
  const keyRing = new KeyRing([sealingKey]);
  const secretOf = (row: FactorRow): Buffer => {
    const place = placeText({ tenantId: row.tenant_id, userId: row.user_id, id: row.id });
    return keyRing.open({ keyId: row.key_id, bytes: row.secret }, place);
  };
  const codeOf = (row: FactorRow): string => hotp(secretOf(row), Math.floor(clock.now().getTime() / 30_000));
  const read = (table: string, condition: string) =>
    rows<FactorRow>(
      `select f.*, t.application_id from ${table} f join tenants t on t.id = f.tenant_id
         join users u on u.tenant_id = f.tenant_id and u.id = f.user_id
       where f.tenant_id like $1 and f.type = 'TOTP' and ${condition} order by f.user_id`,
      `${prefix}-%`,
    );
  const canSignIn = ({ tenant_id: id }: FactorRow) =>
    tenants.some((tenant) => tenant.id === id && tenant.effectivePolicy.mfaEnabled);

  test('CRY-1: all open with the key that sealed them, and in their place only', async () => {
    const factors = [
      ...(await read('auth_factors', 'true')),
      ...(await read('pending_auth_factors', 'true')),
    ];
    expect(factors.length).toBeGreaterThan(300);
    const secrets = new Set(factors.map((factor) => secretOf(factor).toString('hex')));
    expect(secrets.size).toBe(factors.length);
    const [first, second] = factors as [FactorRow, FactorRow];
    expect(() => secretOf({ ...first, secret: second.secret })).toThrow();
  });

  test('a seeded user is challenged, and signs in with the code of the opened secret', async () => {
    const factor = (await read('auth_factors', 'u.totp_failures = 0')).find(canSignIn) as FactorRow;
    const world: SignInWorld = {
      applicationId: factor.application_id,
      tenantIds: [],
      tenantId: factor.tenant_id,
      service: await server.caller({
        applicationId: factor.application_id,
        scopes: ['mfa-workflow:execute'],
      }),
      browser: server.callerWith(null),
      admin,
    };
    const mfaToken = await startToken(world, factor.user_id);
    expect(await verify(world.browser, codeOf(factor), mfaToken)).toMatchObject({
      __typename: 'FactorVerified',
      factor: { id: factor.id },
    });
    expect(await finishChallenge(world, mfaToken)).toMatchObject({
      __typename: 'MfaCompleted',
      userId: factor.user_id,
    });
  });

  test('a begun enrollment is confirmed with the code of the opened secret', async () => {
    const begun = await read('pending_auth_factors', "f.expires_at > now() + interval '1 minute'");
    const factor = begun.find(canSignIn) as FactorRow;
    const { tenant_id: tenantId, user_id: sub, application_id: applicationId } = factor;
    const self = await server.caller({ sub, tenantId, applicationId, scopes: [] });
    expect(await verify(self, codeOf(factor))).toMatchObject({
      __typename: 'FactorVerified',
      factor: { id: factor.id, status: 'ACTIVE' },
    });
  });
});

test('the record has one event for each application, which names the seed, for the hash chain', async () => {
  const events = await rows<{ application_id: string; actor: string; action: string; detail: object }>(
    `select e.application_id, e.actor, e.action, e.detail from audit_events e
     where (exists (select from audit_unsealed q where q.tenant_id = e.tenant_id and q.event_id = e.id)
         or exists (select from audit_seals s where s.tenant_id = e.tenant_id and e.id = any(s.event_ids)))
       and e.application_id like $1 and e.actor = 'seed' order by e.application_id`,
    `${prefix}-%`,
  );
  expect(events.map(({ application_id: id }) => id)).toEqual([...applications.keys()]);
  for (const event of events) {
    expect(event).toMatchObject({ action: 'application.created', detail: { seeded: { prefix, seed: 1 } } });
  }
});

test('the planner knows the tables', async () => {
  const analyzed = await rows<{ relname: string }>(
    `select relname from pg_stat_user_tables where last_analyze is not null and last_vacuum is not null
       and relname = any('{applications,tenants,users,auth_factors,pending_auth_factors}')`,
  );
  expect(analyzed).toHaveLength(5);
});
