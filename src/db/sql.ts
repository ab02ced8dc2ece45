import type { EntityManager } from '@mikro-orm/postgresql';
import { type RawBuilder, sql } from 'kysely';
import { hotMark } from './prepared-client.ts';

/*
 * Plain rows by plain SQL. Reads that are asked often select what they answer and hydrate nothing;
 * values are always bound, never written into the text.
 */

export { type RawBuilder, sql };

/** Runs a statement in the entity manager's transaction, if it has one. */
export async function rowsOf<Row>(em: EntityManager, statement: RawBuilder<Row>): Promise<Row[]> {
  const executor = em.getTransactionContext() ?? em.getConnection().getClient();
  const result = await statement.execute(executor as Parameters<typeof statement.execute>[0]);
  return result.rows;
}

export async function rowOf<Row>(em: EntityManager, statement: RawBuilder<Row>): Promise<Row | null> {
  return (await rowsOf(em, statement))[0] ?? null;
}

/**
 * Runs `work` in a transaction of its own; a throw rolls everything back. Its connection goes back to
 * the pool whatever fails. MikroORM's `transactional` keeps it for good where BEGIN or ROLLBACK fails,
 * and a pool's worth of such failures would end all service.
 */
export const inTransaction = <T>(em: EntityManager, work: (em: EntityManager) => Promise<T>): Promise<T> =>
  em
    .getConnection()
    .getClient()
    .transaction()
    .execute((transaction) => {
      const inside = em.fork();
      inside.setTransactionContext(transaction);
      return work(inside);
    });

/** Runs a conditional write whose row count is the answer. */
export async function countOf(em: EntityManager, statement: RawBuilder<unknown>): Promise<number> {
  const executor = em.getTransactionContext() ?? em.getConnection().getClient();
  const result = await statement.execute(executor as Parameters<typeof statement.execute>[0]);
  return Number(result.numAffectedRows ?? 0n);
}

/**
 * Marks a statement that every page load or sign-in asks: each connection has PostgreSQL read and plan it
 * once. Only for texts of which there are few (values are bound, lists are arrays).
 */
export const hot = <Row>(statement: RawBuilder<Row>): RawBuilder<Row> =>
  sql<Row>`${statement} ${sql.raw(hotMark)}`;

/** PostgreSQL's code for a lock that was not to be had in time. */
export const lockNotAvailable = '55P03';

/** A list as one bound array: the statement's text stays the same for any number of values. */
export const anyOf = (values: readonly string[]): RawBuilder<unknown> => sql`any(${[...values]}::text[])`;

/** `%` and `_` mean themselves in a search. */
export const likePattern = (part: string): string => `%${part.replace(/[\\%_]/g, '\\$&')}%`;

/** PostgreSQL's text form of a moment (the driver leaves timestamps as text) as a Date. */
export const toDate = (text: string): Date => new Date(text);

/** Statements by name, to be parts of one. */
export type Statements = Record<string, RawBuilder<unknown>>;

/** Statements as parts of a WITH, each followed by a comma. No two of them may change the same row. */
export const partsOf = (statements: Statements): RawBuilder<unknown> =>
  sql.join(
    Object.entries(statements).map(([name, statement]) => sql`${sql.ref(name)} as (${statement}),`),
    sql` `,
  );
