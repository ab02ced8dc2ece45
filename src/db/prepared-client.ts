import { Client } from 'pg';
import { preparedStatementsMax } from '../shared/limits.ts';

/** Ends the text of a statement that is kept prepared. */
export const hotMark = '/* hot */';

/**
 * A connection that is closed as soon as an answer on it is overdue. Given back to the pool, its next
 * user would wait behind the query before, or write into a transaction that nobody ever commits.
 */
export class PunctualClient extends Client {
  // biome-ignore lint/suspicious/noExplicitAny: the overloads are pg's
  override query(...asked: any[]): any {
    const answer: unknown = super.query(...(asked as [string]));
    if (answer instanceof Promise) {
      answer.catch((error: Error) => {
        if (error.message === 'Query read timeout') void this.end();
      });
    }
    return answer;
  }
}

/** One that keeps hot statements prepared, at most `preparedStatementsMax` of them. */
export class PreparedClient extends PunctualClient {
  /** Names by text; PostgreSQL knows them on this connection alone. */
  readonly #names = new Map<string, string>();

  // biome-ignore lint/suspicious/noExplicitAny: the overloads are pg's
  override query(...asked: any[]): any {
    const [text, values] = asked as unknown[];
    if (typeof text !== 'string' || !Array.isArray(values) || !text.endsWith(hotMark)) {
      return super.query(...asked);
    }
    const name = this.#nameOf(text);
    return super.query(name === undefined ? { text, values } : { name, text, values }, ...asked.slice(2));
  }

  #nameOf(text: string): string | undefined {
    const known = this.#names.get(text);
    if (known !== undefined || this.#names.size >= preparedStatementsMax) return known;
    const name = `hot${this.#names.size + 1}`;
    this.#names.set(text, name);
    return name;
  }
}
