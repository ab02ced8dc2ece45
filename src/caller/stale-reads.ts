import { type RawBuilder, rowsOf } from '../db/sql.ts';
import type { RequestContext } from './context.ts';

/**
 * The reads that a replica may answer, and why it does no harm that what they tell may be two seconds old
 * (`replicaLagMsMax`). They are the ones that look at many rows; nothing is decided by what they answer.
 *
 * All others ask the primary, and always will:
 * - the MFA step and its explanation, deleting and resetting: they decide who gets in;
 * - everything that a mutation reads or answers: it shows its own work. Whoever has just changed something reads
 *   the primary for some seconds, too, as long as its calls reach the same server;
 * - who may see what: the boundary is in the caller's token, and the tenant or application around a list was read
 *   from the primary before;
 * - policies, and lists whose rows carry them (`applications`, `Application.tenants`): frontends are promised
 *   that no policy is older than a second (docs/decisions/0002);
 * - one user, looked up by id, and `viewer`: cheap, and looked at right after a change;
 * - `webhookEndpoints`: few rows, edited in place.
 */
export const staleReads = {
  auditEvents: 'a record: what is there never changes, and the newest events follow',
  webhookDeliveries: 'shows work that goes on by itself; sending goes by the primary',
  users:
    'a list to look through; what is done to a user is decided anew, and their tenant is the one that was read',
  mfaStats: 'counts over all users, of a moment that is over when they are read',
  preview: 'a forecast of counts; the policies that it compares are the primary’s, and the write judges anew',
  totalCount: 'the size of a list that others change meanwhile, too',
} as const;

export type StaleRead = keyof typeof staleReads;

/** Rows that may be a moment old: from a replica that is well, or else from the primary. */
export async function staleRowsOf<Row>(
  context: RequestContext,
  read: StaleRead,
  statement: RawBuilder<Row>,
): Promise<Row[]> {
  return (await context.replicaRows(read, statement)) ?? rowsOf(context.em, statement);
}

export async function staleRowOf<Row>(
  context: RequestContext,
  read: StaleRead,
  statement: RawBuilder<Row>,
): Promise<Row | null> {
  return (await staleRowsOf(context, read, statement))[0] ?? null;
}
