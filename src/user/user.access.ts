import type { Caller } from '../caller/caller.ts';
import { forbidden } from '../shared/errors.ts';

/** Whether a user asks about itself: a tenant's caller about its own sub. */
export const isSelf = (caller: Caller, { id, tenantId }: { id: string; tenantId?: string | null }): boolean =>
  caller.tenantId !== null && caller.subject === id && (tenantId ?? caller.tenantId) === caller.tenantId;

/** @throws FORBIDDEN */
export function assertMayReadUser(caller: Caller, user: { id: string; tenantId?: string | null }): void {
  if (!isSelf(caller, user)) caller.assertMay('auth-factor:read');
}

/** Factors of one's own, or with the scope those of others. @throws FORBIDDEN */
export function assertMayDeleteFactors(caller: Caller): void {
  if (caller.boundary.kind !== 'tenant') caller.assertMay('auth-factor:delete');
}

/** @throws FORBIDDEN */
export function assertActsForUser(caller: Caller): void {
  if (caller.boundary.kind !== 'tenant') {
    throw forbidden('This needs an mfaToken, or the bearer token of a signed-in user.');
  }
}

/** A tenant's caller reads its own statistics, not those of its neighbours together. @throws FORBIDDEN */
export function assertMayReadApplicationStats(caller: Caller): void {
  caller.assertMay('auth-factor:read');
  if (caller.boundary.kind === 'tenant') {
    throw forbidden('The statistics of an application are not for callers bound to one tenant.');
  }
}
