import type { Caller } from '../caller/caller.ts';
import { forbidden } from '../shared/errors.ts';

/** Only a sign-in service, which is bound to exactly one application, starts and finishes steps. @throws FORBIDDEN */
export function assertMayRunSteps(caller: Caller): void {
  caller.assertMay('mfa-workflow:execute');
  if (caller.boundary.kind !== 'application') {
    throw forbidden('This needs a bearer token that is bound to one application.');
  }
}

/** Whoever runs the steps may ask why, and whoever reads users. @throws FORBIDDEN */
export function assertMayExplain(caller: Caller): void {
  if (caller.may('auth-factor:read')) return;
  if (!caller.may('mfa-workflow:execute')) {
    throw forbidden('This needs the scope auth-factor:read or mfa-workflow:execute.');
  }
  assertMayRunSteps(caller);
}
