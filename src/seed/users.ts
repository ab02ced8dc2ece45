import { v7 } from 'uuid';
import { recoveryCode } from '../factor/recovery-code.ts';
import { totp } from '../factor/totp.ts';
import type { EffectivePolicyValues } from '../policy/effective-policy.ts';
import { secondsAfter } from '../shared/clock.ts';
import type { KeyRing } from '../shared/key-ring.ts';
import {
  attemptsMax,
  firstWaitSeconds,
  freeAttemptsMax,
  pendingAttemptsMax,
  pendingFactorSeconds,
  totpPeriodSeconds,
  waitSecondsMax,
} from '../shared/limits.ts';
import { exemptionReasons, firstNames, lastNames } from './names.ts';
import type { Random } from './random.ts';
import type { RowOf } from './tables.ts';
import { daysBefore, type SeededTenant } from './tenants.ts';

/* Users in every state, with the moments in the order in which they can have come. */

export interface SeededUser {
  user: RowOf<'users'>;
  factors: RowOf<'auth_factors'>[];
  pending: RowOf<'pending_auth_factors'>[];
}

export interface UserDeps {
  random: Random;
  keyRing: KeyRing;
  now: Date;
}

interface UserPlace {
  tenantId: string;
  userId: string;
}

/** How many of a tenant's users, from 0 to 1. */
interface Shares {
  enrolled: number;
  /** Of the others, those who once were. */
  formerlyEnrolled: number;
  /** Have begun an enrollment. */
  begun: number;
  /** Were once asked to enroll. */
  asked: number;
  /** Have an exemption that runs or ran. */
  exempt: number;
}

const sharesOff: Shares = { enrolled: 0.25, formerlyEnrolled: 0.03, begun: 0, asked: 0.1, exempt: 0.02 };
const sharesByEnrollment: Record<EffectivePolicyValues['enrollment'], Shares> = {
  OPTIONAL: { enrolled: 0.4, formerlyEnrolled: 0.03, begun: 0.02, asked: 0.05, exempt: 0.02 },
  REQUIRED: { enrolled: 0.6, formerlyEnrolled: 0.05, begun: 0.03, asked: 0.85, exempt: 0.06 },
};

/** @param n from 1, over all tenants */
export function seedUser(deps: UserDeps, tenant: SeededTenant, prefix: string, n: number): SeededUser {
  const { random, now } = deps;
  const policy = tenant.effectivePolicy;
  const shares = policy.mfaEnabled ? sharesByEnrollment[policy.enrollment] : sharesOff;
  const place = { tenantId: tenant.id, userId: `${prefix}-u${String(n).padStart(8, '0')}` };
  const createdAt = random.between(tenant.createdAt, daysBefore(now, 2));
  const askedAt = random.chance(shares.asked) ? askedMoment(deps, policy, createdAt) : null;

  const enrolled = random.chance(shares.enrolled)
    ? seedFactors(deps, place, policy, askedAt ?? createdAt)
    : null;
  const begun = random.chance(shares.begun) ? [seedPending(deps, place, enrolled?.totp ?? null)] : [];
  // Some had another authenticator before, or have none any more.
  const hadAnother = random.chance(enrolled ? 0.15 : shares.formerlyEnrolled);
  const firstEnrolledAt = hadAnother
    ? random.between(askedAt ?? createdAt, enrolled?.begunAt ?? anHourBefore(now))
    : (enrolled?.activatedAt ?? null);
  return {
    user: {
      tenant_id: place.tenantId,
      id: place.userId,
      // One who is known by an exemption only has none.
      account_name: random.chance(0.98) ? accountName(random, tenant, n) : null,
      enrollment_required_at: askedAt,
      first_enrolled_at: firstEnrolledAt,
      ...exemption(deps, shares.exempt),
      ...(enrolled ? counters(deps, enrolled.recovery !== null) : noFailures),
      created_at: createdAt,
    },
    factors: enrolled ? [enrolled.totp, ...(enrolled.recovery ? [enrolled.recovery] : [])] : [],
    pending: begun,
  };
}

const anHourBefore = (now: Date): Date => secondsAfter(now, -3600);

const accountName = (random: Random, tenant: SeededTenant, n: number): string =>
  `${random.pick(firstNames)}.${random.pick(lastNames)}.${n}@${tenant.id.replace(/[^A-Za-z0-9]/g, '-')}.example`;

/** So long ago that about half of those who had grace still have it. */
function askedMoment({ random, now }: UserDeps, policy: EffectivePolicyValues, createdAt: Date): Date {
  const earliest = daysBefore(now, 2 * policy.gracePeriodDays + 2);
  return random.between(earliest > createdAt ? earliest : createdAt, secondsAfter(now, -2 * 3600));
}

function exemption(
  { random, now }: UserDeps,
  share: number,
): Pick<RowOf<'users'>, 'exempt_until' | 'exemption_reason' | 'exemption_granted_by'> {
  if (!random.chance(share)) {
    return { exempt_until: null, exemption_reason: null, exemption_granted_by: null };
  }
  const days = 1 + random.below(60);
  return {
    exempt_until: secondsAfter(random.chance(0.5) ? now : daysBefore(now, 61), days * 24 * 3600),
    exemption_reason: random.pick(exemptionReasons),
    exemption_granted_by: random.pick(['admin-1', 'admin-2', 'help-desk']),
  };
}

