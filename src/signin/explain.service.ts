import { callerOf, type RequestContext } from '../caller/context.ts';
import { effectivePolicy } from '../policy/effective-policy.ts';
import { isId, isUserId } from '../shared/text.ts';
import { readSubject } from '../user/subject.ts';
import { decide, decisionInputs, type IdentityProvider } from './decision.ts';
import type { MfaExplanation } from './explanation.type.ts';
import { assertMayExplain } from './signin.access.ts';
import { MfaDecision } from './signin.type.ts';

/** What startMfa would decide now, and why. Writes nothing; in particular, no grace period begins. */
export async function explainMfa(
  context: RequestContext,
  tenantId: string,
  userId: string,
  identityProvider: IdentityProvider,
): Promise<MfaExplanation | null> {
  const caller = callerOf(context);
  assertMayExplain(caller);
  if (!isId(tenantId) || !isUserId(userId)) return null;
  const now = context.clock.now();
  const subject = await readSubject(context.em, caller, tenantId, userId, now);
  if (subject === null) return null;
  const { tenant } = subject;
  const { status, reason, enrollmentDueAt, rules } = decide(decisionInputs(subject, identityProvider), now);
  return {
    decision: new MfaDecision({
      status,
      reason,
      enrollmentDueAt,
      mfaToken: null,
      expiresAt: null,
      pageUrl: null,
    }),
    effectivePolicy: { tenant, ...effectivePolicy(tenant) },
    rules: rules.map((rule) => ({ rule: rule.reason, matched: rule.matched, detail: rule.detail() })),
  };
}
