import type { EntityManager } from '@mikro-orm/postgresql';
import { auditParts } from '../audit/audit.service.ts';
import { callerOf, type RequestContext } from '../caller/context.ts';
import { countOf, rowOf, sql, toDate } from '../db/sql.ts';
import { once } from '../idempotency/idempotency.service.ts';
import { secondsAfter } from '../shared/clock.ts';
import { challengeStepSeconds, enrollmentStepSeconds } from '../shared/limits.ts';
import { isId } from '../shared/text.ts';
import { InvalidInput, NotFound, parseInput } from '../shared/user-error.type.ts';
import { dueAt } from '../user/mfa-state.ts';
import { readSubject, type Subject } from '../user/subject.ts';
import { stateInputs } from '../user/user-view.ts';
import { type Decision, decide, decisionInputs, requiresEnrollment, type StepPurpose } from './decision.ts';
import { assertMayRunSteps } from './signin.access.ts';
import { type StartMfaInput, startOf } from './signin.input.ts';
import { MfaDecision } from './signin.type.ts';
import { newMfaToken } from './token.ts';

const stepSeconds: Record<StepPurpose, number> = {
  ENROLLMENT: enrollmentStepSeconds,
  CHALLENGE: challengeStepSeconds,
};

/** What is kept of a decision for a repeated call: all but the token. */
interface KeptDecision {
  decision: Omit<MfaDecision, 'mfaToken' | 'pageUrl'> | null;
  stepId: string | null;
  purpose: StepPurpose | null;
}

/** Decides the MFA step of a sign-in and opens it where there is something to do. */
export async function startMfa(
  context: RequestContext,
  input: StartMfaInput,
): Promise<MfaDecision | InvalidInput | NotFound> {
  assertMayRunSteps(callerOf(context));
  const valid = parseInput(startOf(context.redirectOrigins), input);
  if (valid instanceof InvalidInput) return valid;
  if (valid.idempotencyKey == null) return (await begin(context, context.em, input)).answer;

  const started = await once<Started>(context, {
    mutation: 'startMfa',
    key: valid.idempotencyKey,
    input,
    act: (em) => begin(context, em, input),
    keep: ({ kept }) => ({ ...kept }),
    restore: async (kept, em) => repeat(context, em, input.tenantId, kept as unknown as KeptDecision),
  });
  return started instanceof InvalidInput ? started : started.answer;
}

interface Started {
  answer: MfaDecision | NotFound;
  kept: KeptDecision;
}

const notFound: Started = {
  answer: new NotFound('tenant'),
  kept: { decision: null, stepId: null, purpose: null },
};

async function begin(context: RequestContext, em: EntityManager, input: StartMfaInput): Promise<Started> {
  const now = context.clock.now();
  const subject = isId(input.tenantId)
    ? await readSubject(em, callerOf(context), input.tenantId, input.userId, now)
    : null;
  if (subject === null) return notFound;

  const decision = decide(decisionInputs(subject, input.identityProvider), now);
  const { purpose } = decision;
  const step = purpose && {
    id: context.ids.next(),
    token: newMfaToken(subject.tenant.id),
    expiresAt: secondsAfter(now, stepSeconds[purpose]),
  };
  const requiredAt = await save(context, em, input, subject, decision, step);
  const kept: KeptDecision = {
    decision: {
      status: decision.status,
      reason: decision.reason,
      expiresAt: step?.expiresAt ?? null,
      // The moment that counts is the one stored: a parallel start may have been first.
      enrollmentDueAt:
        decision.reason === 'GRACE_PERIOD' ? dueAt(stateInputs(subject).policy, requiredAt ?? now) : null,
    },
    stepId: step?.id ?? null,
    purpose,
  };
  return { answer: withToken(context, kept, step?.token.text ?? null), kept };
}

/** Learns of the user, opens the step and records the decision, in one statement. */
async function save(
  context: RequestContext,
  em: EntityManager,
  input: StartMfaInput,
  { tenant, userId }: Subject,
  decision: Decision,
  step: { id: string; token: { hash: string }; expiresAt: Date } | null,
): Promise<Date | null> {
  const now = context.clock.now();
  const requiredAt = requiresEnrollment(decision) ? now : null;
  const opened = step
    ? sql`opened as (
        insert into mfa_steps (tenant_id, id, application_id, user_id, token_hash, purpose, trigger, account_name, redirect_url, created_at, expires_at)
        values (${tenant.id}, ${step.id}, ${tenant.applicationId}, ${userId}, ${step.token.hash}, ${decision.purpose},
          ${input.trigger}, ${input.accountName}, ${input.redirectUrl ?? null}, ${now}, ${step.expiresAt})),`
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
    em,
    sql<{ requiredAt: string | null }>`
      with learned as (
        insert into users (tenant_id, id, account_name, enrollment_required_at, created_at)
        values (${tenant.id}, ${userId}, ${input.accountName}, ${requiredAt}, ${now})
        on conflict (tenant_id, id) do update set account_name = excluded.account_name,
          enrollment_required_at = coalesce(users.enrollment_required_at, excluded.enrollment_required_at)
        returning enrollment_required_at),
      ${opened}
      ${auditParts(context, callerOf(context).subject, events)}
      select enrollment_required_at as "requiredAt" from learned`,
  );
  return row?.requiredAt == null ? null : toDate(row.requiredAt);
}

/** The first decision again, with a new token in the place of the first, which dies. */
async function repeat(
  context: RequestContext,
  em: EntityManager,
  tenantId: string,
  kept: KeptDecision,
): Promise<Started> {
  if (kept.decision === null) return notFound;
  const decision = {
    ...kept.decision,
    expiresAt: revive(kept.decision.expiresAt),
    enrollmentDueAt: revive(kept.decision.enrollmentDueAt),
  };
  const again = { ...kept, decision };
  if (kept.stepId === null) return { answer: withToken(context, again, null), kept };
  const token = newMfaToken(tenantId);
  await countOf(
    em,
    sql`update mfa_steps set token_hash = ${token.hash} where tenant_id = ${tenantId} and id = ${kept.stepId}`,
  );
  return { answer: withToken(context, again, token.text), kept };
}

function withToken(
  context: RequestContext,
  { decision, purpose }: KeptDecision,
  mfaToken: string | null,
): MfaDecision | NotFound {
  if (decision === null) return notFound.answer;
  const page = purpose === 'CHALLENGE' ? 'challenge' : 'enroll';
  const pageUrl = mfaToken === null ? null : `${context.publicUrl}/mfa/${page}#token=${mfaToken}`;
  return new MfaDecision({ ...decision, mfaToken, pageUrl });
}

/** JSON gives moments back as text. */
const revive = (moment: Date | null): Date | null => moment && new Date(moment);
