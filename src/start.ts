import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Client, DatabaseError } from 'pg';
import { rewritingAdvice, serverRole } from './audit/append-only.ts';
import { startSealer } from './audit/sealer.ts';
import { createAuthenticate } from './caller/bearer.ts';
import { type DevelopmentIssuer, developmentIssuer } from './caller/development-issuer.ts';
import { localKeys, remoteKeys } from './caller/jwks.ts';
import { demoPlaces, developmentRoles } from './caller/roles.ts';
import { databaseSchema } from './database-schema.ts';
import { inRole, openDatabase } from './db/connection.ts';
import { startEmbeddedPostgres } from './db/embedded.ts';
import { assertSchemaIsKnown, migrate } from './db/migrate.ts';
import { missingTimeouts } from './db/pooled.ts';
import { Replicas } from './db/replicas.ts';
import { fillDemo } from './demo.ts';
import { type DevelopmentKeys, developmentFolder, developmentKeys } from './development.ts';
import type { Env } from './env.ts';
import type { ConsoleSignIn } from './http/console-sign-in.ts';
import { startJanitor } from './janitor.ts';
import { type KeyDoubts, sampleKeys } from './keys/check.ts';
import { createServer, type Server } from './server.ts';
import { createService, type ServiceSettings } from './service.ts';
import { systemClock } from './shared/clock.ts';
import { ownerConnectTimeoutMs } from './shared/limits.ts';
import { isLoopbackName } from './shared/loopback.ts';
import { startDispatcher } from './webhook/dispatcher.ts';
import { queueDeliveries } from './webhook/fan-out.ts';
import { createWebhookMetrics } from './webhook/webhook.metrics.ts';

export interface Running {
  url: string;
  /** The issuer of development tokens; null where a real one is configured. */
  development: DevelopmentIssuer | null;
  stop(): Promise<void>;
}

/** What was built, seen from `dist/src` and from `dist/server`. */
const builtFolder = fileURLToPath(new URL('..', import.meta.url));

/**
 * Starts everything: the embedded database where no other is given, migrations, keys, the server.
 * What was started is stopped again when a later step fails.
 * @param signal gives the start up between two steps
 * @throws EmbeddedPostgresError, SchemaMismatch, what the network says, or the signal's reason
 */
