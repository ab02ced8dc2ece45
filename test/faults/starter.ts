import { setTimeout as sleep } from 'node:timers/promises';
import { FaultStartDocument } from '../generated/documents.ts';
import { uniqueId } from '../setup/harness.ts';
import { type FaultCaller, insistMsMax } from './caller.ts';
import type { Recorder } from './recorder.ts';

/** Starts MFA steps of one tenant, each of another user: the shortest call that changes something. */
export class Starter {
  readonly #caller: FaultCaller;
  readonly #recorder: Recorder;
  readonly #token: string;
  readonly #tenantId: string;

  /** @param token of the tenant's sign-in service */
  constructor(caller: FaultCaller, recorder: Recorder, token: string, tenantId: string) {
    this.#caller = caller;
    this.#recorder = recorder;
    this.#token = token;
    this.#tenantId = tenantId;
  }

  /** @returns whether it was acknowledged */
  async once(userId = uniqueId('user')): Promise<boolean> {
    const tenantId = this.#tenantId;
    const input = {
      tenantId,
      userId,
      accountName: userId,
      trigger: 'LOGIN' as const,
      idempotencyKey: userId,
    };
    const outcome = await this.#caller.once(this.#token, FaultStartDocument, { input });
    if (typeof outcome !== 'object') return false;
    const { result } = outcome;
    if (result.__typename === 'MfaDecision' && result.mfaToken !== null) {
      this.#recorder.record({ did: 'step', tenantId, userId, key: userId });
      return true;
    }
    this.#caller.tally.violations.push(`a start was answered with ${JSON.stringify(result)}`);
    return false;
  }

  /** @returns milliseconds until one, repeated without a pause, was acknowledged */
  async untilAcknowledged(): Promise<number> {
    const userId = uniqueId('user');
    const began = performance.now();
    while (!(await this.once(userId))) {
      if (performance.now() - began > insistMsMax) throw new Error('Nobody answers.');
      await sleep(10);
    }
    return performance.now() - began;
  }
}

/**
 * Calls at a constant rate, however slow the answers are, as people do who do not know of each other.
 * @returns once all are answered, how many a second were made
 */
export async function atRate(
  perSecond: number,
  seconds: number,
  call: () => Promise<unknown>,
): Promise<number> {
  const calls: Promise<unknown>[] = [];
  const began = performance.now();
  const all = Math.floor(perSecond * seconds);
  while (calls.length < all) {
    const due = Math.min(all, Math.floor(((performance.now() - began) / 1000) * perSecond));
    while (calls.length < due) calls.push(call());
    await sleep(5);
  }
  const tookMs = performance.now() - began;
  await Promise.all(calls);
  return (calls.length * 1000) / tookMs;
}

/** @returns how many calls a second are acknowledged while so many clients make one after the other */
export async function capacityOf(
  clients: number,
  seconds: number,
  call: () => Promise<boolean>,
): Promise<number> {
  const began = performance.now();
  let acknowledged = 0;
  const work = async () => {
    while (performance.now() - began < seconds * 1000) if (await call()) acknowledged += 1;
  };
  await Promise.all(Array.from({ length: clients }, work));
  return (acknowledged * 1000) / (performance.now() - began);
}
