import { expect } from '@jest/globals';
import type { AsyncCommand } from 'fast-check';
import { SetTenantMfaPolicyOverrideDocument } from '../generated/documents.ts';
import type { TestServer } from '../setup/harness.ts';
import { codeAt } from '../setup/totp.ts';
import { daysFrom, grant, reset, revoke } from '../user/administrator.ts';
import { deleteFactor, explain, renewed, selfOf, setPolicy } from './step-tools.ts';
import { beginTotp, mfaOf, type SignInWorld, start, verify } from './user-agent.ts';

/*
 * What can happen to a user and to the policy that applies, each carried out over the API and on a
 * model that knows rules.md and nothing of the code.
 */

interface Policy {
  totpEnabled: boolean;
  enrollment: 'OPTIONAL' | 'REQUIRED';
  gracePeriodDays: number;
}

export interface Model {
  now: Date;
  isKnown: boolean;
  /** Set once, by the first sign-in that asked for enrollment. */
  requiredAt: Date | null;
  wasEverEnrolled: boolean;
  isEnrolled: boolean;
  exemptUntil: Date | null;
  policy: Policy;
  override: { enabled: boolean; policy: Policy | null };
}

export interface Real {
  server: TestServer;
  world: SignInWorld;
  userId: string;
  factorId: string | null;
}

type Event = AsyncCommand<Model, Real>;

export const newModel = (now: Date, policy: Policy): Model => ({
  now,
  isKnown: false,
  requiredAt: null,
  wasEverEnrolled: false,
  isEnrolled: false,
  exemptUntil: null,
  policy,
  override: { enabled: false, policy: null },
});

const applying = ({ policy, override }: Model): Policy =>
  override.enabled && override.policy !== null ? override.policy : policy;

const isExempt = ({ exemptUntil, now }: Model): boolean => exemptUntil !== null && exemptUntil > now;

/** rules.md section 2, the table, read once more. */
function reasonOf(model: Model): string {
  const { totpEnabled, enrollment, gracePeriodDays } = applying(model);
  if (!totpEnabled) return 'MFA_NOT_ENABLED';
  if (model.isEnrolled) return 'ENROLLED';
  if (isExempt(model)) return 'EXEMPT';
  if (enrollment === 'OPTIONAL') return 'ENROLLMENT_OPTIONAL';
  const due = daysFrom(model.requiredAt ?? model.now, gracePeriodDays);
  return !model.wasEverEnrolled && due > model.now ? 'GRACE_PERIOD' : 'ENROLLMENT_REQUIRED';
}

/** When grace ends; null outside of it, and where it has not begun. */
function dueOf(model: Model): string | null {
  if (reasonOf(model) !== 'GRACE_PERIOD' || model.requiredAt === null) return null;
  return daysFrom(model.requiredAt, applying(model).gracePeriodDays).toISOString();
}

const statusOf = (reason: string): string =>
  ({ ENROLLED: 'MFA_CHALLENGE_REQUIRED', ENROLLMENT_REQUIRED: 'MFA_ENROLLMENT_REQUIRED' })[reason] ??
  'AUTHENTICATED';

/** Whatever happened last, explainMfa tells what the model knows. */
async function expectExplained(model: Model, { world, userId }: Real): Promise<void> {
  const reason = reasonOf(model);
  const explained = await explain(world.admin, world, userId);
  expect(explained?.decision).toEqual({
    ...{ status: statusOf(reason), reason, enrollmentDueAt: dueOf(model) },
    ...{ mfaToken: null, expiresAt: null, pageUrl: null },
  });
  expect(explained?.rules.find(({ matched }) => matched)?.rule).toBe(reason);
}

/** A thing that can happen; after it, model and service are compared. */
function event(
  name: string,
  run: (model: Model, real: Real) => Promise<void>,
  check: (model: Readonly<Model>) => boolean = () => true,
): Event {
  return {
    check,
    async run(model, real) {
      await run(model, real);
      await expectExplained(model, real);
    },
    toString: () => name,
  };
}

