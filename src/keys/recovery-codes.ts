import { auditParts } from '../audit/audit.service.ts';
import type { Database } from '../db/connection.ts';
import { type RawBuilder, rowOf, rowsOf, sql } from '../db/sql.ts';
import type { Ids } from '../shared/ids.ts';
import { operatorBatchRows } from '../shared/limits.ts';

/*
 * Takes away recovery codes that can be relied on no more: digests of a key that goes, or codes of a backup
 * that may have been redeemed since. Who has an authenticator signs in as before, and may take a new code.
 */

interface CodeRow {
  tenantId: string;
  applicationId: string;
  userId: string;
  id: string;
}

/**
 * @param which of auth_factors f; those that were redeemed are dead anyway, and stay
 * @param because for the record, in which each stands as `auth_factor.removed`
 * @returns how many went; what is in use is passed over
 */
export async function dropRecoveryCodes(
  em: ReturnType<Database['fork']>,
  ids: Ids,
  which: RawBuilder<unknown>,
  because: string,
): Promise<number> {
  let dropped = 0;
  let last: CodeRow | null = null;
  for (;;) {
    const rows: CodeRow[] = await page(em, which, last);
    for (const [tenantId, codes] of Map.groupBy(rows, (row) => row.tenantId)) {
      dropped += await drop(em, ids, tenantId, codes, which, because);
    }
    if (rows.length < operatorBatchRows) return dropped;
    last = rows.at(-1) ?? null;
  }
}

const page = (em: ReturnType<Database['fork']>, which: RawBuilder<unknown>, last: CodeRow | null) =>
  rowsOf(
    em,
    sql<CodeRow>`
      select f.tenant_id as "tenantId", t.application_id as "applicationId", f.user_id as "userId", f.id
      from auth_factors f join tenants t on t.id = f.tenant_id
      where f.type = 'RECOVERY_CODE' and f.spent = 0 and ${which}
        and ${last === null ? sql`true` : sql`(f.tenant_id, f.user_id) > (${last.tenantId}, ${last.userId})`}
      order by f.tenant_id, f.user_id limit ${operatorBatchRows}`,
  );

async function drop(
  em: ReturnType<Database['fork']>,
  ids: Ids,
  tenantId: string,
  codes: readonly CodeRow[],
  which: RawBuilder<unknown>,
  because: string,
): Promise<number> {
  const events = codes.map(({ applicationId, userId, id }) => ({
    action: 'auth_factor.removed' as const,
    applicationId,
    tenantId,
    userId,
    detail: { type: 'RECOVERY_CODE', factorId: id, because },
  }));
  const row = await rowOf(
    em,
    sql<{ count: number }>`
      with free as (
        select user_id, id from auth_factors f
        where f.tenant_id = ${tenantId} and f.type = 'RECOVERY_CODE' and f.spent = 0 and ${which}
          and f.user_id = any(${codes.map(({ userId }) => userId)}::text[]) and f.id = any(${codes.map(({ id }) => id)}::uuid[])
        for update skip locked
      ),
      removed as (
        delete from auth_factors f using free
        where f.tenant_id = ${tenantId} and f.type = 'RECOVERY_CODE' and f.spent = 0 and f.user_id = free.user_id and f.id = free.id
        returning f.user_id
      ),
      ${auditParts({ ids }, operator, events, sql`r.user_id in (select user_id from removed)`)}
      select count(*)::int as count from removed`,
  );
  return row?.count ?? 0;
}

/** Who acts in the record, where nobody called. */
export const operator = 'cufflink';
