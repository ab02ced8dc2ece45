import { randomUUID } from 'node:crypto';
import type { EntityManager } from '@mikro-orm/postgresql';
import type { Log } from '../caller/context.ts';
import type { Database } from '../db/connection.ts';
import type { Failed } from '../shared/background.ts';
import { type Clock, secondsAfter } from '../shared/clock.ts';
import type { Ids } from '../shared/ids.ts';
import type { KeyRing } from '../shared/key-ring.ts';
import * as limits from '../shared/limits.ts';
import {
  type Busy,
  claimLane,
  closeLane,
  countPending,
  type DueLane,
  dueLanes,
  type EventContent,
  type Lane,
  leaseEnd,
  markDelivered,
  markFailed,
  type NextDelivery,
  nextDelivery,
  releaseLane,
  switchOffGone,
} from './lane.ts';
import { type Outcome, post } from './post.ts';
import { nextAttemptAt } from './retry.ts';
import { laneText } from './rows.ts';
import { secretPlace, signedHeaders } from './signing.ts';
import type { WebhookMetrics } from './webhook.metrics.ts';

/*
 * Sends what is queued: at least once, and the deliveries of one tenant for one endpoint in the order
 * of the record. Every server runs one; they share the work by leases (see lane.ts).
 */

/** Makes an attempt known to whoever watches; `send` takes headers that join the receiver's traces to it. */
export type TracePost = (
  about: { action: string; endpointId: string; eventId: string },
  send: (headers: Record<string, string>) => Promise<Outcome>,
) => Promise<Outcome>;

export interface DispatcherDeps {
  database: Database;
  service: { clock: Clock; ids: Ids; keyRing: KeyRing; loopbackWebhooks: boolean };
  log: Pick<Log, 'warn'>;
  failed: Failed;
  metrics: WebhookMetrics;
  tracePost?: TracePost | undefined;
  timeoutMs?: number;
  /** At least 0 and less than 1. */
  random?: () => number;
}

interface Dispatcher {
  fill(): Promise<void>;
  /** Sends until nothing is due. */
  drain(): Promise<void>;
  /** What is being sent has a moment to end; then it is cut off, and sent again by another. */
  stop(): Promise<void>;
}

