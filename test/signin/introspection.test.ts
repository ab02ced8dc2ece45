import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type GraphQLObjectType, getNamedType, isLeafType } from 'graphql';
import { createSchema } from '../../src/schema.ts';
import { IntrospectDocument, type IntrospectQuery } from '../generated/documents.ts';
import { startTestServer, type TestCaller, type TestServer, uniqueId } from '../setup/harness.ts';
import { codeAt, wrongCode } from '../setup/totp.ts';
import { deleteFactor, introspect, redeem, selfOf, setPolicy } from './step-tools.ts';
import {
  beginTotp,
  enrolledUser,
  finishChallenge,
  type SignInWorld,
  signInWorld,
  startToken,
  verify,
} from './user-agent.ts';

/* What a token tells whoever holds it, alone and beside a bearer token. */

let server: TestServer;
let world: SignInWorld;
let foreign: SignInWorld;
beforeAll(async () => {
  server = await startTestServer();
  server.clock.fix(new Date());
  world = await signInWorld(server);
  foreign = await signInWorld(server);
});
afterAll(() => server.stop());

const right = (secret: string) => codeAt(secret, server.clock.now());
const inSeconds = (seconds: number) => new Date(server.clock.now().getTime() + seconds * 1000).toISOString();
const told = (status: string, userId: string, own = world) => ({
  status,
  trigger: 'LOGIN',
  userId,
  accountName: `${userId}@acme.test`,
  tenant: { id: own.tenantId, displayName: 'Tenant 001' },
  effectivePolicy: { totpEnabled: true, issuer: 'Acme' },
});

