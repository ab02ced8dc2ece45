import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { jest } from '@jest/globals';
import pg from 'pg';
import { policyFeedBeat, policyFeedListen } from '../../src/tenancy/policy-feed.ts';

/*
 * Faults of the database, statement by statement: of each one that this process sends, a test says
 * what becomes of it.
 */

/**
 * An error: before, PostgreSQL refuses the statement; after, it was carried out, and its answer did
 * not come in time. A cut: the connection breaks before the statement is sent, or after it was
 * carried out.
 */
export const faults = ['error before', 'error after', 'cut before', 'cut after'] as const;
export type Fault = (typeof faults)[number];

/** No fault: its answer comes half a second after it was carried out. */
type Delay = 'answered late';

type Query = (this: pg.Client, ...args: unknown[]) => Promise<unknown>;

/**
 * Runs `work` while statements fail.
 * @param faultOf told of every statement, in their order from 1 on; null lets it pass
 */
export async function withFaults<T>(
  faultOf: (n: number, text: string) => Fault | Delay | null,
  work: () => Promise<T>,
): Promise<T> {
  const query = pg.Client.prototype.query as unknown as Query;
  let count = 0;
  const faulty: Query = function faulty(...args) {
    const text = textOf(args[0]);
    // The feed beats and reconnects by itself, and is no part of any call.
    if (text === policyFeedBeat || text === policyFeedListen) return query.apply(this, args);
    count += 1;
    const fault = faultOf(count, text);
    const carryOut = () => query.apply(this, args);
    return fault === null ? carryOut() : strike[fault](this, carryOut, query, text);
  };
  const spy = jest
    .spyOn(pg.Client.prototype, 'query')
    .mockImplementation(faulty as unknown as typeof pg.Client.prototype.query);
  try {
    return await work();
  } finally {
    spy.mockRestore();
  }
}

/** Runs `work` while every statement that matches is lost with its connection. */
export const losing = <T>(statement: RegExp, work: () => Promise<T>): Promise<T> =>
  withFaults((_, text) => (statement.test(text) ? 'cut before' : null), work);

/** Runs `work` while answers of every statement that matches come late. */
export const delaying = <T>(statement: RegExp, work: () => Promise<T>): Promise<T> =>
  withFaults((_, text) => (statement.test(text) ? 'answered late' : null), work);

const strike: Record<
  Fault | Delay,
  (client: pg.Client, carryOut: () => Promise<unknown>, query: Query, text: string) => Promise<unknown>
> = {
  async 'error before'(client, _carryOut, query, text) {
    const refused = query.call(
      client,
      "do $$ begin raise exception 'refused by a test' using errcode = '57014'; end $$",
    );
    // A COMMIT that is refused ends its transaction all the same.
    return refused.finally(() => (text === 'commit' ? query.call(client, 'rollback') : undefined));
  },
  async 'error after'(_client, carryOut) {
    await carryOut();
    throw new Error('Query read timeout');
  },
  async 'cut before'(client, carryOut) {
    await cut(client);
    return carryOut();
  },
  async 'cut after'(client, carryOut) {
    await carryOut();
    await cut(client);
    throw new Error('Connection terminated unexpectedly');
  },
  async 'answered late'(_client, carryOut) {
    const answer = await carryOut();
    await sleep(500);
    return answer;
  },
};

async function cut(client: pg.Client): Promise<void> {
  const { stream } = (client as unknown as { connection: { stream: Socket } }).connection;
  if (stream.destroyed) return;
  const ended = new Promise((resolve) => client.once('end', resolve));
  stream.destroy();
  await ended;
}

/** pg takes a text, or an object that has one. */
function textOf(asked: unknown): string {
  if (typeof asked === 'string') return asked;
  const { text } = asked as { text?: unknown };
  return typeof text === 'string' ? text : 'a statement without text';
}
