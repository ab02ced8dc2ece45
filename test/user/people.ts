import type { GraphQLFormattedError } from 'graphql';
import { type TestCaller, type TestServer, uniqueId } from '../setup/harness.ts';
import { at } from '../signin/step-tools.ts';
import { enrolledUser, type SignInWorld, signInWorld, start } from '../signin/user-agent.ts';

/** Users of an application with two tenants, and of a foreign one. */
export interface People {
  world: SignInWorld;
  foreign: SignInWorld;
  /** The tenants of the application. */
  first: string;
  second: string;
  /** Enrolled in the first tenant; nobody else has this id. */
  ann: string;
  /** The same id in both tenants: enrolled in the first, asked to enroll in the second. */
  twin: string;
  /** The same id in the first tenant, and in the foreign application. */
  stray: string;
  /** Readers of factors, by how far they reach. */
  ofInstallation: TestCaller;
  ofApplication: TestCaller;
  ofFirst: TestCaller;
  ofSecond: TestCaller;
  /** A signed-in user, of the first tenant unless told. */
  self(sub: string, tenantId?: string): Promise<TestCaller>;
}

export async function makePeople(server: TestServer): Promise<People> {
  const policy = {
    totpEnabled: true,
    recoveryCodesEnabled: true,
    enrollment: 'REQUIRED' as const,
    gracePeriodDays: 3,
  };
  const world = await signInWorld(server, { tenants: 2, policy });
  const foreign = await signInWorld(server, { policy });
  const { applicationId } = world;
  const [first, second] = world.tenantIds as [string, string];
  const ann = (await enrolledUser(server, world)).id;
  const twin = (await enrolledUser(server, world)).id;
  await start(at(world, second), twin);
  const stray = uniqueId('stray');
  await start(world, stray);
  await start(foreign, stray);
  const scopes = ['auth-factor:read'];
  return {
    ...{ world, foreign, first, second, ann, twin, stray },
    ofInstallation: await server.caller({ scopes }),
    ofApplication: await server.caller({ scopes, applicationId }),
    ofFirst: await server.caller({ scopes, applicationId, tenantId: first }),
    ofSecond: await server.caller({ scopes, applicationId, tenantId: second }),
    self: (sub, tenantId = first) => server.caller({ sub, applicationId, tenantId, scopes: [] }),
  };
}

/** Errors as where they are and what they are. */
export const codesOf = (errors: readonly GraphQLFormattedError[]) =>
  errors.map(({ path, extensions }) => [path?.join('.'), extensions?.['code']]);

/** What KnownUserFields say of an enrolled user. */
export const enrolled = (id: string, tenantId: string) => ({
  id,
  tenantId,
  mfa: {
    tenant: { id: tenantId },
    state: 'ENROLLED',
    factors: [
      { type: 'TOTP', status: 'ACTIVE' },
      { type: 'RECOVERY_CODE', status: 'ACTIVE' },
    ],
    recoveryCodeState: 'ACTIVE',
    enrollmentDueAt: null,
    exemption: null,
    lockedUntil: null,
  },
});

/** Of a user never seen, within the grace of the policy. */
export const neverSeen = (id: string, tenantId: string) => ({
  id,
  tenantId,
  mfa: {
    tenant: { id: tenantId },
    state: 'PENDING',
    factors: [],
    recoveryCodeState: 'NONE',
    enrollmentDueAt: null,
    exemption: null,
    lockedUntil: null,
  },
});

/** Of a user who was asked to enroll, in part. */
export const asked = (id: string, tenantId: string) => ({
  id,
  tenantId,
  mfa: { tenant: { id: tenantId }, state: 'PENDING', factors: [], recoveryCodeState: 'NONE' },
});
