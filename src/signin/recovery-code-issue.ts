import type { RequestContext } from '../caller/context.ts';
import { type RawBuilder, sql } from '../db/sql.ts';
import { recoveryCode } from '../factor/recovery-code.ts';
import type { FactorPlace } from '../factor/rows.ts';
import type { KeptSecret } from '../shared/key-ring.ts';

export interface NewRecoveryCode extends FactorPlace {
  kept: KeptSecret;
  /** For the user's eyes, once. */
  shown: string;
}

export function newRecoveryCode(
  { ids, keyRing }: RequestContext,
  tenantId: string,
  userId: string,
): NewRecoveryCode {
  const place = { tenantId, userId, id: ids.next() };
  return { ...place, ...recoveryCode.begin(place, keyRing) };
}

/** The new code takes the place of the old. */
export const putRecoveryCode = (code: NewRecoveryCode, now: Date, condition: RawBuilder<unknown>) => sql`
  insert into auth_factors (tenant_id, user_id, type, id, key_id, secret, spent, created_at, activated_at)
  select ${code.tenantId}, ${code.userId}, 'RECOVERY_CODE', ${code.id}::uuid, ${code.kept.keyId}, ${code.kept.bytes}::bytea, 0, ${now}::timestamptz, ${now}::timestamptz
  where ${condition}
  on conflict (tenant_id, user_id, type) do update set id = excluded.id, key_id = excluded.key_id, secret = excluded.secret,
    spent = 0, created_at = excluded.created_at, activated_at = excluded.activated_at, last_used_at = null`;
