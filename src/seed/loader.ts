import { setImmediate as turn } from 'node:timers/promises';
import type { ClientBase } from 'pg';
import { from } from 'pg-copy-streams';
import { seedBatchRows } from '../shared/limits.ts';
import { copyLine, type Row, type RowOf, type TableName, tables } from './tables.ts';

/** Rows made between two looks at the network: the database shall never wait for us. */
const turnRows = 200;

/**
 * Brings rows into the database by COPY, table after table in batches, in the transaction of a client.
 * While one batch is under way, the next is made.
 */
export class Loader {
  readonly #client: ClientBase;
  readonly #lines = new Map<TableName, string[]>();
  readonly #counts = new Map<TableName, number>();
  #waiting = 0;
  #sending: Promise<void> = Promise.resolve();

  constructor(client: ClientBase) {
    this.#client = client;
  }

  add<Name extends TableName>(name: Name, row: RowOf<Name>): void {
    const lines = this.#lines.get(name) ?? [];
    this.#lines.set(name, lines);
    lines.push(copyLine<string>(tables[name], row as Row<string>));
    this.#counts.set(name, this.count(name) + 1);
    this.#waiting += 1;
  }

  /** How many rows were given so far. */
  count(name: TableName): number {
    return this.#counts.get(name) ?? 0;
  }

  /** To be called between rows, where all that a row refers to was given. */
  async tick(): Promise<void> {
    if (this.#waiting >= seedBatchRows) await this.#flush();
    else if (this.#waiting % turnRows === 0) await turn();
  }

  /** Sends what is left. */
  async end(): Promise<void> {
    await this.#flush();
    await this.#sending;
  }

  async #flush(): Promise<void> {
    await this.#sending;
    const batch = new Map(this.#lines);
    this.#lines.clear();
    this.#waiting = 0;
    this.#sending = this.#send(batch);
    // Whoever waits for it next is told; until then nobody listens.
    this.#sending.catch(() => {});
  }

  async #send(batch: ReadonlyMap<TableName, readonly string[]>): Promise<void> {
    for (const name of Object.keys(tables) as TableName[]) {
      const lines = batch.get(name);
      if (lines === undefined) continue;
      const copy = this.#client.query(from(`copy ${name} (${tables[name].columns.join(', ')}) from stdin`));
      await new Promise<void>((resolve, reject) => {
        copy.once('finish', resolve).once('error', reject).end(lines.join(''));
      });
    }
  }
}
