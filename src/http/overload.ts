import { AsyncResource } from 'node:async_hooks';
import underPressure from '@fastify/under-pressure';
import { errorCodes, type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import type { Caller } from '../caller/caller.ts';
import { unavailable } from '../shared/errors.ts';
import * as limits from '../shared/limits.ts';
import { FairQueue, type Place } from './fair-queue.ts';
import type { Metrics } from './metrics.ts';

/*
 * What becomes of more calls than can be served (security.md REL-6). Health, keys and metrics are no
 * calls: they are answered whatever happens.
 */

declare module 'fastify' {
  interface FastifyRequest {
    /** Among the calls that are worked on in turns; null before it has one. */
    place: Place | null;
  }
}

export interface Overload {
  /** Past this delay of the event loop, calls are refused; 0 for never. */
  eventLoopDelayMsMax?: number;
  /** A call that takes longer is answered UNAVAILABLE. */
  answerMsMax?: number;
  /** Calls that are worked on at once. */
  callsRunningMax?: number;
  /** Calls of one boundary that wait for that. */
  callsWaitingMax?: number;
}

/** Refuses calls with UNAVAILABLE while the process as a whole is behind. */
export async function addLoadShedding(
  app: FastifyInstance,
  metrics: Pick<Metrics, 'shed'>,
  { eventLoopDelayMsMax = limits.eventLoopDelayMsMax }: Overload,
): Promise<void> {
  await app.register(underPressure, {
    maxEventLoopDelay: eventLoopDelayMsMax,
    pressureHandler: async (request) => {
      // The route's: an address may be written with escapes.
      if (request.routeOptions.url !== '/graphql') return;
      metrics.shed('event_loop');
      throw unavailable();
    },
  });
}

/**
 * For a call's onRequest: it is answered by then, whatever it waits for. Fastify's own handlerTimeout
 * makes, and aborts, a signal for each request that nobody listens to; that takes a twentieth of a
 * request's time.
 */
export function answerInTime(
  reply: FastifyReply,
  metrics: Pick<Metrics, 'shed'>,
  { answerMsMax = limits.answerMsMax }: Overload,
): void {
  const timer = setTimeout(() => {
    if (reply.sent) return;
    metrics.shed('late');
    reply.send(new errorCodes.FST_ERR_HANDLER_TIMEOUT(String(answerMsMax)));
  }, answerMsMax);
  reply.raw.once('close', () => clearTimeout(timer));
}

/**
 * Hooks of a route whose calls are worked on in turns: of a tenant, an application, the installation, and
 * of those without a bearer token, each for itself. A call takes its turn when its body is there, and has
 * it until its answer is: neither a slow sender nor a slow reader keeps others waiting.
 */
export function fairTurns(
  metrics: Pick<Metrics, 'shed' | 'watchQueue'>,
  { callsRunningMax = limits.callsRunningMax, callsWaitingMax = limits.callsWaitingMax }: Overload,
) {
  const queue = new FairQueue({ runningMax: callsRunningMax, waitingMax: callsWaitingMax });
  metrics.watchQueue(queue);
  return {
    preHandler(request: FastifyRequest, reply: FastifyReply, done: (error?: Error) => void): void {
      const place = queue.enter(keyOf(request.caller));
      if (place === null) {
        metrics.shed('queue_full');
        done(unavailable(new Error(`${callsWaitingMax} calls of ${keyOf(request.caller)} wait already`)));
        return;
      }
      request.place = place;
      if (place.isRunning) {
        done();
        return;
      }
      place.start = AsyncResource.bind(() => done());
      // Nobody is there any more; work that has begun keeps its turn until it ends.
      reply.raw.once('close', () => {
        if (!place.isRunning) queue.leave(place);
      });
    },
    onSend(request: FastifyRequest, _reply: FastifyReply, _payload: unknown, done: () => void): void {
      if (request.place !== null) queue.leave(request.place);
      done();
    },
  };
}

/** No boundary is written so. */
const keyOf = (caller: Caller | null): string => caller?.boundaryKey ?? 'anonymous';
