import { randomBytes } from 'node:crypto';
import { countOf, type RawBuilder, rowOf, rowsOf, sql } from '../db/sql.ts';
import { type AuthFactorType, placeText } from '../factor/rows.ts';
import type { KeptRow, KeptTable } from './kept-table.ts';

/*
 * Factors, active and pending. A statement is of one tenant, finds rows by their primary key, and waits for
 * nobody while it holds a row: so it never stands in the way of a sign-in that holds another.
 */

interface FactorRow extends KeptRow {
  tenantId: string;
  userId: string;
  type: AuthFactorType;
  id: string;
}

interface Columns {
  tenantId: string;
  userId: string;
  type: AuthFactorType;
  id: string;
  keyId: string;
  secret: Buffer;
}

interface Shape {
  name: 'auth_factors' | 'pending_auth_factors';
  /** What can come under another key. */
  movable: RawBuilder<unknown>;
  /** The primary key, as columns and of a row. */
  key: RawBuilder<unknown>;
  keyOf(row: FactorRow): RawBuilder<unknown>;
}

/**
 * A recovery code is kept as a digest, which only the code itself could make anew. One that was redeemed is
 * never right again, whatever its digest.
 */
const isRedeemed = ({ type }: FactorRow): boolean => type === 'RECOVERY_CODE';

const digestBytes = 32;

export const factorTables: readonly KeptTable<FactorRow>[] = [
  factorTable({
    name: 'auth_factors',
    movable: sql`(type <> 'RECOVERY_CODE' or spent > 0)`,
    key: sql`(tenant_id, user_id, type)`,
    keyOf: ({ tenantId, userId, type }) => sql`(${tenantId}, ${userId}, ${type})`,
  }),
  factorTable({
    name: 'pending_auth_factors',
    movable: sql`type <> 'RECOVERY_CODE'`,
    key: sql`(tenant_id, id)`,
    keyOf: ({ tenantId, id }) => sql`(${tenantId}, ${id}::uuid)`,
  }),
];

function factorTable({ name, movable, key, keyOf }: Shape): KeptTable<FactorRow> {
  const table = sql.table(name);
  return {
    name,

    async count(em, firstId) {
      const counted = sql<{ count: number }>`
        select count(*)::int as count from ${table} where key_id <> ${firstId} and ${movable}`;
      return (await rowOf(em, counted))?.count ?? 0;
    },

    async page(em, firstId, last, rowsMax) {
      const after = last === null ? sql`true` : sql`${key} > ${keyOf(last)}`;
      const rows = await rowsOf(
        em,
        sql<Columns>`
          select tenant_id as "tenantId", user_id as "userId", type, id, key_id as "keyId", secret from ${table}
          where key_id <> ${firstId} and ${movable} and ${after} order by ${key} limit ${rowsMax}`,
      );
      return rows.map(({ keyId, secret, ...row }) => ({
        ...row,
        group: row.tenantId,
        name: `${name} ${row.id} (tenant ${row.tenantId}, user ${row.userId})`,
        kept: [{ keyId, bytes: secret }],
      }));
    },

    moved(row, ring) {
      if (isRedeemed(row)) return [{ keyId: ring.firstId, bytes: randomBytes(digestBytes) }];
      const place = placeText(row);
      return row.kept.map((kept) => ring.seal(ring.open(kept, place), place));
    },

    write(em, tenantId, rows) {
      const column = <Value>(of: (row: FactorRow) => Value) => rows.map(({ row }) => of(row));
      return countOf(
        em,
        sql`with free as (
            select user_id, id from ${table}
            where tenant_id = ${tenantId} and user_id = any(${column(({ userId }) => userId)}::text[])
              and id = any(${column(({ id }) => id)}::uuid[])
            for no key update skip locked
          )
          update ${table} f set key_id = n.new_key_id, secret = n.new_secret
          from free, unnest(${column(({ userId }) => userId)}::text[], ${column(({ id }) => id)}::uuid[],
            ${column(({ kept }) => kept[0]?.keyId)}::text[], ${column(({ kept }) => kept[0]?.bytes)}::bytea[],
            ${rows.map(({ moved }) => moved[0]?.keyId)}::text[], ${rows.map(({ moved }) => moved[0]?.bytes)}::bytea[])
            as n(user_id, id, key_id, secret, new_key_id, new_secret)
          where f.tenant_id = ${tenantId} and f.user_id = n.user_id and f.id = n.id
            and free.user_id = n.user_id and free.id = n.id
            and f.key_id = n.key_id and f.secret = n.secret`,
      );
    },
  };
}
