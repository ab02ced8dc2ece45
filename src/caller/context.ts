import type { EntityManager } from '@mikro-orm/postgresql';
import { inTransaction, type RawBuilder } from '../db/sql.ts';
import type { Clock } from '../shared/clock.ts';
import { unauthenticated } from '../shared/errors.ts';
import type { Ids } from '../shared/ids.ts';
import type { KeyRing } from '../shared/key-ring.ts';
import type { SigningKey } from '../shared/signing-key.ts';
import type { Caller } from './caller.ts';
import type { StaleRead } from './stale-reads.ts';

/** What the service says while it works. Never a secret, a code or a token. */
export interface Log {
  error(details: object, message: string): void;
  warn(details: object, message: string): void;
  info(details: object, message: string): void;
}

/** What a process is given once, for all its requests. */
export interface Service {
  readonly clock: Clock;
  readonly ids: Ids;
  readonly keyRing: KeyRing;
  /** Signs assertions. */
  readonly assertionKey: SigningKey;
  /** The service's own address, without a slash at the end. */
  readonly publicUrl: string;
  /** Where hosted pages may send a browser. */
  readonly redirectOrigins: readonly string[];
  /** Whether webhooks may be sent to the machine itself, as in development. */
  readonly loopbackWebhooks: boolean;
}

/** What is counted of a call, beside its status. */
export interface CountedCall {
  /** The operation's name; null where it has none, or was not read. */
  operation: string | null;
  /** Whether an MFA token opened a step. */
  isInStep: boolean;
}

/** One request: whom it speaks for and what it works with. Nothing in it outlives the request. */
export interface RequestContext extends Service {
  readonly requestId: string;
  /** When the call came, on the clock of performance.now(). */
  readonly receivedAt: number;
  /** Null without a bearer token. */
  readonly caller: Caller | null;
  readonly em: EntityManager;
  /** Rows from a replica, for stale-reads.ts; null where the primary has to be asked. */
  replicaRows<Row>(read: StaleRead, statement: RawBuilder<Row>): Promise<Row[] | null> | null;
  /** Told what kind of operation it is: until then, and in mutations, replicas answer nothing. */
  beginOperation(kind: 'query' | 'mutation' | 'subscription'): void;
  readonly log: Log;
  /** What is counted of the call. */
  readonly call: CountedCall;
  /**
   * Objects that an operation answered, which whoever may call it may read whole; of the objects
   * beside them, only what a scope allows.
   */
  readonly answered: Set<object>;
  /** Tenants that an MFA token made known: their name and effective policy answer to whoever holds it. */
  readonly shownByToken: Set<object>;
  /** What was denied in this request and is in the record. */
  readonly denied: Set<string>;
  /** The one thing of its kind in this request, e.g. a loader: made at first use. */
  once<T>(make: (context: RequestContext) => T): T;
  /** What is to be done when the transaction that runs is committed; dropped when it is not. */
  readonly afterCommit: (() => void)[];
  /** Drops what `once` made: after a write, the next read must see it. */
  forget(): void;
  /** Told of each batch a loader sends to the database, for the metrics. */
  onBatch(loader: string, size: number): void;
}

/** @throws UNAUTHENTICATED without a bearer token */
export function callerOf({ caller }: RequestContext): Caller {
  if (caller === null) throw unauthenticated('no token');
  return caller;
}

/** Marks what an operation answers as readable whole. */
export function answer<T extends object>(context: RequestContext, thing: T): T {
  context.answered.add(thing);
  return thing;
}

/** Runs `work` in a transaction of its own; a throw rolls everything back. */
export async function transaction<T>(
  context: RequestContext,
  work: (em: EntityManager) => Promise<T>,
): Promise<T> {
  try {
    const result = await inTransaction(context.em, work);
    for (const act of context.afterCommit) act();
    return result;
  } finally {
    context.afterCommit.length = 0;
    context.forget();
  }
}
