import { scopes } from './caller.ts';
import type { TokenClaims } from './development-issuer.ts';

/** The roles of rules.md section 3, as tokens for development. */
export interface Role {
  description: string;
  claims: TokenClaims;
}

export interface Places {
  application: string;
  tenant: string;
  user: string;
}

/** Places of the demo (demo.ts). Here, since a token is made in half the time without what fills it. */
export const demoPlaces: Places = { application: 'harbor', tenant: 'cedar', user: 'ada' };

/** @param demo where the bound roles are bound to */
export function developmentRoles(demo: Places): Record<string, Role> {
  const application = { application_id: demo.application };
  const tenant = { ...application, tenant_id: demo.tenant };
  const except = (...left: string[]) => scopes.filter((scope) => !left.includes(scope)).join(' ');
  return {
    installation: {
      description: 'everything but signing users in, in the whole installation',
      claims: { sub: 'dev-installation', scope: except('mfa-workflow:execute') },
    },
    admin: {
      description: "an application's administrator",
      claims: { sub: 'dev-admin', scope: except('mfa-workflow:execute'), ...application },
    },
    'tenant-admin': {
      description: "a tenant's administrator",
      claims: {
        sub: 'dev-tenant-admin',
        scope:
          'mfa-policy:read mfa-policy:write auth-factor:read auth-factor:delete mfa-exemption:write audit:read',
        ...tenant,
      },
    },
    'sign-in': {
      description: 'a sign-in service: runs the MFA step',
      claims: { sub: 'dev-sign-in', scope: 'mfa-workflow:execute', ...application },
    },
    frontend: {
      description: 'a backend for frontends: reads policies',
      claims: { sub: 'dev-frontend', scope: 'mfa-policy:read', ...application },
    },
    support: {
      description: 'a support desk: looks after users and their factors',
      claims: {
        sub: 'dev-support',
        scope: 'auth-factor:read auth-factor:delete mfa-exemption:write',
        ...application,
      },
    },
    auditor: {
      description: 'reads the audit record',
      claims: { sub: 'dev-auditor', scope: 'audit:read', ...application },
    },
    user: {
      description: 'a signed-in user, no scope',
      claims: { sub: demo.user, scope: '', ...tenant },
    },
  };
}
