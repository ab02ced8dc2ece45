import type { EntityManager } from '@mikro-orm/postgresql';
import { type RawBuilder, rowsOf, sql } from '../db/sql.ts';
import { placeText } from '../factor/rows.ts';
import type { KeyRing } from '../shared/key-ring.ts';
import { keyCheckRows, keyCheckSampleRows } from '../shared/limits.ts';
import { secretPlace } from '../webhook/signing.ts';

/*
 * Whether the keys of ENCRYPTION_KEYS are those that sealed what is there. A key with wrong bytes under the right
 * id shows only when something is opened, so a few rows of each key id are. One that does not open may have been
 * altered; where none of them does, the key is another.
 */

export interface KeyDoubts {
  /** Ids that rows need, and the ring lacks. */
  missing: string[];
  /** Where no row that was tried opens with the key of its id. */
  wrong: { keyId: string; table: string }[];
}

/** One statement, whose cost does not grow with the tables: it looks at the first rows of each. */
export async function sampleKeys(em: EntityManager, ring: KeyRing): Promise<KeyDoubts> {
  return doubtsOf(await rowsOf(em, sealedRows(sql`true`, sql`true`, keyCheckSampleRows)), ring);
}

/** A few rows of these keys in every table, wherever they lie. */
export async function checkKeys(
  em: EntityManager,
  ring: KeyRing,
  keyIds: readonly string[],
): Promise<KeyDoubts> {
  const rows: SealedRow[] = [];
  for (const id of keyIds) {
    const [now, before] = [sql`key_id = ${id}`, sql`previous_key_id = ${id}`];
    rows.push(
      ...(await rowsOf(em, sealedRows(sql`${now} and type <> 'RECOVERY_CODE'`, before, keyCheckRows, now))),
    );
  }
  return doubtsOf(rows, ring);
}

interface SealedRow {
  table: string;
  keyId: string;
  secret: Buffer;
  /** Of a digest only the key's id can be looked at. */
  isDigest: boolean;
  id: string;
  /** Of a factor. */
  tenantId: string | null;
  userId: string | null;
  /** Of an endpoint. */
  applicationId: string | null;
}

/** Of each table's first `rowsMax` that fit, a few of each key. No part reads more than one table. */
const sealedRows = (
  factors: RawBuilder<unknown>,
  previous: RawBuilder<unknown>,
  rowsMax: number,
  endpoints: RawBuilder<unknown> = sql`true`,
): RawBuilder<SealedRow> => {
  const factorsOf = (table: 'auth_factors' | 'pending_auth_factors') => sql`
    (select ${sql.lit(table)}::text as "table", key_id as "keyId", secret, type = 'RECOVERY_CODE' as "isDigest", id::text as id,
      tenant_id as "tenantId", user_id as "userId", null::text as "applicationId"
    from ${sql.table(table)} where ${factors} limit ${rowsMax})`;
  const endpointsBy = (key: string, secret: string, which: RawBuilder<unknown>) => sql`
    (select 'webhook_endpoints'::text, ${sql.ref(key)}, ${sql.ref(secret)}, false, id::text, null::text, null::text, application_id
    from webhook_endpoints where ${sql.ref(key)} is not null and ${which} limit ${rowsMax})`;
  return sql<SealedRow>`
    select * from (
      select *, row_number() over (partition by "table", "keyId", "isDigest" order by id) as nth from (
        ${factorsOf('auth_factors')} union all ${factorsOf('pending_auth_factors')}
        union all ${endpointsBy('key_id', 'secret', endpoints)}
        union all ${endpointsBy('previous_key_id', 'previous_secret', previous)}
      ) as first_rows
    ) as numbered where nth <= ${keyCheckRows}`;
};

function doubtsOf(rows: readonly SealedRow[], ring: KeyRing): KeyDoubts {
  const missing = new Set(rows.map(({ keyId }) => keyId).filter((keyId) => !ring.has(keyId)));
  const sealed = rows.filter(({ keyId, isDigest }) => ring.has(keyId) && !isDigest);
  const places = Map.groupBy(sealed, ({ keyId, table }) => JSON.stringify([keyId, table]));
  const wrong = [...places.values()].flatMap((tried) => {
    const [{ keyId, table }] = tried as [SealedRow];
    return tried.some((row) => opens(row, ring)) ? [] : [{ keyId, table }];
  });
  return { missing: [...missing].toSorted(), wrong };
}

function opens({ keyId, secret, id, tenantId, userId, applicationId }: SealedRow, ring: KeyRing): boolean {
  const place =
    applicationId === null
      ? placeText({ tenantId: tenantId ?? '', userId: userId ?? '', id })
      : secretPlace(applicationId, id);
  try {
    ring.open({ keyId, bytes: secret }, place);
    return true;
  } catch {
    return false;
  }
}
