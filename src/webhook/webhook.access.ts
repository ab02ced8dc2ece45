import type { Caller } from '../caller/caller.ts';
import { forbidden } from '../shared/errors.ts';

/** Webhooks tell of all tenants of an application, so its tenants may not manage them. @throws FORBIDDEN */
export function assertMayManageWebhooks(caller: Caller): void {
  caller.assertMay('application:write');
  if (caller.boundary.kind === 'tenant') {
    throw forbidden('Only a caller of the application, or of the whole installation, may do this.');
  }
}