/** Signs in, as the model expects it to end. */
async function signIn(model: Model, { world, userId }: Real) {
  const reason = reasonOf(model);
  if (reason === 'GRACE_PERIOD' || reason === 'ENROLLMENT_REQUIRED') model.requiredAt ??= model.now;
  model.isKnown = true;
  const decision = await start(world, userId);
  expect(decision).toMatchObject({ status: statusOf(reason), reason, enrollmentDueAt: dueOf(model) });
  return decision as Extract<typeof decision, { __typename: 'MfaDecision' }>;
}

export const signsIn = (): Event =>
  event('signs in', async (model, real) => {
    await signIn(model, real);
  });

/** In the step where there is one, else by the signed-in user itself. */
export const enrolls = (): Event =>
  event(
    'enrolls',
    async (model, real) => {
      const { server, world, userId } = real;
      const { mfaToken } = await signIn(model, real);
      const caller = mfaToken === null ? await selfOf(server, world, userId) : world.browser;
      const begun = await beginTotp(caller, mfaToken === null ? {} : { mfaToken });
      const code = codeAt(begun.secret, server.clock.now());
      expect(await verify(caller, code, mfaToken ?? undefined)).toMatchObject({
        __typename: 'FactorVerified',
      });
      real.factorId = begun.factor.id;
      Object.assign(model, { isEnrolled: true, wasEverEnrolled: true });
    },
    (model) => !model.isEnrolled && applying(model).totpEnabled,
  );

export const losesFactor = (): Event =>
  event(
    'loses the factor to an administrator',
    async (model, real) => {
      await deleteFactor(real.world, real.factorId ?? '');
      model.isEnrolled = false;
    },
    ({ isEnrolled }) => isEnrolled,
  );

const payloadOr = (isKnown: boolean) => (isKnown ? { __typename: 'UserPayload' } : { code: 'NOT_FOUND' });

export const isReset = (): Event =>
  event('is reset', async (model, { world, userId }) => {
    expect(await reset(world.admin, world, userId)).toMatchObject(payloadOr(model.isKnown));
    model.isEnrolled = false;
  });

export const isExempted = (days: number): Event =>
  event(`is exempted for ${days} days`, async (model, { world, userId }) => {
    const until = daysFrom(model.now, days);
    expect(await grant(world.admin, world, userId, until)).toMatchObject(payloadOr(true));
    Object.assign(model, { exemptUntil: until, isKnown: true });
  });

export const losesExemption = (): Event =>
  event('loses the exemption', async (model, { world, userId }) => {
    expect(await revoke(world.admin, world, userId)).toMatchObject(payloadOr(model.isKnown));
    model.exemptUntil = null;
  });

export const policyChanges = (policy: Policy): Event =>
  event(`the policy becomes ${JSON.stringify(policy)}`, async (model, { world }) => {
    await setPolicy(world, policy);
    model.policy = policy;
  });

export const toggleIsSet = (enabled: boolean, policy: Policy | null): Event =>
  event(`the override: ${enabled} ${JSON.stringify(policy)}`, async (model, { world }) => {
    const input = { tenantId: world.tenantId, enabled, ...(policy && { policy }) };
    const { data } = await world.admin.call(SetTenantMfaPolicyOverrideDocument, { input });
    expect(data.setTenantMfaPolicyOverride.__typename).toBe('TenantPayload');
    const values = policy ?? model.override.policy ?? (enabled ? model.policy : null);
    model.override = { enabled, policy: values };
  });

export const timePasses = (days: number): Event =>
  event(`${days} days pass`, async (model, real) => {
    real.server.clock.advance(days * 24 * 3600);
    model.now = real.server.clock.now();
    real.world = await renewed(real.server, real.world);
  });

/** The state that is shown says the same as the decision. */
export async function expectShown(model: Model, { world, userId }: Real): Promise<void> {
  const { state, exemption } = await mfaOf(world, userId);
  expect(state).toBe(
    {
      MFA_NOT_ENABLED: 'DISABLED',
      ENROLLED: 'ENROLLED',
      EXEMPT: 'EXEMPT',
      ENROLLMENT_OPTIONAL: 'OPTIONAL',
      GRACE_PERIOD: 'PENDING',
      ENROLLMENT_REQUIRED: 'OVERDUE',
    }[reasonOf(model)],
  );
  expect(exemption !== null).toBe(isExempt(model));
}
