import { setTimeout as sleep } from 'node:timers/promises';
import { fastifyApolloHandler } from '@as-integrations/fastify';
import Fastify, {
  type FastifyBaseLogger,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
} from 'fastify';
import type { Registry } from 'prom-client';
import type { Authenticate } from './caller/bearer.ts';
import type { Caller } from './caller/caller.ts';
import type { RequestContext, Service } from './caller/context.ts';
import { createContext } from './context.ts';
import type { Database } from './db/connection.ts';
import { watchReplicas } from './db/replica-metrics.ts';
import type { Replicas } from './db/replicas.ts';
import { createApollo } from './http/apollo.ts';
import { watchBackground } from './http/background-failures.ts';
import { addConsoleSignIn, type ConsoleSignIn } from './http/console-sign-in.ts';
import { createDirect, isPlainlyAccepted } from './http/direct.ts';
import { addErrorAnswers, answerBadAddress, answerBadHttp } from './http/error-answers.ts';
import { createExecutor } from './http/executor.ts';
import { addHeaders } from './http/headers.ts';
import { addJsonParser } from './http/json-body.ts';
import { createMetrics, type Metrics } from './http/metrics.ts';
import { addLoadShedding, answerInTime, fairTurns, type Overload } from './http/overload.ts';
import { addPages, type Pages } from './http/pages.ts';
import { databaseReadiness } from './http/readiness.ts';
import { createSchema } from './schema.ts';
import type { Failed } from './shared/background.ts';
import { errorStatus, type RefusalReason } from './shared/errors.ts';
import * as limits from './shared/limits.ts';
import { isPromise } from './shared/promise.ts';
import type { Tracing } from './telemetry/tracing.ts';
import { startPolicyFeed } from './tenancy/policy-feed.ts';
import { PolicySnapshot } from './tenancy/policy-snapshot.ts';

export interface ServerDeps extends Overload {
  host: string;
  /** 0 takes any free port. */
  port: number;
  database: Database;
  /** What may answer where a stale answer is harmless; the primary alone when left out. */
  replicas?: Replicas;
  authenticate: Authenticate;
  service: Service;
  /** Left out where no collector is configured. */
  tracing?: Tracing | undefined;
  /** Whether anyone may read the schema. */
  introspection: boolean;
  /** Whether policies are remembered between requests; true when left out. */
  policySnapshot?: boolean;
  /** Pages for browsers; none when left out. */
  pages?: Pages;
  /** How people sign in to the console; without it, it has no settings. */
  consoleSignIn?: ConsoleSignIn;
  /** Browser origins that may call. */
  corsOrigins: readonly string[];
  logLevel: string;
  /** Where log lines go; standard output when left out. */
  logTo?: { write(line: string): void };
  drainSeconds?: number;
}

export interface Server {
  url: string;
  log: FastifyBaseLogger;
  /** What /metrics shows. */
  registry: Registry;
  /** Counts and logs what fails beside calls. */
  failed: Failed;
  /** Turns unready, lets requests finish, closes. Resolves within `stopSecondsMax`. */
  stop(): Promise<void>;
}

declare module 'fastify' {
  interface FastifyRequest {
    caller: Caller | null;
    /** On the clock of performance.now(). */
    receivedAt: number;
    /** Of a GraphQL call, once it is worked on. */
    context: RequestContext | null;
  }
}

