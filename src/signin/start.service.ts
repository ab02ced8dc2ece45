import { auditParts } from '../audit/audit.service.ts';
import { callerOf, type RequestContext } from '../caller/context.ts';
import { countOf, hot, type RawBuilder, rowOf, sql, toDate } from '../db/sql.ts';
import { claim, type IdempotencyKey, keyOf, usedForAnother } from '../idempotency/idempotency.service.ts';
import { secondsAfter } from '../shared/clock.ts';
import { challengeStepSeconds, enrollmentStepSeconds } from '../shared/limits.ts';
import { isId } from '../shared/text.ts';
import { InvalidInput, NotFound } from '../shared/user-error.type.ts';
import { dueAt } from '../user/mfa-state.ts';
import { readSubject, type Subject } from '../user/subject.ts';
import {
  type Decision,
  decide,
  decisionInputs,
  type MfaReason,
  type MfaStatus,
  requiresEnrollment,
  type StepPurpose,
} from './decision.ts';
import { assertMayRunSteps } from './signin.access.ts';
import { parseStart, type StartMfaInput } from './signin.input.ts';
import { MfaDecision } from './signin.type.ts';
import { newMfaToken } from './token.ts';

const stepSeconds: Record<StepPurpose, number> = {
  ENROLLMENT: enrollmentStepSeconds,
  CHALLENGE: challengeStepSeconds,
};

/** What is kept of a decision for a repeated call: all but the token. */
interface KeptDecision {
  status: MfaStatus;
  reason: MfaReason;
  /** The step that was opened; null where there was none. */
  step: { id: string; purpose: StepPurpose; expiresAt: Date } | null;
  /** Days from the moment when enrollment was first required; null outside the grace period. */
  graceDays: number | null;
}

/** A step about to be opened. */
interface NewStep {
  id: string;
  purpose: StepPurpose;
  token: { text: string; hash: string };
  expiresAt: Date;
}

/**
 * Decides the MFA step of a sign-in and opens it where there is something to do: one read, one write.
 * With an idempotency key, the write claims it; where it is taken, the first decision is answered again.
 */
export async function startMfa(
  context: RequestContext,
  input: StartMfaInput,
): Promise<MfaDecision | InvalidInput | NotFound> {
  const caller = callerOf(context);
  assertMayRunSteps(caller);
  const valid = parseStart(input, context.redirectOrigins);
  if (valid instanceof InvalidInput) return valid;
  const key = valid.idempotencyKey == null ? null : keyOf(context, 'startMfa', valid.idempotencyKey, input);

  const now = context.clock.now();
  const subject = isId(input.tenantId)
    ? await readSubject(context.em, caller, input.tenantId, input.userId, now)
    : null;
  if (subject === null) {
    const isFirst =
      key === null || (await countOf(context.em, claim(context, key, { notFound: true }))) === 1;
    return isFirst ? new NotFound('tenant') : repeat(context, input, key);
  }

  const inputs = decisionInputs(subject, input.identityProvider);
  const decision = decide(inputs, now);
  const step = decision.purpose && newStep(context, subject.tenant.id, decision.purpose);
  const kept: KeptDecision = {
    status: decision.status,
    reason: decision.reason,
    step: step && { id: step.id, purpose: step.purpose, expiresAt: step.expiresAt },
    graceDays: decision.reason === 'GRACE_PERIOD' ? inputs.policy.gracePeriodDays : null,
  };
  const saved = await save(context, input, subject, decision, step, key && claim(context, key, kept));
  if (saved === null) return key === null ? new NotFound('tenant') : repeat(context, input, key);
  return answerOf(context, kept, saved.requiredAt, step?.token.text ?? null);
}

function newStep({ ids, clock, keyRing }: RequestContext, tenantId: string, purpose: StepPurpose): NewStep {
  const expiresAt = secondsAfter(clock.now(), stepSeconds[purpose]);
  return { id: ids.next(), purpose, token: newMfaToken(tenantId, keyRing), expiresAt };
}

/**
 * Learns of the user, opens the step and records the decision, in one statement.
 * @param claiming claims the idempotency key; where it is taken, nothing is done
 * @returns since when enrollment is required of the user; null where the key was taken
 */
