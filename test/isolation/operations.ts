import type { Scope } from '../../src/caller/caller.ts';
import type { Kind, Place } from './callers.ts';
import type { Operation } from './operation.ts';
import { tenancyOperations } from './tenancy-operations.ts';
import { userOperations } from './user-operations.ts';
import { webhookOperations } from './webhook-operations.ts';

/*
 * What every operation asks of its caller, as rules.md section 3 says it. The matrix is generated
 * from this table; an operation of the schema that is missing here fails it.
 */

export const operations: readonly Operation[] = [
  ...tenancyOperations,
  ...userOperations,
  ...webhookOperations,
];

/** Open in development; in production to callers with schema:read, whatever their boundary. */
export const schemaReads = {
  _service: '{ result: _service { sdl } }',
  __schema: '{ result: __schema { queryType { name } } }',
};

export type Outcome = 'UNAUTHENTICATED' | 'FORBIDDEN' | 'inside' | 'outside';

/** What the rules say of a call. */
export function outcomeOf(
  { scope, orScope, openToTenants, openToTokens, only, notForTenants, about }: Operation,
  kind: Kind,
  granted: readonly Scope[],
  place: Place,
): Outcome {
  if (openToTokens) return 'inside';
  if (kind === 'none') return 'UNAUTHENTICATED';
  const mayOtherwise = orScope !== undefined && kind === orScope.only && granted.includes(orScope.scope);
  const mayAtAll =
    scope === undefined || granted.includes(scope) || mayOtherwise || (openToTenants && kind === 'tenant');
  if (!mayAtAll || (only !== undefined && kind !== only)) return 'FORBIDDEN';
  if (notForTenants && kind === 'tenant') return 'FORBIDDEN';
  if (about === 'nothing') return 'inside';
  return reached[about][kind].includes(place) ? 'inside' : 'outside';
}

const reached: Record<
  Exclude<Operation['about'], 'nothing'>,
  Record<Exclude<Kind, 'none'>, readonly Place[]>
> = {
  application: { installation: ['own', 'sibling', 'foreign'], application: ['own', 'sibling'], tenant: [] },
  'application-or-its-tenant': {
    installation: ['own', 'sibling', 'foreign'],
    application: ['own', 'sibling'],
    tenant: ['own', 'sibling'],
  },
  tenant: { installation: ['own', 'sibling', 'foreign'], application: ['own', 'sibling'], tenant: ['own'] },
};