interface Enrolled {
  begunAt: Date;
  activatedAt: Date;
  totp: RowOf<'auth_factors'>;
  recovery: RowOf<'auth_factors'> | null;
}

/** An authenticator app, and the recovery code that came with it. */
function seedFactors(
  { random, keyRing, now }: UserDeps,
  place: UserPlace,
  policy: EffectivePolicyValues,
  from: Date,
): Enrolled {
  const begunAt = random.between(from, anHourBefore(now));
  const activatedAt = secondsAfter(begunAt, 10 + random.below(300));
  const lastUsedAt = random.between(activatedAt, anHourBefore(now));
  const id = idAt(random, begunAt);
  const { kept } = totp.begin({ ...place, id }, keyRing);
  return {
    begunAt,
    activatedAt,
    totp: {
      tenant_id: place.tenantId,
      user_id: place.userId,
      id,
      type: totp.type,
      key_id: kept.keyId,
      secret: kept.bytes,
      created_at: begunAt,
      spent: Math.floor(lastUsedAt.getTime() / 1000 / totpPeriodSeconds),
      activated_at: activatedAt,
      last_used_at: lastUsedAt,
    },
    // Where they are switched off, some are kept from before.
    recovery: random.chance(recoveryCode.isAllowedBy(policy) ? 0.95 : 0.1)
      ? seedRecoveryCode({ random, keyRing, now }, place, activatedAt)
      : null,
  };
}

function seedRecoveryCode(
  { random, keyRing, now }: UserDeps,
  place: UserPlace,
  issuedAt: Date,
): RowOf<'auth_factors'> {
  const id = idAt(random, issuedAt);
  const { kept } = recoveryCode.begin({ ...place, id }, keyRing);
  const isRedeemed = random.chance(0.05);
  return {
    tenant_id: place.tenantId,
    user_id: place.userId,
    id,
    type: recoveryCode.type,
    key_id: kept.keyId,
    secret: kept.bytes,
    created_at: issuedAt,
    spent: isRedeemed ? 1 : 0,
    activated_at: issuedAt,
    last_used_at: isRedeemed ? random.between(issuedAt, anHourBefore(now)) : null,
  };
}

/** Begun in self-service, a moment ago or so long that it is over. */
function seedPending(
  { random, keyRing, now }: UserDeps,
  place: UserPlace,
  active: RowOf<'auth_factors'> | null,
): RowOf<'pending_auth_factors'> {
  const isOver = random.chance(0.3);
  const createdAt = secondsAfter(
    now,
    -random.below(pendingFactorSeconds / 2) - (isOver ? pendingFactorSeconds : 0),
  );
  const id = idAt(random, createdAt);
  const { kept } = totp.begin({ ...place, id }, keyRing);
  return {
    tenant_id: place.tenantId,
    user_id: place.userId,
    id,
    type: totp.type,
    key_id: kept.keyId,
    secret: kept.bytes,
    created_at: createdAt,
    step_id: '',
    replaces: active?.id ?? null,
    failures: random.chance(0.2) ? 1 + random.below(pendingAttemptsMax - 1) : 0,
    expires_at: secondsAfter(createdAt, pendingFactorSeconds),
  };
}

type Counters = Pick<
  RowOf<'users'>,
  'totp_failures' | 'totp_locked_until' | 'recovery_failures' | 'recovery_locked_until'
>;

const noFailures: Counters = {
  totp_failures: 0,
  totp_locked_until: null,
  recovery_failures: 0,
  recovery_locked_until: null,
};

function counters(deps: UserDeps, hasRecoveryCode: boolean): Counters {
  const [totpFailures, totpLockedUntil] = failures(deps);
  if (!hasRecoveryCode)
    return { ...noFailures, totp_failures: totpFailures, totp_locked_until: totpLockedUntil };
  const [recoveryFailures, recoveryLockedUntil] = failures(deps);
  return {
    totp_failures: totpFailures,
    totp_locked_until: totpLockedUntil,
    recovery_failures: recoveryFailures,
    recovery_locked_until: recoveryLockedUntil,
  };
}

/**
 * Wrong codes of the last half hour, and the wait that the last one began: of one user in thirty. Some
 * went on until the factor was disabled.
 */
function failures({ random, now }: UserDeps): [failures: number, lockedUntil: Date | null] {
  if (!random.chance(1 / 30)) return [0, null];
  const count = random.chance(0.2) ? attemptsMax : 1 + random.below(12);
  if (count < freeAttemptsMax) return [count, null];
  const waitSeconds = Math.min(firstWaitSeconds * 2 ** (count - freeAttemptsMax), waitSecondsMax);
  return [count, secondsAfter(now, waitSeconds - random.below(1800))];
}

/** A UUIDv7 of a moment. */
const idAt = (random: Random, at: Date): string => v7({ msecs: at.getTime(), random: random.bytes(16) });
