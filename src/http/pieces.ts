import { defaultFieldResolver, type GraphQLField, type GraphQLObjectType } from 'graphql';
import type { ExecutionContext } from 'graphql/execution/execute.js';
import type { FieldFacts } from '../shared/field-facts.ts';
import { pieceCharsMax } from '../shared/limits.ts';
import { isPromise } from '../shared/promise.ts';
import { type PlannedField, type Shape, selectionOf } from './plan.ts';

/*
 * Objects of lists, written out once. A row that is remembered between requests (it is frozen) gives the
 * same text each time the same fields are asked of it: properties of its own, and fields that follow from it
 * alone. Whether this caller may read them is asked of the guards each time, object by object.
 */

/** Inherits no name that an alias could meet; objects of a null prototype do not either, and are slow. */
export class Answer {
  [name: string]: unknown;
}
Object.setPrototypeOf(Answer.prototype, null);

/** An object of an answer, as JSON. */
export class Piece {
  readonly json: string;

  constructor(json: string) {
    this.json = json;
  }

  toJSON(): unknown {
    return JSON.parse(this.json);
  }
}

/** An execution; with `pieces`, objects of lists may stand in its data as text. */
export interface Execution extends ExecutionContext {
  pieces?: Pieces;
  /** Whether some do. */
  hasPieces?: boolean;
}

/** What is asked of the objects of a list, where that can be written out once. */
interface Selection {
  guards: readonly NonNullable<FieldFacts['guard']>[];
}

/** Pieces by what is asked, and of which row: those used last, at least so many and at most twice as many. */
export class Pieces {
  readonly #most: number;
  readonly #selections = new WeakMap<readonly PlannedField[], Selection | null>();
  #recent = new Map<Selection, Map<object, Piece>>();
  #before = new Map<Selection, Map<object, Piece>>();
  #count = 0;

  constructor(most: number) {
    this.#most = most;
  }

  /** @returns null where an object's text may differ from one time to the next */
  selection(execution: Execution, field: PlannedField, type: GraphQLObjectType): Selection | null {
    const fields = selectionOf(execution, field, type);
    let known = this.#selections.get(fields);
    if (known === undefined) {
      known = selectionFrom(execution, fields);
      this.#selections.set(fields, known);
    }
    return known;
  }

  get(selection: Selection, row: object): Piece | undefined {
    const recent = this.#recent.get(selection)?.get(row);
    if (recent !== undefined) return recent;
    const before = this.#before.get(selection)?.get(row);
    if (before !== undefined) this.keep(selection, row, before);
    return before;
  }

  keep(selection: Selection, row: object, piece: Piece): void {
    if (this.#count >= this.#most) {
      this.#before = this.#recent;
      this.#recent = new Map();
      this.#count = 0;
    }
    const pieces = this.#recent.get(selection) ?? new Map<object, Piece>();
    this.#recent.set(selection, pieces.set(row, piece));
    this.#count += 1;
  }
}

const isOwnLeaf = ({
  shape,
  definition: { resolve, args },
}: {
  shape: Shape;
  definition: GraphQLField<unknown, unknown>;
}): boolean =>
  shape.kind === 'leaf' && args.length === 0 && (resolve === undefined || resolve === defaultFieldResolver);

function selectionFrom(execution: Execution, fields: readonly PlannedField[]): Selection | null {
  const guards: NonNullable<FieldFacts['guard']>[] = [];
  for (const field of fields) {
    if (isOwnLeaf(field)) continue;
    const { definition, shape } = field;
    const { guard, isDerived }: FieldFacts = definition.extensions;
    if (!isDerived || definition.args.length > 0 || shape.kind !== 'object' || shape.type.isTypeOf)
      return null;
    if (!selectionOf(execution, field, shape.type).every(isOwnLeaf)) return null;
    // Where it may be null, a denial that nobody is told of (its parent is null already) would look whole.
    if (guard && !shape.isNonNull) return null;
    if (guard) guards.push(guard);
  }
  return { guards };
}

/** The pieces of one list; null where it can have none. */
export function piecesOf(execution: Execution, field: PlannedField, shape: Shape): ListPieces | null {
  const { pieces } = execution;
  // A plan that is not kept is another each time.
  if (!pieces || !field.plan.isKept || shape.kind !== 'object' || shape.type.isTypeOf) return null;
  const selection = pieces.selection(execution, field, shape.type);
  return selection && new ListPieces(execution, pieces, selection);
}

class ListPieces {
  readonly #execution: Execution;
  readonly #pieces: Pieces;
  readonly #selection: Selection;
  #errors = 0;

  constructor(execution: Execution, pieces: Pieces, selection: Selection) {
    this.#execution = execution;
    this.#pieces = pieces;
    this.#selection = selection;
  }

  /** An item's text, if it is known and this caller may read it; else the item has to be executed. */
  find(item: unknown): Piece | null {
    this.#errors = this.#execution.collectedErrors.errors.length;
    if (item === null || typeof item !== 'object') return null;
    const known = this.#pieces.get(this.#selection, item);
    if (known === undefined) return null;
    try {
      for (const guard of this.#selection.guards) guard(this.#execution.contextValue, item, {});
    } catch {
      // The field itself says so, and has it recorded.
      return null;
    }
    this.#execution.hasPieces = true;
    return known;
  }

  /** Keeps what executing an item made, if it is whole. @returns what stands in the answer */
  made(item: unknown, completed: unknown): unknown {
    const isWhole =
      completed !== null &&
      !isPromise(completed) &&
      this.#execution.collectedErrors.errors.length === this.#errors;
    if (!isWhole || item === null || typeof item !== 'object' || !Object.isFrozen(item)) return completed;
    const piece = new Piece(JSON.stringify(completed));
    // The caller chooses how long it is: a name given to a field may be as long as a body.
    if (piece.json.length <= pieceCharsMax) this.#pieces.keep(this.#selection, item, piece);
    this.#execution.hasPieces = true;
    return piece;
  }
}

/** The JSON of an answer's data, pieces included. */
export function textOf(value: unknown): string {
  if (value instanceof Piece) return value.json;
  if (Array.isArray(value) && value.some((item) => item instanceof Piece)) {
    return `[${value.map(textOf).join(',')}]`;
  }
  if (!isAnswer(value)) return JSON.stringify(value);
  return `{${Object.entries(value)
    .map(([name, member]) => `${JSON.stringify(name)}:${textOf(member)}`)
    .join(',')}}`;
}

const isAnswer = (value: unknown): value is Answer =>
  value !== null && typeof value === 'object' && Object.getPrototypeOf(value) === Answer.prototype;
