/* The rules of the effective policy, and the schema, as a peer would have them that answers the same questions. */

export const typeDefs = `
  enum MfaEnrollment { OPTIONAL REQUIRED }
  enum PolicySource { TENANT APPLICATION }
  type EffectivePolicy {
    totpEnabled: Boolean!
    recoveryCodesEnabled: Boolean!
    enrollment: MfaEnrollment!
    gracePeriodDays: Int!
    issuer: String!
    source: PolicySource!
    version: Int!
  }
  type Tenant { id: ID! effectivePolicy: EffectivePolicy! }
  type Query {
    effectivePolicy(tenantId: ID!): EffectivePolicy
    tenants(ids: [ID!]!): [Tenant]!
  }
`;

/** @param own the tenant's columns; @param base the application's */
export function effectivePolicy(own, base) {
  if (base.overrideRule === 'NONE' || !own.overrideEnabled || own.policyVersion === 0) {
    return answer(base, base.issuer ?? base.displayName, 'APPLICATION');
  }
  const issuer = own.issuer ?? base.displayName;
  if (base.overrideRule !== 'STRICTER_ONLY') return answer(own, issuer, 'TENANT');
  const raised = { ...own, totpEnabled: own.totpEnabled || base.totpEnabled };
  if (base.enrollment === 'REQUIRED') {
    raised.enrollment = 'REQUIRED';
    raised.gracePeriodDays = Math.min(own.gracePeriodDays, base.gracePeriodDays);
  }
  return answer(raised, issuer, 'TENANT');
}

const answer = (policy, issuer, source) => ({
  totpEnabled: policy.totpEnabled,
  recoveryCodesEnabled: policy.recoveryCodesEnabled,
  enrollment: policy.enrollment,
  gracePeriodDays: policy.gracePeriodDays,
  issuer,
  source,
  version: policy.policyVersion,
});
