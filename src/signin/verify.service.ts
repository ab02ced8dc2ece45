import { type AuditEntry, auditParts, recordAs } from '../audit/audit.service.ts';
import type { RequestContext } from '../caller/context.ts';
import { countOf, rowOf, type Statements, sql } from '../db/sql.ts';
import { type RefusedFor, reservePendingAttempt, returnPendingAttempt } from '../factor/attempts.ts';
import {
  FactorNotAllowed,
  InvalidCode,
  InvalidMfaToken,
  type TooManyAttempts,
} from '../factor/factor-error.type.ts';
import type { FactorKind } from '../factor/factor-kind.ts';
import { recoveryCode } from '../factor/recovery-code.ts';
import { refused } from '../factor/refusal.ts';
import type { PendingFactor, StoredFactor } from '../factor/rows.ts';
import { totp } from '../factor/totp.ts';
import { effectivePolicy } from '../policy/effective-policy.ts';
import { refusalEvent, tryCode } from '../user/code-check.ts';
import type { StoredUser } from '../user/subject.ts';
import { factorView } from '../user/user-view.ts';
import { newRecoveryCode, putRecoveryCode } from './recovery-code-issue.ts';
import {
  isOpen,
  isRecovered,
  lockedStep,
  openSession,
  openStep,
  type Session,
  type Step,
  withinStep,
} from './session.ts';
import type {
  VerifyRecoveryCodeAuthFactorChallengeInput,
  VerifyTotpAuthFactorChallengeInput,
} from './signin.input.ts';
import { FactorVerified } from './signin.type.ts';

type Verified = FactorVerified | InvalidCode | TooManyAttempts | InvalidMfaToken | FactorNotAllowed;

/** A TOTP code: it confirms what was begun in this step, or answers the challenge. */
export async function verifyTotp(
  context: RequestContext,
  { mfaToken, code }: VerifyTotpAuthFactorChallengeInput,
): Promise<Verified> {
  const session = await openSession(context, mfaToken);
  if (!('subject' in session)) return session;
  if (!totp.isAllowedBy(effectivePolicy(session.subject.tenant))) return notAllowed(context, session, totp);
  const begun = pendingOf(session, totp);
  // What a recovery code allowed to begin is not confirmed once such codes are not accepted.
  if (begun?.replaces != null && session.step?.satisfiedBy === recoveryCode.amr && !isRecovered(session)) {
    return notAllowed(context, session, totp);
  }
  return begun ? confirm(context, session, begun, code) : challenge(context, session, totp, code);
}

/** A recovery code: it answers a challenge, once. */
export async function verifyRecoveryCode(
  context: RequestContext,
  { mfaToken, recoveryCode: code }: VerifyRecoveryCodeAuthFactorChallengeInput,
): Promise<Verified> {
  const session = await openStep(context, mfaToken);
  if (!('subject' in session)) return session;
  if (session.step.purpose !== 'CHALLENGE') return new InvalidMfaToken();
  if (!recoveryCode.isAllowedBy(effectivePolicy(session.subject.tenant))) {
    return notAllowed(context, session, recoveryCode);
  }
  return challenge(context, session, recoveryCode, code);
}

/** A code that the policy keeps from being looked at is an attempt all the same. */
export async function notAllowed(
  context: RequestContext,
  { subject, actor }: Session,
  kind: FactorKind,
): Promise<FactorNotAllowed> {
  await recordAs(context, context.em, actor, [refusalEvent(subject, kind, 'not allowed')]);
  return new FactorNotAllowed();
}

/** What was begun by whoever confirms: in this very step, or in self-service. */
export const pendingOf = ({ subject, step }: Session, kind: FactorKind): PendingFactor | undefined =>
  subject.pending.find(({ type, stepId }) => type === kind.type && stepId === (step?.id ?? ''));

async function challenge(
  context: RequestContext,
  session: Session,
  kind: FactorKind,
  code: string,
): Promise<Verified> {
  const { subject, step, actor } = session;
  const now = context.clock.now();
  const { tenant } = subject;
  const result = await tryCode(context, subject, actor, kind, code, {
    within: withinStep(session, now),
    events: [],
    statements: (accepted): Statements =>
      step?.purpose === 'CHALLENGE' ? { satisfied: satisfy(step, tenant.id, kind, now, accepted) } : {},
  });
  if (!('spent' in result)) return result;
  const used = { ...(subject.factors[kind.type] as StoredFactor), spent: result.spent, lastUsedAt: now };
  return new FactorVerified(factorView(used, cleared(subject.user), effectivePolicy(tenant)));
}

/** Once a recovery code has satisfied a step, the assertion says so, whatever follows. */
const satisfy = (
  step: Step,
  tenantId: string,
  kind: FactorKind,
  now: Date,
  accepted: ReturnType<typeof sql>,
) => sql`
  update mfa_steps s set satisfied_by = case when s.satisfied_by = 'recovery' then 'recovery' else ${kind.amr} end
  where s.tenant_id = ${tenantId} and s.id = ${step.id} and ${isOpen('s', now)} and ${accepted}`;

/**
 * Confirms a pending factor: it becomes the active one and takes the place of the old. In the same
 * statement die the old factor, its recovery code, every other pending factor and every other open
 * enrollment step, and all counters are set to zero. An open challenge elsewhere was satisfied, if it
 * was, by a factor that is dead: it must be answered again, so that a stolen code does not outlive it.
 *
 * The attempt is counted before the code is looked at; that it failed is recorded in a later statement.
 */
