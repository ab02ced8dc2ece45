import { setTimeout as sleep } from 'node:timers/promises';
import { fastifyApolloHandler } from '@as-integrations/fastify';
import cors from '@fastify/cors';
import helmet from '@fastify/helmet';
import Fastify, { type FastifyBaseLogger, type FastifyInstance, type FastifyRequest } from 'fastify';
import type { Registry } from 'prom-client';
import type { Authenticate } from './caller/bearer.ts';
import type { Caller } from './caller/caller.ts';
import type { Service } from './caller/context.ts';
import { createContext } from './context.ts';
import type { Database } from './db/connection.ts';
import { createApollo } from './http/apollo.ts';
import { addConsoleSignIn, type ConsoleSignIn } from './http/console-sign-in.ts';
import { addErrorAnswers, answerBadAddress, answerBadHttp } from './http/error-answers.ts';
import { createMetrics } from './http/metrics.ts';
import { addLoadShedding, answerInTime, fairTurns, type Overload } from './http/overload.ts';
import { addPages, type Pages } from './http/pages.ts';
import { databaseReadiness } from './http/readiness.ts';
import { createSchema } from './schema.ts';
import * as limits from './shared/limits.ts';
import { startPolicyFeed } from './tenancy/policy-feed.ts';
import { PolicySnapshot } from './tenancy/policy-snapshot.ts';

export interface ServerDeps extends Overload {
  host: string;
  /** 0 takes any free port. */
  port: number;
  database: Database;
  authenticate: Authenticate;
  service: Service;
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
  /** Turns unready, lets requests finish, closes. Resolves within `stopSecondsMax`. */
  stop(): Promise<void>;
}

declare module 'fastify' {
  interface FastifyRequest {
    caller: Caller | null;
    /** On the clock of performance.now(). */
    receivedAt: number;
  }
}

/** Starts the HTTP server: GraphQL, health, metrics. */
export async function createServer(deps: ServerDeps): Promise<Server> {
  const app = Fastify({
    bodyLimit: limits.bodyBytesMax,
    requestTimeout: limits.requestTimeoutMs,
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
  const state = { draining: false };
  const readiness = databaseReadiness(deps.database.pool);
  app.addHook('onClose', () => readiness.close());
  const policies = new PolicySnapshot();
  const metrics = createMetrics(deps.database.pool, policies);
  const apollo = createApollo({
    schema: createSchema({ introspection: deps.introspection }),
    metrics,
    introspection: deps.introspection,
  });
  await apollo.start();

  addErrorAnswers(app);
  await addHeaders(app, deps, state);
  await addLoadShedding(app, metrics, deps);
  app.decorateRequest('caller', null);
  app.decorateRequest('receivedAt', 0);
  app.decorateRequest('place', null);
  app.route({
    method: 'POST',
    url: '/graphql',
    // Before the body is read: a bad token costs nothing more.
    onRequest: async (request, reply) => {
      answerInTime(reply, metrics, deps);
      // Nor does the time of an answer tell whether a token was new.
      request.receivedAt = performance.now();
      request.caller = await deps.authenticate(request.headers.authorization);
    },
    ...fairTurns(metrics, deps),
    handler: fastifyApolloHandler(apollo, {
      context: async (request) =>
        createContext(
          { ...deps, policies, metrics },
          {
            requestId: request.id,
            receivedAt: request.receivedAt,
            caller: request.caller,
            log: request.log,
          },
        ),
    }),
  });
  app.route({
    method: ['GET', 'HEAD', 'PUT', 'PATCH', 'DELETE'],
    url: '/graphql',
    handler: async (_request, reply) => reply.header('allow', 'POST').methodNotAllowed(),
  });
  app.get('/health/live', quiet, async () => ({ status: 'ok' }));
  app.get('/health/ready', quiet, async (_request, reply) => {
    const unready = (reason: string) => reply.code(503).send({ status: 'unavailable', reason });
    if (state.draining) return unready('draining');
    return (await readiness.isDatabaseReady()) ? { status: 'ok' } : unready('database');
  });
  app.get('/.well-known/jwks.json', async () => deps.service.assertionKey.keys);
  app.get('/metrics', quiet, async (_request, reply) =>
    reply.type(metrics.registry.contentType).send(await metrics.registry.metrics()),
  );

  if (deps.pages) await addPages(app, deps.pages);
  if (deps.consoleSignIn) addConsoleSignIn(app, deps.consoleSignIn);

  const url = await app.listen({ host: deps.host, port: deps.port });
  // Only now: a server that gets no port leaves nothing behind.
  const feed =
    deps.policySnapshot === false
      ? null
      : startPolicyFeed({ pool: deps.database.pool, snapshot: policies, log: app.log });
  return {
    url,
    log: app.log,
    registry: metrics.registry,
    async stop() {
      await stop(app, apollo, state, deps.drainSeconds ?? limits.drainSeconds);
      await feed?.stop();
    },
  };
}

/** Health checks and scrapes come every few seconds; nobody reads that in a log. */
const quiet = { logLevel: 'warn' } as const;

/** A caller's own id, if it is harmless, so that its logs and ours can be joined. */
function requestIdOf({ headers }: { headers: Record<string, string | string[] | undefined> }): string {
  const given = headers['x-request-id'];
  return typeof given === 'string' && /^[\w.-]{1,64}$/.test(given) ? given : crypto.randomUUID();
}

async function addHeaders(
  app: FastifyInstance,
  { corsOrigins }: ServerDeps,
  state: { draining: boolean },
): Promise<void> {
  await app.register(helmet, {
    contentSecurityPolicy: {
      useDefaults: false,
      directives: { defaultSrc: ["'none'"], frameAncestors: ["'none'"] },
    },
  });
  await app.register(cors, {
    origin: [...corsOrigins],
    methods: ['POST'],
    allowedHeaders: ['authorization', 'content-type', 'x-request-id', 'apollo-require-preflight'],
    exposedHeaders: ['x-request-id', 'retry-after'],
    maxAge: 600,
  });
  app.addHook('onSend', async (request, reply) => {
    if (!reply.hasHeader('cache-control')) reply.header('cache-control', 'no-store');
    reply.header('x-request-id', request.id);
    if (state.draining) reply.header('connection', 'close');
  });
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