describe('introspectMfaToken', () => {
  test('of an enrollment tells what is asked and of whom, and when it is satisfied', async () => {
    const userId = uniqueId('user');
    const mfaToken = await startToken(world, userId);
    const open = {
      ...told('MFA_ENROLLMENT_REQUIRED', userId),
      challengeWith: [],
      satisfied: false,
      expiresAt: inSeconds(600),
    };
    expect(await introspect(world.browser, mfaToken)).toEqual(open);
    const { secret } = await beginTotp(world.browser, { mfaToken });
    expect(await introspect(world.browser, mfaToken)).toEqual(open);
    await verify(world.browser, right(secret), mfaToken);
    expect(await introspect(world.browser, mfaToken)).toEqual({ ...open, satisfied: true });
  });

  test('of a challenge tells the factors whose codes may be given', async () => {
    const user = await enrolledUser(server, world);
    const mfaToken = await startToken(world, user.id, { trigger: 'PASSWORD_RESET', accountName: 'Ann' });
    const open = {
      ...told('MFA_CHALLENGE_REQUIRED', user.id),
      trigger: 'PASSWORD_RESET',
      accountName: 'Ann',
      challengeWith: ['TOTP', 'RECOVERY_CODE'],
      satisfied: false,
      expiresAt: inSeconds(300),
    };
    expect(await introspect(world.browser, mfaToken)).toEqual(open);
    await redeem(world.browser, mfaToken, user.recoveryCode);
    expect(await introspect(world.browser, mfaToken)).toEqual({
      ...open,
      challengeWith: ['TOTP'],
      satisfied: true,
    });
  });

  test('offers no factor that is disabled', async () => {
    const user = await enrolledUser(server, world);
    const mfaToken = await startToken(world, user.id);
    const disable = (columns: string) =>
      server.database.pool.query(`update users set ${columns} where tenant_id = $1 and id = $2`, [
        world.tenantId,
        user.id,
      ]);
    await disable('totp_failures = 50');
    expect(await introspect(world.browser, mfaToken)).toMatchObject({ challengeWith: ['RECOVERY_CODE'] });
    await disable('recovery_failures = 50');
    expect(await introspect(world.browser, mfaToken)).toMatchObject({ challengeWith: [] });
  });

  /** What else a page needs that carries the user through the step. */
  async function pageInfo(mfaToken: string) {
    const { data } = await world.browser.call<{ introspectMfaToken: Record<string, unknown> }, object>(
      `query ($mfaToken: String!) { introspectMfaToken(mfaToken: $mfaToken) {
        applicationName satisfiedBy totpRetryAt recoveryCodeRetryAt redirectUrl } }`,
      { mfaToken },
    );
    return data.introspectMfaToken;
  }

  test('tells a page whose sign-in it is, by what it is satisfied, and how long codes are not looked at', async () => {
    const user = await enrolledUser(server, world);
    const mfaToken = await startToken(world, user.id);
    const open = {
      applicationName: 'Acme',
      satisfiedBy: null,
      totpRetryAt: null,
      recoveryCodeRetryAt: null,
      redirectUrl: null,
    };
    expect(await pageInfo(mfaToken)).toEqual(open);
    const wrong = wrongCode(user.secret, server.clock.now());
    for (let n = 0; n < 5; n += 1) await verify(world.browser, wrong, mfaToken);
    expect(await pageInfo(mfaToken)).toEqual({ ...open, totpRetryAt: inSeconds(30) });
    for (let n = 0; n < 5; n += 1) await redeem(world.browser, mfaToken, 'wrong');
    expect(await pageInfo(mfaToken)).toMatchObject({ recoveryCodeRetryAt: inSeconds(30) });
    server.clock.advance(30);
    expect(await pageInfo(mfaToken)).toEqual(open);
    await redeem(world.browser, mfaToken, user.recoveryCode);
    expect(await pageInfo(mfaToken)).toEqual({ ...open, satisfiedBy: 'RECOVERY_CODE' });
    await verify(world.browser, right(user.secret), await startToken(world, user.id));
    const enrolling = await startToken(world, uniqueId('user'));
    await verify(
      world.browser,
      right((await beginTotp(world.browser, { mfaToken: enrolling })).secret),
      enrolling,
    );
    expect(await pageInfo(enrolling)).toEqual({ ...open, satisfiedBy: 'TOTP' });
  });

  test('tells where the browser goes back to, as long as its origin is still allowed', async () => {
    const redirectUrl = 'https://app.test/back?state=1';
    const mfaToken = await startToken(world, uniqueId('user'), { redirectUrl });
    expect(await pageInfo(mfaToken)).toMatchObject({ redirectUrl });
    const narrowed = await startTestServer({ clock: server.clock, redirectOrigins: ['https://other.test'] });
    const { data } = await narrowed
      .callerWith(null)
      .call('query ($mfaToken: String!) { introspectMfaToken(mfaToken: $mfaToken) { redirectUrl } }', {
        mfaToken,
      });
    expect(data).toEqual({ introspectMfaToken: { redirectUrl: null } });
    await narrowed.stop();
  });

  test('tells the policy of now, and offers no factor that it has switched off', async () => {
    const own = await signInWorld(server);
    const user = await enrolledUser(server, own);
    const mfaToken = await startToken(own, user.id);
    await setPolicy(own, { recoveryCodesEnabled: false });
    expect(await introspect(own.browser, mfaToken)).toMatchObject({ challengeWith: ['TOTP'] });
    await setPolicy(own, { totpEnabled: false, enrollment: 'OPTIONAL' });
    expect(await introspect(own.browser, mfaToken)).toMatchObject({
      challengeWith: [],
      effectivePolicy: { totpEnabled: false },
    });
  });

  test.each<[string, () => Promise<string>]>([
    ['was never handed out', async () => `${'x'.repeat(43)}.${Buffer.from('t').toString('base64url')}`],
    ['is no token', async () => 'nothing of the kind'],
    ['is empty', async () => ''],
    [
      'was finished',
      async () => {
        const user = await enrolledUser(server, world);
        const mfaToken = await startToken(world, user.id);
        await verify(world.browser, right(user.secret), mfaToken);
        await finishChallenge(world, mfaToken);
        return mfaToken;
      },
    ],
    [
      'was ended with the factor',
      async () => {
        const user = await enrolledUser(server, world);
        const mfaToken = await startToken(world, user.id);
        await deleteFactor(world, user.factorId);
        return mfaToken;
      },
    ],
    [
      'has expired',
      async () => {
        const mfaToken = await startToken(world, uniqueId('user'));
        server.clock.advance(600);
        return mfaToken;
      },
    ],
  ])('of a token that %s is null, like any other that is worth nothing', async (_, make) => {
    const { status, data, errors } = await world.browser.call(IntrospectDocument, { mfaToken: await make() });
    expect({ status, data, errors }).toEqual({ status: 200, data: { introspectMfaToken: null }, errors: [] });
  });
});

