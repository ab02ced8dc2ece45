import { prepareRecord } from '../../src/audit/append-only.ts';
import { type AuditAction, auditParts } from '../../src/audit/audit.service.ts';
import { sealAll } from '../../src/audit/sealer.ts';
import type { Database } from '../../src/db/connection.ts';
import { countOf, sql } from '../../src/db/sql.ts';
import type { Clock } from '../../src/shared/clock.ts';
import { uuidV7Ids } from '../../src/shared/ids.ts';
import { withClient } from '../process/databases.ts';
import type { OwnDatabase } from './own-database.ts';

/* A record of several months, without the calls that it tells of. */

const application = 'harbor';

/** A day of a month, counted from the present one. */
export function dayOf(months: number, day = 1): Date {
  const now = new Date();
  return new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() + months, day));
}

export const clockAt = (at: Date): Clock => ({ now: () => at });

/** Records an event of a tenant. */
export const write = (
  database: Database,
  tenantId: string,
  clock: Clock,
  action: AuditAction = 'tenant.updated',
) =>
  countOf(
    database.fork(),
    sql`with ${auditParts({ ids: uuidV7Ids(clock) }, 'tester', [
      { action, applicationId: application, tenantId, detail: {} },
    ])} select 1`,
  );

/** Records two seals of each tenant in each of these months, the months counted from the present one. */
export async function writeMonths(own: OwnDatabase, tenants: Record<string, readonly number[]>) {
  for (const [tenantId, months] of Object.entries(tenants)) {
    for (const month of months) {
      for (const day of [5, 10]) {
        const clock = clockAt(dayOf(month, day));
        await write(own.server, tenantId, clock);
        await write(own.server, tenantId, clock);
        await sealAll(own.server, clock);
      }
    }
  }
}

/** Makes the months from this one on. */
export const makeMonths = (own: OwnDatabase, from: number) =>
  withClient(own.url, (client) => prepareRecord(client, dayOf(from)));
