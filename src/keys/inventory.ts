import type { EntityManager } from '@mikro-orm/postgresql';
import { rowsOf, sql } from '../db/sql.ts';

/** How many rows of a table a key keeps. */
export interface Holding {
  keyId: string;
  table: string;
  what: string;
  /** Whether keys:rotate moves them to the first key; else they must go by themselves, or be dropped. */
  moves: boolean;
  count: number;
}

/** What each key keeps, of one moment. */
export const holdingsOf = (em: EntityManager): Promise<Holding[]> =>
  rowsOf(
    em,
    sql<Holding>`
      select key_id as "keyId", 'auth_factors' as table, case when type = 'RECOVERY_CODE' then
          case when spent > 0 then 'recovery codes, redeemed' else 'recovery codes' end else 'authenticators' end as what,
        type <> 'RECOVERY_CODE' or spent > 0 as moves, count(*)::int as count
      from auth_factors group by 1, 2, 3, 4
      union all
      select key_id, 'pending_auth_factors', 'authenticators, begun', true, count(*)::int from pending_auth_factors group by 1
      union all
      select key_id, 'webhook_endpoints', 'signing secrets', true, count(*)::int from webhook_endpoints group by 1
      union all
      select previous_key_id, 'webhook_endpoints', 'signing secrets, previous', true, count(*)::int
      from webhook_endpoints where previous_key_id is not null group by 1
      order by 1, 2, 3`,
  );
