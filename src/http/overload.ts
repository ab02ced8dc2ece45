import { AsyncResource } from 'node:async_hooks';
import underPressure from '@fastify/under-pressure';
import { errorCodes, type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { unavailable } from '../shared/errors.ts';
import type { KeyRing } from '../shared/key-ring.ts';
import * as limits from '../shared/limits.ts';
import { isPromise } from '../shared/promise.ts';
import { isRecord } from '../shared/record.ts';
import { isIssued, parseMfaToken } from '../signin/token.ts';
import { FairQueue, type Place, type Turn } from './fair-queue.ts';
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
  /** A connection on which nothing is sent or taken for so long is closed. */
  connectionTimeoutMs?: number;
  /** Past so many, new connections are closed at once. */
  connectionsMax?: number;
  /** A call that takes longer is answered UNAVAILABLE. */
  answerMsMax?: number;
  /** Calls that are worked on at once. */
  callsRunningMax?: number;
  /** Calls of one boundary, or of one tenant's MFA steps, that wait for that. */
  callsWaitingMax?: number;
  /** How long they do. */
  callsWaitMsMax?: number;
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
 * Hooks of a route whose calls are worked on in turns: see `turnOf`. A call takes its turn when its body is there, and has
 * it until its answer is: neither a slow sender nor a slow reader keeps others waiting. Work that has begun keeps the turn
 * until it ends, also where the call was answered late: its statements still wait for connections, and more calls
 * beside them than have connections would all be late. Who has waited for half of the time is refused, so that what begins
 * can be answered in time.
 */
export function fairTurns(
  metrics: Pick<Metrics, 'shed' | 'watchQueue'>,
  {
    callsRunningMax = limits.callsRunningMax,
    callsWaitingMax = limits.callsWaitingMax,
    callsWaitMsMax = limits.callsWaitMsMax,
  }: Overload,
  keyRing: KeyRing,
) {
  const queue = new FairQueue({ runningMax: callsRunningMax, waitingMax: callsWaitingMax });
  metrics.watchQueue(queue);
  const tooMany = (group: string) => {
    metrics.shed('queue_full');
    return unavailable(new Error(`${callsWaitingMax} calls of ${group} wait already`));
  };
  return {
    preHandler(request: FastifyRequest, reply: FastifyReply, done: (error?: Error) => void): void {
      const place = queue.enter(() => turnOf(request, keyRing));
      if (place === null) {
        done(tooMany(turnOf(request, keyRing).group));
        return;
      }
      request.place = place;
      if (place.isRunning) {
        done();
        return;
      }
      const goOn = AsyncResource.bind((error?: Error) => {
        clearTimeout(waiting);
        done(error);
      });
      const waiting = setTimeout(() => {
        queue.leave(place);
        metrics.shed('late');
        goOn(unavailable(new Error(`no turn within ${callsWaitMsMax} ms`)));
      }, callsWaitMsMax);
      place.start = () => goOn();
      place.refuse = () => goOn(tooMany(place.turn?.group ?? ''));
      // Nobody is there any more; work that has begun keeps its turn until it ends.
      reply.raw.once('close', () => {
        clearTimeout(waiting);
        if (!place.isRunning) queue.leave(place);
      });
    },
    onSend(request: FastifyRequest, _reply: FastifyReply, _payload: unknown, done: () => void): void {
      if (request.place?.isWorking === false) queue.leave(request.place);
      done();
    },
    /** Does a call's work, which keeps its turn. @returns its answer; undefined for who has got another meanwhile */
    work(request: FastifyRequest, reply: FastifyReply, act: () => unknown): unknown {
      const { place } = request;
      const answered = act();
      if (place === null || !isPromise(answered)) return answered;
      place.isWorking = true;
      const end = () => {
        place.isWorking = false;
        queue.leave(place);
      };
      return answered.then(
        (answer) => {
          end();
          return reply.sent ? undefined : answer;
        },
        (error) => {
          end();
          if (!reply.sent) throw error;
        },
      );
    },
  };
}

/**
 * Whose turn a call takes. Callers of one boundary are a group; within an application's or the installation's,
 * as a sign-in service is, each tenant that calls name is a member. Calls in an MFA step without a bearer token
 * are a group of their tenant, and each token a member. Whoever shows neither bearer nor an issued MFA token
 * takes turns with all of those.
 */
function turnOf({ caller, body }: FastifyRequest, keyRing: KeyRing): Turn {
  if (caller !== null && caller.tenantId !== null) return { group: caller.boundaryKey, member: '' };
  const { tenantId, mfaToken } = namedIn(body);
  const ofToken = mfaToken === undefined ? undefined : parseMfaToken(mfaToken)?.tenantId;
  if (caller !== null) return { group: caller.boundaryKey, member: tenantId ?? ofToken ?? '' };
  return mfaToken !== undefined && ofToken !== undefined && isIssued(mfaToken, keyRing)
    ? { group: `steps of ${ofToken}`, member: mfaToken }
    : { group: 'anonymous', member: '' };
}

/** What the variables of a call name, themselves or in an input. Literals of its document are not looked at. */
function namedIn(body: unknown): { tenantId?: string; mfaToken?: string } {
  if (!isRecord(body) || !isRecord(body['variables'])) return {};
  for (const input of [body['variables'], ...Object.values(body['variables'])]) {
    if (!isRecord(input)) continue;
    const { tenantId, mfaToken } = input;
    if (typeof mfaToken === 'string') return { mfaToken };
    if (typeof tenantId === 'string') return { tenantId };
  }
  return {};
}
