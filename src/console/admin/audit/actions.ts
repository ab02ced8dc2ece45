/** Every action of the record (README, The record), by what it is about. */
export const actionGroups = [
  {
    group: 'Policies',
    items: [
      'mfa_policy.updated',
      'mfa_policy_override.updated',
      'mfa_policy_override.enabled',
      'mfa_policy_override.disabled',
    ],
  },
  {
    group: 'Sign-ins',
    items: [
      'mfa_step.started',
      'mfa_enrollment.completed',
      'mfa_challenge.completed',
      'mfa_challenge.failed',
    ],
  },
  {
    group: 'Factors',
    items: [
      'auth_factor.enrolled',
      'auth_factor.used',
      'auth_factor.removed',
      'auth_factor.disabled',
      'recovery_code.issued',
      'recovery_code.used',
    ],
  },
  {
    group: 'Users',
    items: ['mfa_user.locked', 'mfa_user.reset', 'mfa_exemption.granted', 'mfa_exemption.revoked'],
  },
  {
    group: 'Applications and tenants',
    items: [
      'application.created',
      'application.updated',
      'application.deleted',
      'tenant.created',
      'tenant.updated',
      'tenant.deleted',
    ],
  },
  { group: 'Access', items: ['access.denied'] },
];