/** Starts the HTTP server: GraphQL, health, metrics. */
export async function createServer(deps: ServerDeps): Promise<Server> {
  const app = Fastify({
    bodyLimit: limits.bodyBytesMax,
    requestTimeout: limits.requestTimeoutMs,
    connectionTimeout: deps.connectionTimeoutMs ?? limits.connectionTimeoutMs,
    keepAliveTimeout: limits.keepAliveMs,
    http: {
      headersTimeout: limits.headersTimeoutMs,
      maxHeaderSize: limits.headerBytesMax,
      connectionsCheckingInterval: limits.timeoutCheckMs,
    },
    forceCloseConnections: 'idle',
    return503OnClosing: false,
    frameworkErrors: answerBadAddress,
    clientErrorHandler: answerBadHttp,
    genReqId: requestIdOf,
    logger: {
      level: deps.logLevel,
      ...(deps.logTo && { stream: deps.logTo }),
      serializers: {
        // Neither headers nor the address as it was written: query strings carry tokens, and paths do when
        // a link was mangled (a hosted page's #token as %23token). Which route it was is enough.
        req: ({ method, routeOptions, ip }: FastifyRequest) => ({
          method,
          route: routeOptions.url ?? 'none',
          ip,
        }),
      },
    },
  });
  // Fastify would take text/plain, which a foreign page can send without asking first.
  app.removeContentTypeParser('text/plain');
  addJsonParser(app);
  const state = { draining: false };
  const readiness = databaseReadiness(deps.database.pool);
  app.addHook('onClose', () => readiness.close());
  const policies = new PolicySnapshot();
  const metrics = createMetrics(deps.database.pool, policies);
  const failed = watchBackground(metrics.registry, app.log);
  if (deps.replicas) watchReplicas(metrics.registry, deps.replicas);
  const made = createSchema({ introspection: deps.introspection });
  const schema = deps.tracing?.watchFields(made) ?? made;
  const executor = createExecutor(schema);
  const direct = createDirect({ schema, executor });
  const watching = deps.tracing?.plugin;
  const apollo = createApollo({
    schema,
    executor,
    direct,
    watching,
    introspection: deps.introspection,
  });
  await apollo.start();

  addErrorAnswers(app);
  // First: what the hooks behind it refuse is measured too. Nor does the time of an answer tell whether a token was new.
  app.addHook('onRequest', (request, _reply, done) => {
    request.receivedAt = performance.now();
    done();
  });
  deps.tracing?.watchHttp(app);
  await addHeaders(app, deps.corsOrigins, state);
  await addLoadShedding(app, metrics, deps);
  app.decorateRequest('caller', null);
  app.decorateRequest('receivedAt', 0);
  app.decorateRequest('place', null);
  app.decorateRequest('context', null);
  const contextOf = (request: FastifyRequest): RequestContext => {
    const { id: requestId, receivedAt, caller, log } = request;
    request.context ??= createContext({ ...deps, policies, metrics }, { requestId, receivedAt, caller, log });
    return request.context;
  };
  const throughApollo = fastifyApolloHandler(apollo, { context: async (request) => contextOf(request) }).bind(
    app,
  );
  const turns = fairTurns(metrics, deps, deps.service.keyRing);
  const traced = deps.tracing && { childLoggerFactory: deps.tracing.childLoggerFactory as never };
  app.route({
    method: 'POST',
    url: '/graphql',
    ...traced,
    // Its answers carry the same headers, by a hook of ours.
    helmet: false,
    // Before the body is read: a bad token costs nothing more.
    onRequest: async (request, reply) => {
      answerInTime(reply, metrics, deps);
      request.caller = await deps.authenticate(request.headers.authorization);
    },
    preHandler: turns.preHandler,
    onSend: [turns.onSend, tellNoToken, countAnswer(metrics)],
    handler(request, reply) {
      return turns.work(request, reply, () => {
        // A call that is traced is seen phase by phase, and Apollo has them.
        if (deps.tracing || !isPlainlyAccepted(request.headers.accept)) return throughApollo(request, reply);
        const answered = direct.answer(request.body, () => contextOf(request));
        const told = (text: string | null) => {
          if (text === null) return throughApollo(request, reply);
          if (!reply.sent) reply.header('content-type', 'application/json; charset=utf-8');
          return text;
        };
        return isPromise(answered) ? answered.then(told) : told(answered);
      });
    },
  });
  app.route({
    method: ['GET', 'HEAD', 'PUT', 'PATCH', 'DELETE'],
    url: '/graphql',
    ...traced,
    handler: async (_request, reply) => reply.header('allow', 'POST').methodNotAllowed(),
  });
  app.get('/health/live', quiet, async () => ({ status: 'ok' }));
  app.get('/health/ready', quiet, async (_request, reply) => {
    const unready = (reason: string) => reply.code(503).send({ status: 'unavailable', reason });
    if (state.draining) return unready('draining');
    if (!(await readiness.isDatabaseReady())) return unready('database');
    return { status: 'ok', ...(deps.replicas && { replicas: replicaCounts(deps.replicas) }) };
  });
  app.get('/.well-known/jwks.json', async () => deps.service.assertionKey.keys);
  app.get('/metrics', quiet, async (_request, reply) =>
    reply.type(metrics.registry.contentType).send(await metrics.registry.metrics()),
  );

  if (deps.pages) await addPages(app, deps.pages);
  if (deps.consoleSignIn) addConsoleSignIn(app, deps.consoleSignIn);

  app.server.maxConnections = deps.connectionsMax ?? limits.connectionsMax;
  const url = await app.listen({ host: deps.host, port: deps.port });
  // Only now: a server that gets no port leaves nothing behind.
  const feed =
    deps.policySnapshot === false ? null : startPolicyFeed({ ...deps.database, snapshot: policies, failed });
  return {
    url,
    log: app.log,
    registry: metrics.registry,
    failed,
    async stop() {
      await stop(app, apollo, state, deps.drainSeconds ?? limits.drainSeconds);
      await feed?.stop();
    },
  };
}

