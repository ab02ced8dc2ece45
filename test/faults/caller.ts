import { setTimeout as sleep } from 'node:timers/promises';
import type { TypedDocumentNode } from '@graphql-typed-document-node/core';
import { print } from 'graphql';

/** A call is answered within 3 s, whatever happens (security.md REL-2); the rest is the way there and back. */
const answeredMsMax = 3_500;
/** A call that waits for longer is not answered. */
const patienceMs = 10_000;
/** What takes longer than any outage of the suite is given up. */
export const insistMsMax = 90_000;

export interface Tally {
  calls: number;
  acknowledged: number;
  /** Answered with UNAVAILABLE. */
  refused: number;
  /** The connection went before the answer came: what became of it is not known. */
  lost: number;
  /** What must not be: late answers, other errors, things done twice. */
  violations: string[];
}

export const newTally = (): Tally => ({ calls: 0, acknowledged: 0, refused: 0, lost: 0, violations: [] });

type Outcome<Result> = { result: Result } | 'refused' | 'lost';

/** Calls one of the servers there are, in turn, as a client behind a load balancer does. */
export class FaultCaller {
  readonly tally: Tally;
  readonly #urls: () => readonly string[];
  readonly #answerMsMax: number;
  #turn = 0;

  constructor(urls: () => readonly string[], tally: Tally, answerMsMax = answeredMsMax) {
    this.#urls = urls;
    this.tally = tally;
    this.#answerMsMax = answerMsMax;
  }

  async once<Result, Variables>(
    token: string | null,
    document: TypedDocumentNode<{ result: Result }, Variables>,
    variables: Variables,
  ): Promise<Outcome<Result>> {
    const urls = this.#urls();
    const url = urls[this.#turn++ % Math.max(urls.length, 1)];
    if (url === undefined) return 'lost';
    this.tally.calls += 1;
    const began = performance.now();
    try {
      const response = await fetch(`${url}/graphql`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...(token && { authorization: `Bearer ${token}` }) },
        body: JSON.stringify({ query: print(document), variables }),
        signal: AbortSignal.timeout(patienceMs),
      });
      const body = (await response.json()) as {
        data?: { result: Result } | null;
        errors?: { message: string; extensions?: { code?: string } }[];
      };
      const ms = performance.now() - began;
      if (ms > this.#answerMsMax) this.#violated(`answered after ${Math.round(ms)} ms`);
      if (body.data?.result != null) {
        this.tally.acknowledged += 1;
        return { result: body.data.result };
      }
      if (response.status !== 503 || body.errors?.[0]?.extensions?.code !== 'UNAVAILABLE') {
        this.#violated(`answered ${response.status} ${JSON.stringify(body.errors)}`);
      } else if (!(Number(response.headers.get('retry-after')) > 0)) {
        this.#violated('refused without Retry-After');
      }
      this.tally.refused += 1;
      return 'refused';
    } catch (error) {
      if ((error as Error).name === 'TimeoutError') this.#violated('not answered at all');
      this.tally.lost += 1;
      return 'lost';
    }
  }

  /**
   * Repeats a call until it is answered.
   * @returns the answer, and whether an earlier try may have been carried out
   * @throws when nobody answers for longer than any outage lasts
   */
  async insist<Result, Variables>(
    token: string | null,
    document: TypedDocumentNode<{ result: Result }, Variables>,
    variables: Variables,
  ): Promise<{ result: Result; isRepeated: boolean }> {
    const until = performance.now() + insistMsMax;
    for (let isRepeated = false; ; isRepeated = true) {
      const outcome = await this.once(token, document, variables);
      if (typeof outcome === 'object') return { ...outcome, isRepeated };
      if (performance.now() > until) throw new Error('Nobody answers.');
      await sleep(50 + Math.random() * 100);
    }
  }

  #violated(what: string): void {
    this.tally.violations.push(what);
  }
}
