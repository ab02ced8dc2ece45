import type { Caller } from '../caller/caller.ts';
import { forbidden } from '../shared/errors.ts';

/** Only a sign-in service, which is bound to exactly one application, starts and finishes steps. @throws FORBIDDEN */
export function assertMayRunSteps(caller: Caller): void {
  caller.assertMay('mfa-workflow:execute');
  if (caller.boundary.kind !== 'application') {
    throw forbidden('This needs a bearer token that is bound to one application.');
  }
}