async function confirm(
  context: RequestContext,
  session: Session,
  begun: PendingFactor,
  code: string,
): Promise<Verified> {
  const { em, clock, keyRing } = context;
  const now = clock.now();
  const { tenant, userId, user } = session.subject;
  const about = { applicationId: tenant.applicationId, tenantId: tenant.id, userId };
  const failed: AuditEntry = {
    ...about,
    action: 'mfa_challenge.failed',
    detail: { type: begun.type, pending: true },
  };
  const left = await reservePendingAttempt(em, tenant.id, begun.id, now);
  const recordRefused = (refusedFor: RefusedFor) =>
    recordAs(context, em, session.actor, [{ ...failed, detail: { ...failed.detail, refusedFor } }]);
  if (left === null) {
    await recordRefused('gone');
    return refused(context, new InvalidCode(0));
  }
  const place = { tenantId: tenant.id, userId, id: begun.id };
  let spends: number | null;
  try {
    spends = totp.verify(code, { place, secret: begun.secret, spent: 0 }, keyRing, now);
  } catch (fault) {
    await returnPendingAttempt(em, tenant.id, begun.id);
    throw fault;
  }
  if (spends !== null) {
    const { activated, lasts } = await activate(context, session, begun, spends);
    if (!lasts) {
      await returnPendingAttempt(em, tenant.id, begun.id);
      await recordRefused('step over');
      return new InvalidMfaToken();
    }
    if (activated !== null) {
      const factor = { ...begun, spent: spends, activatedAt: now, lastUsedAt: now };
      return new FactorVerified(
        factorView(factor, cleared(user), effectivePolicy(tenant)),
        activated.recoveryCode,
      );
    }
  }
  // The last wrong code takes the pending factor with it.
  await countOf(
    em,
    sql`with gone as (
        delete from pending_auth_factors where tenant_id = ${tenant.id} and id = ${begun.id} and ${left === 0}::boolean
      ), ${auditParts(context, session.actor, [failed])} select 1`,
  );
  return refused(context, new InvalidCode(left));
}

async function activate(
  context: RequestContext,
  { subject, step, actor }: Session,
  begun: PendingFactor,
  spends: number,
): Promise<{ activated: { recoveryCode: string | null } | null; lasts: boolean }> {
  const now = context.clock.now();
  const { tenant, userId } = subject;
  const policy = effectivePolicy(tenant);
  const about = { applicationId: tenant.applicationId, tenantId: tenant.id, userId };
  const issued = recoveryCode.isAllowedBy(policy) ? newRecoveryCode(context, tenant.id, userId) : null;
  const events: AuditEntry[] = [
    {
      ...about,
      action: 'auth_factor.enrolled',
      detail: { type: begun.type, factorId: begun.id, ...(begun.replaces && { replaces: begun.replaces }) },
    },
    ...(issued ? [{ ...about, action: 'recovery_code.issued' as const, detail: {} }] : []),
  ];
  const locked = sql`exists (select from locked)`;
  const done = sql`exists (select from activated)`;
  const ofUser = sql`tenant_id = ${tenant.id} and user_id = ${userId}`;
  const row = await rowOf(
    context.em,
    // The user's row is locked first: two confirmations take turns, and the second finds nothing.
    // A factor that became active since this one was begun is not replaced (replaces).
    sql<{ done: boolean; lasts: boolean }>`
      with locked as (select id from users where tenant_id = ${tenant.id} and id = ${userId} for update),
      allowed as (${step ? lockedStep(tenant.id, step, now, locked) : sql`select 1 from locked`}),
      taken as (
        delete from pending_auth_factors p
        where p.tenant_id = ${tenant.id} and p.id = ${begun.id} and p.expires_at > ${now} and exists (select from allowed)
        returning p.*
      ),
      activated as (
        insert into auth_factors as f (tenant_id, user_id, type, id, key_id, secret, spent, created_at, activated_at, last_used_at)
        select tenant_id, user_id, type, id, key_id, secret, ${spends}::bigint, created_at, ${now}, ${now} from taken
        on conflict (tenant_id, user_id, type) do update set id = excluded.id, key_id = excluded.key_id,
          secret = excluded.secret, spent = excluded.spent, created_at = excluded.created_at,
          activated_at = excluded.activated_at, last_used_at = excluded.last_used_at
        where f.id = ${begun.replaces}::uuid
        returning 1
      ),
      others_gone as (delete from pending_auth_factors where ${ofUser} and id <> ${begun.id} and ${done}),
      others_judged_anew as (
        update mfa_steps s set ended_at = case when purpose = 'ENROLLMENT' then ${now}::timestamptz end, satisfied_by = null
        where ${ofUser} and id <> ${step?.id ?? begun.id} and ${isOpen('s', now)} and ${done}
      ),
      enrolled as (
        update users set first_enrolled_at = coalesce(first_enrolled_at, ${now}), totp_failures = 0, totp_locked_until = null,
          recovery_failures = 0, recovery_locked_until = null
        where tenant_id = ${tenant.id} and id = ${userId} and ${done}
      ),
      satisfied as (
        update mfa_steps set satisfied_by = 'otp'
        where tenant_id = ${tenant.id} and id = ${step?.id ?? null} and purpose = 'ENROLLMENT' and ${done}
      ),
      recovery as (${issued ? putRecoveryCode(issued, now, done) : sql`delete from auth_factors where ${ofUser} and type = 'RECOVERY_CODE' and ${done}`}),
      ${auditParts(context, actor, events, done)}
      select ${done} as done, exists (select from allowed) as lasts`,
  );
  return {
    activated: row?.done ? { recoveryCode: issued?.shown ?? null } : null,
    lasts: row?.lasts ?? false,
  };
}

/** An accepted code has set the counters of its kind to zero. */
const cleared = (user: StoredUser): StoredUser => ({ ...user, totpFailures: 0, recoveryFailures: 0 });