/** Hook of a call's route: GraphQL answers so where it needs a caller and there is none; bad tokens are told before. */
function tellNoToken(
  request: FastifyRequest,
  reply: FastifyReply,
  _payload: unknown,
  done: () => void,
): void {
  const reason: RefusalReason = 'no token';
  if (reply.statusCode === errorStatus.UNAUTHENTICATED && request.context !== null) {
    request.log.debug({ reason }, 'unauthenticated');
  }
  done();
}

/**
 * Hook of a call's route: whatever was answered is counted, wherever that was decided, and whether or not
 * somebody still waits for it.
 */
const countAnswer =
  ({ answered }: Pick<Metrics, 'answered'>) =>
  (request: FastifyRequest, reply: FastifyReply, _payload: unknown, done: () => void): void => {
    const call = request.context?.call;
    const isVouched = request.caller !== null || call?.isInStep === true;
    const seconds = (performance.now() - request.receivedAt) / 1000;
    answered(call?.operation ?? null, reply.statusCode, isVouched, seconds);
    done();
  };

/** Without them the primary answers: a server is ready however many are used. */
const replicaCounts = ({ states }: Replicas) => ({
  used: states.filter(({ fault }) => fault === null).length,
  configured: states.length,
});

/** Health checks and scrapes come every few seconds; nobody reads that in a log. */
const quiet = { logLevel: 'warn' } as const;

/** A caller's own id, if it is harmless, so that its logs and ours can be joined. */
function requestIdOf({ headers }: { headers: Record<string, string | string[] | undefined> }): string {
  const given = headers['x-request-id'];
  return typeof given === 'string' && /^[\w.-]{1,64}$/.test(given) ? given : crypto.randomUUID();
}

async function stop(
  app: FastifyInstance,
  apollo: { stop(): Promise<void> },
  state: { draining: boolean },
  drainSeconds: number,
): Promise<void> {
  state.draining = true;
  const force = setTimeout(() => app.server.closeAllConnections(), limits.stopSecondsMax * 1000);
  // Balancers that have not seen the 503 yet still send requests; they are answered.
  await sleep(drainSeconds * 1000);
  await app.close();
  await apollo.stop();
  clearTimeout(force);
}
