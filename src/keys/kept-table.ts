import type { EntityManager } from '@mikro-orm/postgresql';
import type { KeptSecret, KeyRing } from '../shared/key-ring.ts';

/** A row with what a key keeps in it. */
export interface KeptRow {
  /** Rows of one group are written by one statement: those of a tenant. */
  group: string;
  /** For whoever looks for the row; nothing secret. */
  name: string;
  /** Its secrets, some of which may be under the first key by now. */
  kept: readonly KeptSecret[];
}

/** A table whose secrets come under another key. */
export interface KeptTable<Row extends KeptRow = KeptRow> {
  readonly name: string;
  /** How many rows there are to move under the first key. */
  count(em: EntityManager, firstId: string): Promise<number>;
  /** The next of them, after `last`. */
  page(em: EntityManager, firstId: string, last: Row | null, rowsMax: number): Promise<Row[]>;
  /** The same secrets under the first key. @throws what node:crypto says of one that does not open */
  moved(row: Row, ring: KeyRing): KeptSecret[];
  /**
   * Writes rows of one group, each only where it still is what was read, and no other holds it: a row that was
   * replaced meanwhile is left, and one that is in use is passed over.
   * @returns how many were written
   */
  write(
    em: EntityManager,
    group: string,
    rows: readonly { row: Row; moved: KeptSecret[] }[],
  ): Promise<number>;
}
