import type { EntityManager } from '@mikro-orm/postgresql';
import type { Caller } from '../caller/caller.ts';
import { anyOf, rowsOf, sql } from '../db/sql.ts';
import { isId } from '../shared/text.ts';
import {
  type ApplicationColumns,
  type ApplicationRow,
  applicationColumns,
  type TenantColumns,
  type TenantRow,
  tenantColumns,
  toApplication,
  toTenant,
} from './rows.ts';

/* Rows that a change reads and holds until its transaction ends, inside the caller's boundary like every read. */

/** Reads one tenant and keeps its row locked until the transaction ends; the application's stays free. */
export async function lockTenant(em: EntityManager, caller: Caller, id: string): Promise<TenantRow | null> {
  if (!isId(id)) return null;
  const rows = await rowsOf(
    em,
    sql<TenantColumns>`select ${tenantColumns} from tenants t join applications a on a.id = t.application_id
      where t.id = ${id} and ${caller.tenantsInBoundary('t')} for update of t`,
  );
  return rows[0] ? toTenant(rows[0]) : null;
}

/**
 * Reads tenants, in the order of their ids, and keeps their rows locked until the transaction ends.
 * Calls that overlap take turns and never wait in a circle: applications come first, as for whoever
 * deletes one, and among those who hold an application nobody else locks more than one tenant of it.
 *
 * The tenants are locked by an UPDATE that changes nothing: they may lie on many nodes, where rows of
 * one node only can be selected for update.
 */
export async function lockTenants(
  em: EntityManager,
  caller: Caller,
  ids: readonly string[],
): Promise<TenantRow[]> {
  const possible = ids.filter(isId);
  await rowsOf(
    em,
    sql`with named as materialized (
        select distinct t.application_id from tenants t where t.id = ${anyOf(possible)} and ${caller.tenantsInBoundary('t')})
      select a.id from applications a where a.id in (select application_id from named) order by a.id for no key update`,
  );
  const rows = await rowsOf(
    em,
    sql<TenantColumns>`
      update tenants t set policy_version = t.policy_version from applications a
      where a.id = t.application_id and t.id = ${anyOf(possible)} and ${caller.tenantsInBoundary('t')}
      returning ${tenantColumns}`,
  );
  return rows.map(toTenant).sort((one, other) => (one.id < other.id ? -1 : 1));
}

/** Reads one application that lies inside the boundary as a whole, and keeps its row locked. */
export async function lockApplication(
  em: EntityManager,
  caller: Caller,
  id: string,
): Promise<ApplicationRow | null> {
  if (!isId(id) || !caller.reachesApplication(id)) return null;
  const rows = await rowsOf<ApplicationColumns>(
    em,
    sql`select ${applicationColumns} from applications a where a.id = ${id} for update of a`,
  );
  return rows[0] ? toApplication(rows[0]) : null;
}
