import { setImmediate as turn } from 'node:timers/promises';

interface Batch<Row> {
  ids: Set<string>;
  rows: Promise<ReadonlyMap<string, Row>>;
}

/**
 * Reads by id, from several requests: those that come in one turn of the event loop and may see the same
 * are one statement. It begins after the last of them came, so each sees all that was committed before.
 */
export class Gathered<Row extends { id: string }> {
  readonly #idsMax: number;
  readonly #waiting = new Map<string, Batch<Row>>();

  /** @param idsMax of one statement, unless a single request asks for more */
  constructor(idsMax: number) {
    this.#idsMax = idsMax;
  }

  /**
   * @param boundary whoever shares it sees the same rows
   * @param read reads what lies inside the boundary
   * @returns what was found, maybe more than was asked for
   */
  read(
    boundary: string,
    ids: readonly string[],
    read: (ids: readonly string[]) => Promise<readonly Row[]>,
  ): Promise<ReadonlyMap<string, Row>> {
    const waiting = this.#waiting.get(boundary);
    if (waiting !== undefined && waiting.ids.size + ids.length <= this.#idsMax) {
      for (const id of ids) waiting.ids.add(id);
      return waiting.rows;
    }
    const batch: Batch<Row> = { ids: new Set(ids), rows: this.#next(() => batch, boundary, read) };
    this.#waiting.set(boundary, batch);
    return batch.rows;
  }

  async #next(
    batch: () => Batch<Row>,
    boundary: string,
    read: (ids: readonly string[]) => Promise<readonly Row[]>,
  ): Promise<ReadonlyMap<string, Row>> {
    await turn();
    const mine = batch();
    if (this.#waiting.get(boundary) === mine) this.#waiting.delete(boundary);
    return new Map((await read([...mine.ids])).map((row) => [row.id, row]));
  }
}
