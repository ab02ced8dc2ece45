import type { RequestContext } from '../caller/context.ts';
import { effectivePolicy } from '../policy/effective-policy.ts';
import { assertionSeconds } from '../shared/limits.ts';
import type { OpenStep } from './session.ts';

/** A kind of token of its own, so that it never passes for a bearer token [RFC 8725 3.11]. */
const assertionType = 'mfa-assertion+jwt';

/** Signs that a user has done the MFA step (rules.md section 2, "The assertion"). */
export function signAssertion(
  { assertionKey, clock, ids, publicUrl }: RequestContext,
  { subject: { tenant, userId }, step }: OpenStep,
  amr: string,
): Promise<string> {
  const issuedAt = Math.floor(clock.now().getTime() / 1000);
  const policy = effectivePolicy(tenant);
  return assertionKey.sign(assertionType, {
    iss: publicUrl,
    aud: tenant.applicationId,
    sub: userId,
    tenant_id: tenant.id,
    jti: ids.next(),
    iat: issuedAt,
    exp: issuedAt + assertionSeconds,
    amr: [amr],
    trigger: step.trigger,
    policy_source: policy.source,
    policy_version: policy.version,
  });
}
