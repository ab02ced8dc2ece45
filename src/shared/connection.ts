import type { ClassType } from 'type-graphql';
import { Directive, Field, Int, ObjectType } from 'type-graphql';
import { badInput } from './errors.ts';
import { pageSizeMax } from './limits.ts';
import { isUuid } from './text.ts';

@Directive('@shareable')
@ObjectType({ simpleResolvers: true, description: 'Where a page of a list stands.' })
export class PageInfo {
  @Field(() => Boolean, { description: 'Whether more follows after endCursor.' })
  hasNextPage!: boolean;

  @Field(() => String, {
    nullable: true,
    description: 'Give it as `after` to get the next page; null on an empty page.',
  })
  endCursor!: string | null;
}

interface Edge<T> {
  cursor: string;
  node: T;
}

/** A page of a list, ordered by a key that is unique, so that it stays right while rows are added. */
export interface PageOf<T> {
  edges: Edge<T>[];
  nodes: T[];
  pageInfo: PageInfo;
}

/** A page of a list whose size can be told. */
export interface Connection<T> extends PageOf<T> {
  /** Counted only when asked for. */
  totalCount: () => number | Promise<number>;
}

/** Declares the GraphQL types `${name}Edge` and `${name}Connection`. */
export function connectionType<T extends object>(
  name: string,
  node: () => ClassType<T>,
): ClassType<Connection<T>> {
  const connection = uncountedConnectionType(name, node);
  Field(() => Int, {
    description: 'Size of the whole list, filter applied. Costs a count; ask only when it is shown.',
  })(connection.prototype, 'totalCount');
  return connection as ClassType<Connection<T>>;
}

/** The same for a list that only grows, whose size nobody needs. */
export function uncountedConnectionType<T extends object>(name: string, node: () => ClassType<T>) {
  @ObjectType(`${name}Edge`, {
    simpleResolvers: true,
    description: `One ${name} of a list, with its position.`,
  })
  class EdgeType {
    @Field(() => String, { description: 'The position; give it as `after` to continue behind it.' })
    cursor!: string;

    @Field(node, { description: `The ${name} at this position.` })
    node!: T;
  }

  @ObjectType(`${name}Connection`, { simpleResolvers: true, description: `A page of a list of ${name}.` })
  class ConnectionType {
    @Field(() => [EdgeType], { description: 'The page with the position of each entry.' })
    edges!: EdgeType[];

    @Field(() => [node()], { description: 'The page without positions.' })
    nodes!: T[];

    @Field(() => PageInfo, { description: 'Where this page ends and whether more follows.' })
    pageInfo!: PageInfo;
  }
  return ConnectionType as ClassType<PageOf<T>>;
}

export interface PageArgs {
  /** Validated: 1 to 100. */
  first: number;
  /** The sort key of the last row seen. */
  after: string[] | null;
}

/**
 * Checks `first` and decodes `after`.
 * @param keyLength how many strings the sort key of this list has
 * @throws BAD_USER_INPUT
 */
export function pageArgs(first: number, after: string | undefined | null, keyLength: number): PageArgs {
  if (first < 1 || first > pageSizeMax) {
    throw badInput(`first must be 1 to ${pageSizeMax}.`);
  }
  return { first, after: after == null ? null : decodeCursor(after, keyLength) };
}

/** A cursor is the sort key itself, so that it needs no state and survives a deleted row. */
export const encodeCursor = (key: readonly string[]): string =>
  Buffer.from(JSON.stringify(key)).toString('base64url');

function decodeCursor(cursor: string, keyLength: number): string[] {
  try {
    const key: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'));
    const isKey =
      Array.isArray(key) &&
      key.length === keyLength &&
      key.every((part) => typeof part === 'string' && !part.includes('\u0000'));
    if (isKey) return key as string[];
  } catch {
    // falls through to the one message below
  }
  throw badCursor();
}

/**
 * The parts of a cursor that are a moment and, after it, UUIDs.
 * @throws BAD_USER_INPUT where they are others
 */
export function momentAndIds<Ids extends string[]>([at = '', ...ids]: readonly string[]): [Date, ...Ids] {
  const moment = new Date(at);
  // Years before Christ, or past 9999, are moments to us and perhaps none to the database.
  if (!/^\d{4}-/.test(at) || Number.isNaN(moment.getTime()) || !ids.every(isUuid)) throw badCursor();
  return [moment, ...(ids as Ids)];
}

const badCursor = () => badInput('after must be a cursor that this list gave, unchanged.');

/** Makes a page, and how many there are in all. */
export const toConnection = <T>(
  rows: readonly T[],
  first: number,
  keyOf: (row: T) => readonly string[],
  totalCount: () => number | Promise<number>,
): Connection<T> => ({ ...toPage(rows, first, keyOf), totalCount });

/**
 * Makes a page out of up to `first + 1` rows.
 * @param rows one more than asked for tells that another page follows
 * @param keyOf the sort key of a row
 */
export function toPage<T>(
  rows: readonly T[],
  first: number,
  keyOf: (row: T) => readonly string[],
): PageOf<T> {
  const nodes = rows.slice(0, first);
  const edges = nodes.map((node) => ({ cursor: encodeCursor(keyOf(node)), node }));
  return {
    edges,
    nodes,
    pageInfo: { hasNextPage: rows.length > first, endCursor: edges.at(-1)?.cursor ?? null },
  };
}