async function save(
  context: RequestContext,
  input: StartMfaInput,
  { tenant, userId }: Subject,
  decision: Decision,
  step: NewStep | null,
  claiming: RawBuilder<unknown> | null,
): Promise<{ requiredAt: Date | null } | null> {
  const now = context.clock.now();
  const requiredAt = requiresEnrollment(decision) ? now : null;
  const isFirst = sql`exists (select from claimed)`;
  const opened = step
    ? sql`opened as (
        insert into mfa_steps (tenant_id, id, application_id, user_id, token_hash, purpose, trigger, account_name, redirect_url, created_at, expires_at)
        select ${tenant.id}, ${step.id}::uuid, ${tenant.applicationId}, ${userId}, ${step.token.hash}, ${step.purpose},
          ${input.trigger}, ${input.accountName}, ${input.redirectUrl ?? null}, ${now}::timestamptz, ${step.expiresAt}::timestamptz
        where ${isFirst}),`
    : sql``;
  const events = [
    {
      action: 'mfa_step.started' as const,
      applicationId: tenant.applicationId,
      tenantId: tenant.id,
      userId,
      detail: { status: decision.status, reason: decision.reason, trigger: input.trigger },
    },
  ];
  const row = await rowOf(
    context.em,
    hot(sql<{ requiredAt: string | null }>`
      with claimed as (${claiming ? sql`${claiming} returning 1` : sql`select 1`}),
      learned as (
        insert into users (tenant_id, id, account_name, enrollment_required_at, created_at)
        select ${tenant.id}, ${userId}, ${input.accountName}, ${requiredAt}::timestamptz, ${now}::timestamptz where ${isFirst}
        on conflict (tenant_id, id) do update set account_name = excluded.account_name,
          enrollment_required_at = coalesce(users.enrollment_required_at, excluded.enrollment_required_at)
        returning enrollment_required_at),
      ${opened}
      ${auditParts(context, callerOf(context).subject, events, isFirst)}
      select enrollment_required_at as "requiredAt" from learned`),
  );
  return row && { requiredAt: row.requiredAt === null ? null : toDate(row.requiredAt) };
}

/** The first decision again, with a new token in the place of the first, which dies. */
async function repeat(
  context: RequestContext,
  { tenantId, userId }: StartMfaInput,
  { id, inputDigest }: IdempotencyKey,
): Promise<MfaDecision | InvalidInput | NotFound> {
  const first = await rowOf(
    context.em,
    sql<{
      inputDigest: string;
      kept: KeptDecision | { notFound: true };
      isThere: boolean;
      requiredAt: string | null;
    }>`
      with there as materialized (
        select 1 from tenants t where t.id = ${tenantId} and ${callerOf(context).tenantsInBoundary('t')}),
      required as materialized (
        select u.enrollment_required_at as at from users u where u.tenant_id = ${tenantId} and u.id = ${userId})
      select k.input_digest as "inputDigest", k.answer as kept,
        exists (select 1 from there) as "isThere", (select at from required) as "requiredAt"
      from idempotency_keys k where k.id = ${id}`,
  );
  if (first?.inputDigest !== inputDigest) return usedForAnother();
  const { kept, isThere } = first;
  if ('notFound' in kept || !isThere) return new NotFound('tenant');
  const requiredAt = first.requiredAt === null ? null : toDate(first.requiredAt);
  if (kept.step === null) return answerOf(context, kept, requiredAt, null);
  const token = newMfaToken(tenantId, context.keyRing);
  await countOf(
    context.em,
    sql`update mfa_steps set token_hash = ${token.hash} where tenant_id = ${tenantId} and id = ${kept.step.id}`,
  );
  return answerOf(context, kept, requiredAt, token.text);
}

/** @param requiredAt the moment that is stored: of parallel starts, the first one's */
function answerOf(
  { clock, publicUrl }: RequestContext,
  { status, reason, step, graceDays }: KeptDecision,
  requiredAt: Date | null,
  mfaToken: string | null,
): MfaDecision {
  const page = step?.purpose === 'CHALLENGE' ? 'challenge' : 'enroll';
  return new MfaDecision({
    status,
    reason,
    mfaToken,
    // JSON gives moments back as text.
    expiresAt: step && new Date(step.expiresAt),
    enrollmentDueAt:
      graceDays === null ? null : dueAt({ gracePeriodDays: graceDays }, requiredAt ?? clock.now()),
    pageUrl: mfaToken === null ? null : `${publicUrl}/mfa/${page}#token=${mfaToken}`,
  });
}
