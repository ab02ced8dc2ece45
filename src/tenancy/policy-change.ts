import type { EntityManager } from '@mikro-orm/postgresql';
import type { RequestContext } from '../caller/context.ts';
import { rowOf, sql } from '../db/sql.ts';

/** The channel of NOTIFY; each database has its own. */
export const policyChannel = 'cufflink_policies';

/** What effective policies are made of and was changed or deleted. */
export interface PolicyChange {
  applicationIds?: readonly string[];
  tenantIds?: readonly string[];
  /** Any of the tenants of this application, where they are too many to be named. */
  tenantsOf?: string;
}

/** PostgreSQL takes less than 8,000 bytes; ids are ASCII. */
const noticeCharsMax = 7_500;

/**
 * Tells all servers of a change, in its transaction: as its last statement, since changes take turns from
 * here to their commit. That order is the order of the feed.
 */
export async function publish(
  context: RequestContext,
  em: EntityManager,
  change: PolicyChange,
): Promise<void> {
  const row = await rowOf(
    em,
    sql<{ position: string }>`
      with moved as (update policy_feed set position = position + 1 where id = 1 returning position)
      select position, pg_notify(${policyChannel}, position || ' ' || ${JSON.stringify(change)}) from moved`,
  );
  if (row === null)
    throw new Error('The feed of policies has no row; the database is not as its migrations left it.');
  context.afterCommit.push(() => context.policies.settle(Number(row.position), change));
}

/** @param applicationId whose tenants they are */
export const changeOfTenants = (applicationId: string, tenantIds: readonly string[]): PolicyChange =>
  JSON.stringify(tenantIds).length <= noticeCharsMax ? { tenantIds } : { tenantsOf: applicationId };

/** @returns null for what is no notice of ours */
export function readNotice(payload: string | undefined): { position: number; change: PolicyChange } | null {
  const [, position, change] = /^(\d+) (\{.*\})$/.exec(payload ?? '') ?? [];
  if (position === undefined || change === undefined) return null;
  try {
    return { position: Number(position), change: JSON.parse(change) as PolicyChange };
  } catch {
    return null;
  }
}