describe('TEN-2: beside the token', () => {
  let mfaToken: string;
  let userId: string;
  beforeAll(async () => {
    userId = (await enrolledUser(server, world)).id;
    mfaToken = await startToken(world, userId);
  });

  const schema = createSchema({ introspection: true });
  const fieldsOf = (type: string) => Object.values((schema.getType(type) as GraphQLObjectType).getFields());
  /** Every field of a type; of an object, one value in it. */
  const selections = (type: string): [string, string][] =>
    fieldsOf(type).map(({ name, type: of }) => {
      const named = getNamedType(of).name;
      if (isLeafType(schema.getType(named))) return [name, name];
      const leaf = fieldsOf(named).find((field) => isLeafType(getNamedType(field.type)));
      return [name, `${name} { ${leaf?.name} }`];
    });

  type Way = readonly string[];
  /** The ways to the tenant, by their names. */
  const ways = [
    ['tenant', ['tenant']],
    ['effectivePolicy.tenant', ['effectivePolicy', 'tenant']],
  ] as const;

  /** 'answered', or how it was refused. */
  async function read(caller: TestCaller, way: Way, selection: string): Promise<string> {
    const asked = ['introspectMfaToken(mfaToken: $mfaToken)', ...way].reduceRight(
      (inner, field) => `${field} { ${inner} }`,
      selection,
    );
    const { status, data, errors } = await caller.call<Pick<IntrospectQuery, 'introspectMfaToken'>, object>(
      `query ($mfaToken: String!) { ${asked} }`,
      { mfaToken },
    );
    if (errors.length === 0 && data.introspectMfaToken !== null) return 'answered';
    expect(data?.introspectMfaToken ?? null).toBeNull();
    return [status, ...errors.map(({ extensions }) => extensions?.['code'])].join(' ');
  }

  /** How each field of the tenant at the end of a way, or of its application, is answered. */
  async function readAll(caller: TestCaller, way: Way, type: 'Tenant' | 'Application') {
    const to = type === 'Application' ? [...way, 'application'] : way;
    const answers: Record<string, string> = {};
    for (const [name, selection] of selections(type)) answers[name] = await read(caller, to, selection);
    return answers;
  }

  /** All fields of a type, some of them answered and the others refused. */
  const only = (type: string, answered: readonly string[], refusal: string) =>
    Object.fromEntries(
      fieldsOf(type).map(({ name }) => [name, answered.includes(name) ? 'answered' : refusal]),
    );
  const ofToken = ['id', 'displayName', 'effectivePolicy'];

  test.each(ways)('nobody: id, displayName and policy of %s; all else UNAUTHENTICATED', async (_, way) => {
    const refusal = '401 UNAUTHENTICATED';
    expect(await readAll(world.browser, way, 'Tenant')).toEqual(only('Tenant', ofToken, refusal));
    expect(await readAll(world.browser, way, 'Application')).toEqual(only('Application', [], refusal));
  });

  test('nobody: all of the effective policy, and no more of its tenant by a longer way', async () => {
    for (const [name, selection] of selections('EffectivePolicy')) {
      const answer = await read(world.browser, ['tenant', 'effectivePolicy'], selection);
      expect([name, answer]).toEqual([name, 'answered']);
    }
    const longer = ['tenant', 'effectivePolicy', 'tenant', 'effectivePolicy', 'tenant'];
    expect(await read(world.browser, longer, 'id displayName')).toBe('answered');
    expect(await read(world.browser, longer, 'users { totalCount }')).toBe('401 UNAUTHENTICATED');
  });

  test.each(ways)('without a scope: of %s what its users see; all else FORBIDDEN', async (_, way) => {
    for (const caller of [await selfOf(server, world, userId), world.service]) {
      const refusal = '200 FORBIDDEN';
      const ofTenant = only('Tenant', [...ofToken, 'application'], refusal);
      expect(await readAll(caller, way, 'Tenant')).toEqual(ofTenant);
      const ofApplication = only('Application', ['id', 'displayName'], refusal);
      expect(await readAll(caller, way, 'Application')).toEqual(ofApplication);
    }
  });

  test.each(ways)('with the scopes: all of %s', async (_, way) => {
    const scopes = ['mfa-policy:read', 'auth-factor:read'];
    const reader = await server.caller({ applicationId: world.applicationId, scopes });
    for (const type of ['Tenant', 'Application'] as const) {
      expect(new Set(Object.values(await readAll(reader, way, type)))).toEqual(new Set(['answered']));
    }
  });

  test('STEP-1: whoever does not reach the tenant, or is another of its users, is told nothing', async () => {
    const strangers = [
      foreign.service,
      await selfOf(server, foreign, userId),
      await selfOf(server, world, uniqueId('user')),
      await server.caller({ applicationId: world.applicationId, tenantId: foreign.tenantId }),
    ];
    for (const stranger of strangers) {
      const { status, data, errors } = await stranger.call(IntrospectDocument, { mfaToken });
      expect([status, data, errors]).toEqual([200, { introspectMfaToken: null }, []]);
    }
  });

  test('JWT-1: a bad bearer is UNAUTHENTICATED, whatever the token is worth', async () => {
    for (const bad of ['x', 'a.b.c', mfaToken, `${world.service.token}x`]) {
      for (const asked of [mfaToken, 'unknown']) {
        const { status, data, errors } = await server
          .callerWith(bad)
          .call(IntrospectDocument, { mfaToken: asked });
        expect([status, data, errors[0]?.extensions?.['code']]).toEqual([401, null, 'UNAUTHENTICATED']);
      }
    }
  });
});
