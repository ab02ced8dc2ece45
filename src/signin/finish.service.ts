import { auditParts } from '../audit/audit.service.ts';
import { callerOf, type RequestContext } from '../caller/context.ts';
import { hot, rowOf, sql } from '../db/sql.ts';
import { runningWait } from '../factor/attempts.ts';
import { InvalidMfaToken, MfaNotSatisfied } from '../factor/factor-error.type.ts';
import { recoveryCode } from '../factor/recovery-code.ts';
import { totp } from '../factor/totp.ts';
import { effectivePolicy } from '../policy/effective-policy.ts';
import { recoveryCodeState, verifiableTypes } from '../user/user-view.ts';
import { signAssertion } from './assertion.ts';
import { decide, decisionInputs, type StepPurpose } from './decision.ts';
import { isOpen, type OpenStep, openStep } from './session.ts';
import { assertMayRunSteps } from './signin.access.ts';
import { isAllowedRedirect } from './signin.input.ts';
import { MfaCompleted } from './signin.type.ts';
import type { MfaTokenInfo } from './token-info.type.ts';

const completedAction = {
  ENROLLMENT: 'mfa_enrollment.completed',
  CHALLENGE: 'mfa_challenge.completed',
} as const;

/**
 * Finishes a step, exactly once: re-reads policy and factors, judges the state of now, and answers
 * the assertion. It is signed before the step is finished: should signing fail, nothing was finished;
 * should the finish fail, the assertion never leaves.
 */
export async function finishStep(
  context: RequestContext,
  purpose: StepPurpose,
  mfaToken: string,
): Promise<MfaCompleted | InvalidMfaToken | MfaNotSatisfied> {
  const caller = callerOf(context);
  assertMayRunSteps(caller);
  const now = context.clock.now();
  const open = await openStep(context, mfaToken);
  if (!('step' in open) || open.step.purpose !== purpose) return new InvalidMfaToken();
  if (!isSatisfied(open, now)) return new MfaNotSatisfied();

  const { subject, step } = open;
  const { tenant, userId } = subject;
  const amr = step.satisfiedBy ?? 'otp';
  const assertion = await signAssertion(context, open, amr);
  const event = {
    action: completedAction[purpose],
    applicationId: tenant.applicationId,
    tenantId: tenant.id,
    userId,
    detail: { amr, trigger: step.trigger },
  };
  const row = await rowOf(
    context.em,
    hot(sql<{ finished: boolean }>`
      with finished as (
        update mfa_steps s set finished_at = ${now}
        where s.tenant_id = ${tenant.id} and s.id = ${step.id} and ${isOpen('s', now)} and s.satisfied_by = ${amr}
        returning 1
      ),
      ${auditParts(context, caller.subject, [event], sql`exists (select from finished)`)}
      select exists (select from finished) as finished`),
  );
  if (!row?.finished) return new InvalidMfaToken();
  return new MfaCompleted({
    assertion,
    userId,
    tenantId: tenant.id,
    amr: [amr],
    recoveryCodeState: recoveryCodeState(subject),
    redirectUrl: step.redirectUrl,
  });
}

/**
 * Whether a step is done by the rules of now. What was asked must have been done in this step, the
 * user must still be one who is challenged, and the way it was done must still be allowed.
 */
function isSatisfied({ subject, step }: OpenStep, now: Date): boolean {
  if (step.satisfiedBy === null) return false;
  const policy = effectivePolicy(subject.tenant);
  if (step.satisfiedBy === recoveryCode.amr && !recoveryCode.isAllowedBy(policy)) return false;
  return decide(decisionInputs(subject, 'LOCAL'), now).reason === 'ENROLLED';
}

/** What a token stands for; null for one that is unknown, expired, finished or foreign. */
export async function introspect(context: RequestContext, mfaToken: string): Promise<MfaTokenInfo | null> {
  const open = await openStep(context, mfaToken);
  if (!('step' in open)) return null;
  const { subject, step } = open;
  const now = context.clock.now();
  const satisfied = isSatisfied(open, now);
  context.shownByToken.add(subject.tenant);
  return {
    status: step.purpose === 'CHALLENGE' ? 'MFA_CHALLENGE_REQUIRED' : 'MFA_ENROLLMENT_REQUIRED',
    trigger: step.trigger,
    userId: subject.userId,
    accountName: step.accountName,
    applicationName: subject.tenant.application.displayName,
    tenant: subject.tenant,
    effectivePolicy: { tenant: subject.tenant, ...effectivePolicy(subject.tenant) },
    challengeWith: step.purpose === 'CHALLENGE' ? verifiableTypes(subject) : [],
    satisfied,
    satisfiedBy: satisfied ? (step.satisfiedBy === recoveryCode.amr ? recoveryCode.type : totp.type) : null,
    totpRetryAt: runningWait(subject.user.totpLockedUntil, now),
    recoveryCodeRetryAt: runningWait(subject.user.recoveryLockedUntil, now),
    // Started before the setting was narrowed, it must not lead out.
    redirectUrl: isAllowedRedirect(context.redirectOrigins, step.redirectUrl) ? step.redirectUrl : null,
    expiresAt: step.expiresAt,
  };
}
