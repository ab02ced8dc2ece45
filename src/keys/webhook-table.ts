import { countOf, inTransaction, rowOf, rowsOf, sql } from '../db/sql.ts';
import type { KeptSecret } from '../shared/key-ring.ts';
import { secretPlace } from '../webhook/signing.ts';
import type { KeptRow, KeptTable } from './kept-table.ts';

interface EndpointRow extends KeptRow {
  id: string;
  applicationId: string;
}

interface Columns {
  id: string;
  applicationId: string;
  keyId: string;
  secret: Buffer;
  previousKeyId: string | null;
  previousSecret: Buffer | null;
}

const isToMove = (firstId: string) => sql`(key_id <> ${firstId} or previous_key_id <> ${firstId})`;

/** Signing secrets of webhook endpoints: the current and the previous one of an endpoint together. */
export const webhookTable: KeptTable<EndpointRow> = {
  name: 'webhook_endpoints',

  async count(em, firstId) {
    const counted = sql<{
      count: number;
    }>`select count(*)::int as count from webhook_endpoints where ${isToMove(firstId)}`;
    return (await rowOf(em, counted))?.count ?? 0;
  },

  async page(em, firstId, last, rowsMax) {
    const after = last === null ? sql`true` : sql`id > ${last.id}::uuid`;
    const rows = await rowsOf(
      em,
      sql<Columns>`
        select id, application_id as "applicationId", key_id as "keyId", secret, previous_key_id as "previousKeyId",
          previous_secret as "previousSecret"
        from webhook_endpoints where ${isToMove(firstId)} and ${after} order by id limit ${rowsMax}`,
    );
    return rows.map((row) => ({
      id: row.id,
      applicationId: row.applicationId,
      group: row.id,
      name: `webhook_endpoints ${row.id} (application ${row.applicationId})`,
      kept: [
        { keyId: row.keyId, bytes: row.secret },
        ...(row.previousKeyId === null || row.previousSecret === null
          ? []
          : [{ keyId: row.previousKeyId, bytes: row.previousSecret }]),
      ],
    }));
  },

  moved({ kept, applicationId, id }, ring) {
    const place = secretPlace(applicationId, id);
    return kept.map((secret) => ring.seal(ring.open(secret, place), place));
  },

  async write(em, _group, rows) {
    let written = 0;
    for (const { row, moved } of rows) {
      const [now, before] = [valuesOf(moved), valuesOf(row.kept)];
      // Two statements: on several nodes, each has this table, and what one skips the others must not write.
      written += await inTransaction(em, async (tx) => {
        const free = sql<{
          id: string;
        }>`select id from webhook_endpoints where id = ${row.id}::uuid for no key update skip locked`;
        if ((await rowOf(tx, free)) === null) return 0;
        return countOf(
          tx,
          sql`update webhook_endpoints set key_id = ${now.keyId}, secret = ${now.secret}::bytea,
              previous_key_id = ${now.previousKeyId}, previous_secret = ${now.previousSecret}::bytea
            where id = ${row.id}::uuid and key_id = ${before.keyId} and secret = ${before.secret}::bytea
              and previous_key_id is not distinct from ${before.previousKeyId}
              and previous_secret is not distinct from ${before.previousSecret}::bytea`,
        );
      });
    }
    return written;
  },
};

const valuesOf = ([current, previous]: readonly KeptSecret[]) => ({
  keyId: current?.keyId ?? null,
  secret: current?.bytes ?? null,
  previousKeyId: previous?.keyId ?? null,
  previousSecret: previous?.bytes ?? null,
});