export async function start(env: Env, signal: AbortSignal): Promise<Running> {
  const stops: (() => Promise<void>)[] = [];
  const stop = () => stopAll(stops.splice(0).reverse());
  try {
    const clock = systemClock(env.clockOffsetSeconds);

    let ownerUrl = env.databaseUrl;
    if (ownerUrl === undefined) {
      const embedded = await startEmbeddedPostgres(join(developmentFolder, 'postgres'));
      stops.push(() => embedded.stop());
      ownerUrl = embedded.url;
      signal.throwIfAborted();
    }
    // Not before: by now the folder is ours alone.
    const keys = env.production ? null : await developmentKeys(developmentFolder, env.databaseUrl);
    const service = await createService({
      clock,
      ...secrets(env, keys),
      publishedAssertionKeys: env.publishedAssertionKeys,
      publicUrl: env.publicUrl ?? `http://${env.host}:${env.port}`,
      redirectOrigins: env.redirectOrigins,
      loopbackWebhooks: !env.production,
    });

    const tracing = env.tracing && (await import('./telemetry/tracing.ts')).openTracing(env.tracing);
    if (tracing) stops.push(() => tracing.stop());
    const isEmbedded = env.databaseUrl === undefined;
    const migrates = isEmbedded || env.migrate;
    if (migrates) await migrate(env.databaseDirectUrl ?? ownerUrl, databaseSchema, signal);
    const database = await openDatabase({
      // A pooler passes no role on: who serves through one is whom it logs in as.
      url: migrates && env.databaseDirectUrl === undefined ? await servingUrl(ownerUrl) : ownerUrl,
      directUrl: env.databaseDirectUrl,
      schema: databaseSchema,
      preparesStatements: env.preparedStatements,
      watch: tracing?.watchStatements,
      onConnectionError: () => {},
    });
    stops.push(() => database.close());
    await assertSchemaIsKnown(database);
    signal.throwIfAborted();
    if (isEmbedded) await fillOnce(ownerUrl, () => fillDemo({ database, service }));
    signal.throwIfAborted();

    const development =
      env.jwt || keys === null ? null : await developmentIssuer(keys.bearer, clock, env.claims);
    const bearerKeys = env.jwt
      ? remoteKeys(env.jwt.jwksUrl, clock)
      : localKeys((development as DevelopmentIssuer).keys);
    const { issuer, audience } = env.jwt ?? (development as DevelopmentIssuer);
    const authenticate = createAuthenticate(
      {
        issuer,
        audience,
        claimApplication: env.claims.application,
        claimTenant: env.claims.tenant,
        claimScope: env.claims.scope,
      },
      bearerKeys,
      clock,
    );
    const replicas =
      env.databaseReplicaUrls.length === 0
        ? undefined
        : new Replicas({ urls: env.databaseReplicaUrls, primary: database });
    if (replicas) stops.push(() => replicas.stop());
    const server = await createServer({
      ...env,
      database,
      replicas,
      authenticate,
      service,
      tracing,
      pages: {
        folder: builtFolder,
        graphiql: !env.production,
        consoleOrigins: env.oidc ? [new URL(env.oidc.authority).origin, ...env.oidcConnectOrigins] : [],
      },
      consoleSignIn: consoleSignIn(env, development),
    });
    // Side by side: whoever does the work behind, and however long it takes, the server drains at once.
    const works: (() => Promise<void>)[] = [() => server.stop()];
    stops.push(() => allOf(works.map((stopOne) => stopOne())));
    replicas?.start(server.log);
    const advice = await rewritingAdvice(database.pool);
    if (advice !== null) server.log.warn({}, `the database role may rewrite the audit record; ${advice}`);
    await warnOfKeys(server.log, () => sampleKeys(database.fork(), service.keyRing));
    const timeouts = await missingTimeouts(database.pool);
    if (timeouts.length > 0) {
      server.log.warn(
        { statements: timeouts },
        'PostgreSQL did not take our limits on time, as behind a pooler; let the role have them: run these statements as its owner',
      );
    }
    const sealer = startSealer(database, clock, server.failed, queueDeliveries(clock));
    works.push(() => sealer.stop());
    const metrics = createWebhookMetrics(server.registry);
    const dispatcher = startDispatcher({
      database,
      service,
      log: server.log,
      failed: server.failed,
      metrics,
      tracePost: tracing?.tracePost,
    });
    works.push(() => dispatcher.stop());
    const janitor = startJanitor(database, clock, server.failed);
    works.push(() => janitor.stop());
    tellStart(server, env);
    return { url: server.url, development, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Whatever LOG_LEVEL is, save silent: a server that runs in another mode than was meant must be seen. */
function tellStart({ log, url }: Pick<Server, 'log' | 'url'>, { mode, logLevel }: Env): void {
  if (logLevel !== 'silent') log.child({}, { level: 'info' }).info({ mode, url }, 'Cufflink serves');
}

/** Whose secrets can't be opened is refused, and nobody else: that is no reason not to serve the others. */
async function warnOfKeys(log: Server['log'], look: () => Promise<KeyDoubts>): Promise<void> {
  const doubts = await look().catch((error: Error) => {
    log.warn({ reason: error.message }, 'whether ENCRYPTION_KEYS opens what is stored could not be seen');
  });
  for (const key of doubts?.missing ?? []) {
    log.warn({ key }, 'ENCRYPTION_KEYS lacks a key that rows need: their users are refused; put it back');
  }
  for (const { keyId: key, table } of doubts?.wrong ?? []) {
    log.warn(
      { key, table },
      'ENCRYPTION_KEYS has another key under this id than the one that sealed: nothing of it opens, its users are refused; put the right one back',
    );
  }
}

/** The roles that are printed are what there is to choose from, unless a real issuer is configured. */
function consoleSignIn(env: Env, development: DevelopmentIssuer | null): ConsoleSignIn {
  if (env.oidc && env.jwt) return { kind: 'oidc', ...env.oidc, audience: env.jwt.audience };
  // An address that others reach is that of a proxy, perhaps of one that does not say for whom it asks.
  const isOwnMachines = [env.host, env.publicUrl && new URL(env.publicUrl).hostname].every(
    (name) => name === undefined || isLoopbackName(name),
  );
  if (development === null || !isOwnMachines) return { kind: 'token' };
  const roles = developmentRoles(demoPlaces);
  return {
    kind: 'development',
    roles: Object.entries(roles).map(([name, { description }]) => ({ name, description })),
    async mint(role) {
      const claims = Object.hasOwn(roles, role) ? roles[role]?.claims : undefined;
      return claims ? development.mint(claims) : null;
    },
  };
}

/** What is given serves; in development, keys of its own stand in for what is not. */
function secrets(
  env: Env,
  keys: DevelopmentKeys | null,
): Pick<ServiceSettings, 'encryptionKeys' | 'assertionKey'> {
  const encryptionKeys = env.encryptionKeys ?? (keys && [keys.encryption]);
  const assertionKey = env.assertionKey ?? keys?.assertion;
  if (!encryptionKeys || !assertionKey) throw new Error('Production names its keys; readEnv sees to it.');
  return { encryptionKeys, assertionKey };
}

/**
 * Who migrates owns the tables, and serves as the role that may only add to the record, where the
 * database lets them: it is asked by trying. Where not, it is warned of that later.
 */
async function servingUrl(ownerUrl: string): Promise<string> {
  const url = inRole(ownerUrl, serverRole);
  const client = new Client({ connectionString: url, connectionTimeoutMillis: ownerConnectTimeoutMs });
  client.on('error', () => {});
  try {
    await client.connect();
    await client.query('select from audit_events limit 0');
    return url;
  } catch (error) {
    if (error instanceof DatabaseError) return ownerUrl;
    throw error;
  } finally {
    await client.end();
  }
}

/**
 * The mark is made last: a demo that was cut off is finished at the next start, a whole one is left
 * alone. It stands with the data, as the database's comment, and goes where they go.
 */
async function fillOnce(ownerUrl: string, fill: () => Promise<void>): Promise<void> {
  const mark = 'filled with the demo';
  const owner = new Client({ connectionString: ownerUrl, connectionTimeoutMillis: ownerConnectTimeoutMs });
  await owner.connect();
  try {
    const { rows } = await owner.query<{ comment: string | null }>(
      "select shobj_description(oid, 'pg_database') as comment from pg_database where datname = current_database()",
    );
    if (rows[0]?.comment === mark) return;
    await fill();
    await owner.query(`comment on database cufflink is '${mark}'`);
  } finally {
    await owner.end();
  }
}

/** Everything is stopped, one after the other, also what comes after something that fails to. */
async function stopAll(stops: readonly (() => Promise<void>)[]): Promise<void> {
  const errors: unknown[] = [];
  for (const stop of stops) await stop().catch((error) => errors.push(error));
  if (errors.length > 0) throw errors[0];
}

/** Waits for all, also for those beside one that fails. */
async function allOf(endings: readonly Promise<void>[]): Promise<void> {
  const failed = (await Promise.allSettled(endings)).find(({ status }) => status === 'rejected');
  if (failed?.status === 'rejected') throw failed.reason;
}
