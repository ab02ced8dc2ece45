import type { Caller } from '../caller/caller.ts';

/** @throws FORBIDDEN */
export function assertMayReadApplications(caller: Caller): void {
  caller.assertMay('mfa-policy:read');
}

/** A tenant's users see their own tenant's name and effective policy without a scope. @throws FORBIDDEN */
export function assertMayReadTenants(caller: Caller): void {
  if (caller.boundary.kind !== 'tenant') caller.assertMay('mfa-policy:read');
}
