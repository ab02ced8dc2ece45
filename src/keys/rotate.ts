import { setTimeout as sleep } from 'node:timers/promises';
import type { Database } from '../db/connection.ts';
import type { KeptSecret, KeyRing } from '../shared/key-ring.ts';
import {
  keyRotationNamedMax,
  keyRotationPassesMax,
  keyRotationPassMs,
  keyRotationTenantsMax,
  operatorBatchRows,
} from '../shared/limits.ts';
import { factorTables } from './factor-table.ts';
import type { KeptRow, KeptTable } from './kept-table.ts';
import { webhookTable } from './webhook-table.ts';

/*
 * Moves whatever is sealed under the first key of the ring, while servers work. Nothing else keeps how far it
 * came than the rows themselves, each of which is under the one key or the other: whatever ends it in the
 * middle, the same call goes on from there, and two of them at once do no harm.
 */

/** Every table with something that a key keeps; a test holds them against the columns of the database. */
export const keptTables = [...factorTables, webhookTable] as readonly KeptTable[];

export interface Rotation {
  moved: number;
  /** Rows that were in use in every pass. */
  inUse: number;
  /** Rows by the id of a key that the ring lacks; they were left as they are. */
  unknownKeys: Map<string, number>;
  /** Rows that did not open, some of them by name; they were left as they are. */
  broken: { count: number; names: string[] };
}

export interface RotateOptions {
  /** Told of each row once it is moved or can't be. */
  onRow?: () => void;
  batchRows?: number;
}

export async function rotateKeys(
  database: Database,
  ring: KeyRing,
  { onRow = () => {}, batchRows = operatorBatchRows }: RotateOptions = {},
): Promise<Rotation> {
  let moved = 0;
  for (let pass = 1; ; pass += 1) {
    const result = nothing();
    for (const table of keptTables) {
      for await (const rows of pagesOf(database, table, ring, batchRows)) {
        await movePage(database, table, ring, rows, result, onRow);
      }
    }
    moved += result.moved;
    // What is replaced or in use meanwhile is looked at again.
    if (result.inUse === 0 || pass === keyRotationPassesMax) return { ...result, moved };
    await sleep(keyRotationPassMs);
  }
}

/** How many rows there are to move. */
export async function countToMove(database: Database, ring: KeyRing): Promise<number> {
  let count = 0;
  for (const table of keptTables) count += await table.count(database.fork(), ring.firstId);
  return count;
}

const nothing = (): Rotation => ({
  moved: 0,
  inUse: 0,
  unknownKeys: new Map(),
  broken: { count: 0, names: [] },
});

async function* pagesOf(
  database: Database,
  table: KeptTable,
  ring: KeyRing,
  batchRows: number,
): AsyncGenerator<KeptRow[]> {
  let last: KeptRow | null = null;
  for (;;) {
    const rows: KeptRow[] = await table.page(database.fork(), ring.firstId, last, batchRows);
    if (rows.length > 0) yield rows;
    if (rows.length < batchRows) return;
    last = rows.at(-1) ?? null;
  }
}

async function movePage(
  database: Database,
  table: KeptTable,
  ring: KeyRing,
  rows: readonly KeptRow[],
  result: Rotation,
  onRow: () => void,
): Promise<void> {
  const movable = rows.flatMap((row) => {
    const moved = movedOf(table, ring, row, result);
    if (moved === null) onRow();
    return moved === null ? [] : [{ row, moved }];
  });
  const groups = Map.groupBy(movable, ({ row }) => row.group).entries();
  const work = async () => {
    for (const [group, entries] of groups) {
      const written = await table.write(database.fork(), group, entries);
      result.moved += written;
      result.inUse += entries.length - written;
      for (let n = 0; n < written; n += 1) onRow();
    }
  };
  await Promise.all(Array.from({ length: keyRotationTenantsMax }, work));
}

/** @returns null, having told why in `result`, where a secret of the row can't be had: then none of it is touched */
function movedOf(table: KeptTable, ring: KeyRing, row: KeptRow, result: Rotation): KeptSecret[] | null {
  const unknown = new Set(row.kept.map(({ keyId }) => keyId).filter((keyId) => !ring.has(keyId)));
  for (const keyId of unknown) result.unknownKeys.set(keyId, (result.unknownKeys.get(keyId) ?? 0) + 1);
  if (unknown.size > 0) return null;
  try {
    return table.moved(row, ring);
  } catch {
    result.broken.count += 1;
    if (result.broken.names.length < keyRotationNamedMax) result.broken.names.push(row.name);
    return null;
  }
}