/** What works on lanes, some at once, whenever `fill` is called. */
function createDispatcher(deps: DispatcherDeps): Dispatcher {
  const { database, log, service } = deps;
  const { clock } = service;
  const random = deps.random ?? Math.random;
  const timeoutMs = deps.timeoutMs ?? limits.webhookTimeoutMs;
  const cutOff = new AbortController();
  const working = new Map<Promise<void>, Lane>();
  let stopped = false;
  let filling: Promise<void> | null = null;
  let isAsked = false;

  /** Claims what is due, as long as a lane more may be worked on. */
  function fill(): Promise<void> {
    isAsked = true;
    filling ??= claimAll()
      .catch(warning('looking for due webhooks failed; it is tried again'))
      .finally(() => {
        filling = null;
      });
    return filling;
  }

  /** What became due after it was looked for, of a lane that was given back meanwhile, is looked for again. */
  async function claimAll(): Promise<void> {
    while (isAsked && !stopped) {
      isAsked = false;
      await claim();
    }
  }

  /** Begins with what is due, until nothing is left, or all places are taken. What others claimed first is passed over. */
  async function claim(): Promise<void> {
    const em = database.fork();
    const lost = new Set<string>();
    for (;;) {
      const places = limits.webhookLanesMax - working.size;
      if (places <= 0 || stopped) return;
      const now = clock.now();
      const due = await dueLanes(em, now, busy(), places + lost.size);
      const free = due.filter((lane) => !lost.has(laneText(lane)));
      if (free.length === 0) return;
      for (const found of free) {
        if (working.size >= limits.webhookLanesMax || stopped) return;
        if (isBusy(found)) continue;
        const lane = await claimLane(em, found, now, randomUUID());
        if (lane === null) lost.add(laneText(found));
        else begin(lane, now);
      }
    }
  }

  function begin(lane: Lane, now: Date): void {
    const work = workOn(lane, now)
      .catch(warning('sending webhooks failed; it is tried again when the lease ends'))
      .finally(() => {
        working.delete(work);
        void fill();
      });
    working.set(work, lane);
  }

  /** What takes long at one endpoint, or at all of an application's, must leave room for the others. */
  function busy(): Busy {
    const lanes = [...working.values()];
    return {
      applicationIds: full(
        lanes.map(({ applicationId }) => applicationId),
        limits.webhookLanesPerApplicationMax,
      ),
      endpointIds: full(
        lanes.map(({ endpointId }) => endpointId),
        limits.webhookLanesPerEndpointMax,
      ),
    };
  }

  function isBusy({ applicationId, endpointId }: DueLane): boolean {
    const { applicationIds, endpointIds } = busy();
    return applicationIds.includes(applicationId) || endpointIds.includes(endpointId);
  }

  /** Sends what is first in the lane, again and again, until the lane's turn is over. */
  async function workOn(lane: Lane, claimedAt: Date): Promise<void> {
    const em = database.fork();
    let { failures } = lane;
    let heldSince = claimedAt;
    for (let turn = 0; turn < limits.webhookTurnMax && !stopped; turn += 1) {
      const delivery = await nextDelivery(em, lane, clock.now());
      if (delivery === null || !delivery.endpoint.enabled) return closeLane(em, lane, clock.now());
      // The lease must outlast the attempt, or another server would send beside us.
      if (secondsAfter(clock.now(), timeoutMs / 1000) >= leaseEnd(heldSince)) break;
      const outcome = await attempt(delivery);
      const now = clock.now();
      if (outcome.kind === 'cut off') break;
      if (outcome.kind !== 'delivered') return giveBack(em, lane, failures + 1, delivery, outcome);
      deps.metrics.attempted('delivered');
      if (!(await markDelivered(em, lane, delivery, now))) return;
      [failures, heldSince] = [0, now];
    }
    await releaseLane(em, lane, clock.now());
  }

  async function attempt({ event, endpoint, endpointId }: NextDelivery): Promise<Outcome | CutOff> {
    if (event.content === null) return { kind: 'lost', reason: 'pruned from the record' };
    const place = secretPlace(endpoint.applicationId, endpointId);
    const body = bodyOf(event, endpoint.applicationId, event.content);
    try {
      const secrets = endpoint.secrets.map((kept) => service.keyRing.open(kept, place));
      const headers = signedHeaders(secrets, event.id, clock.now(), body);
      const options = { loopback: service.loopbackWebhooks, timeoutMs, signal: cutOff.signal };
      const send = (more: Record<string, string>) =>
        post({ url: endpoint.url, headers: { ...headers, ...more }, body }, options);
      const about = { action: event.action, endpointId, eventId: event.id };
      return await (deps.tracePost ? deps.tracePost(about, send) : send({}));
    } catch (error) {
      if (cutOff.signal.aborted) return { kind: 'cut off' };
      warning('a webhook could not be signed')(error);
      return { kind: 'failed', reason: 'not signed' };
    }
  }

  /** Writes down what failed, and gives the lane back until the next attempt. */
  async function giveBack(
    em: EntityManager,
    lane: Lane,
    failures: number,
    delivery: NextDelivery,
    outcome: Exclude<Outcome, { kind: 'delivered' }>,
  ): Promise<void> {
    const now = clock.now();
    const failed = { attempts: delivery.attempts + 1, queuedAt: delivery.queuedAt };
    const retryAt = outcome.kind === 'lost' ? null : nextAttemptAt(failed, failures, now, random());
    await markFailed(em, lane, delivery, now, outcome.reason, { failures, retryAt });
    deps.metrics.attempted(retryAt === null ? 'dead' : 'failed');
    const about = { endpointId: lane.endpointId, reason: outcome.reason };
    if (retryAt === null) log.warn(about, 'a webhook was given up; it can be replayed');
    if (outcome.kind !== 'gone') return;
    await switchOffGone(em, service, lane.endpointId, delivery.endpoint);
    log.warn(about, 'a webhook endpoint answered 410 and was switched off');
  }

  function warning(message: string) {
    return (error: unknown) => deps.failed('dispatcher', error, message);
  }

  return {
    fill,
    async drain() {
      await fill();
      while (working.size > 0) {
        await Promise.race(working.keys());
        await fill();
      }
    },
    async stop() {
      stopped = true;
      const timer = setTimeout(() => cutOff.abort(), limits.webhookStopMs);
      await filling;
      await Promise.all(working.keys());
      clearTimeout(timer);
    },
  };
}

type CutOff = { kind: 'cut off' };

/** What occurs as often as it may. */
const full = (ids: readonly string[], max: number): string[] =>
  [...Map.groupBy(ids, (id) => id)].filter(([, { length }]) => length >= max).map(([id]) => id);

/** What a receiver reads [Standard Webhooks specification, "Payload structure"]. */
function bodyOf(event: NextDelivery['event'], applicationId: string, content: EventContent): string {
  const { id, at, action, tenantId } = event;
  const { userId, actor, detail } = content;
  return JSON.stringify({
    type: action,
    timestamp: at.toISOString(),
    data: { id, tenantId, applicationId, userId, actor, detail },
  });
}

/** Sends until nothing is due: for tests, and whoever wants to wait for it. */
export const drainWebhooks = (deps: DispatcherDeps): Promise<void> => createDispatcher(deps).drain();

/** Sends whenever something is due, until stopped. */
export function startDispatcher(deps: DispatcherDeps): { stop(): Promise<void> } {
  const dispatcher = createDispatcher(deps);
  const polling = setInterval(() => void dispatcher.fill(), limits.webhookPollMs);
  const measuring = setInterval(() => {
    countPending(deps.database.fork()).then(deps.metrics.backlog, (error) =>
      deps.failed('dispatcher', error, 'counting pending webhooks failed; the last figure stands'),
    );
  }, limits.webhookBacklogSeconds * 1000);
  polling.unref();
  measuring.unref();
  return {
    stop() {
      clearInterval(polling);
      clearInterval(measuring);
      return dispatcher.stop();
    },
  };
}
