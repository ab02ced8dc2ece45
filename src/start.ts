import { join } from 'node:path';
import { createAuthenticate } from './caller/bearer.ts';
import { type DevelopmentIssuer, developmentIssuer, newSigningKey } from './caller/development-issuer.ts';
import { localKeys, remoteKeys } from './caller/jwks.ts';
import { databaseSchema } from './database-schema.ts';
import { type Database, openDatabase } from './db/connection.ts';
import { startEmbeddedPostgres } from './db/embedded.ts';
import { assertSchemaIsKnown, migrate } from './db/migrate.ts';
import { fillDemo } from './demo.ts';
import { developmentFolder, ensureSigningKey } from './development.ts';
import type { Env } from './env.ts';
import { createServer } from './server.ts';
import { systemClock } from './shared/clock.ts';
import { uuidV7Ids } from './shared/ids.ts';

export interface Running {
  url: string;
  /** The issuer of development tokens; null where a real one is configured. */
  development: DevelopmentIssuer | null;
  stop(): Promise<void>;
}

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
    const ids = uuidV7Ids(clock);

    let databaseUrl = env.databaseUrl;
    if (databaseUrl === undefined) {
      const embedded = await startEmbeddedPostgres(join(developmentFolder, 'postgres'));
      stops.push(() => embedded.stop());
      databaseUrl = embedded.url;
      signal.throwIfAborted();
    }
    const isEmbedded = env.databaseUrl === undefined;
    if (isEmbedded || env.migrate) await migrate(databaseUrl, databaseSchema, signal);
    const database = await openDatabase({
      url: databaseUrl,
      schema: databaseSchema,
      onConnectionError: () => {},
    });
    stops.push(() => database.close());
    await assertSchemaIsKnown(database);
    signal.throwIfAborted();
    if (isEmbedded) await fillOnce(database, () => fillDemo({ database, clock, ids }));
    signal.throwIfAborted();

    const development = env.jwt ? null : await createDevelopmentIssuer(env, isEmbedded, clock);
    const keys = env.jwt
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
      keys,
      clock,
    );
    const server = await createServer({ ...env, database, authenticate, clock, ids });
    stops.push(() => server.stop());
    return { url: server.url, development, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/**
 * Beside the embedded database the key lasts, so that tokens survive a restart. With DATABASE_URL
 * the folder is not ours to touch: the key lives as long as the process.
 */
async function createDevelopmentIssuer(
  { claims }: Env,
  isEmbedded: boolean,
  clock: { now(): Date },
): Promise<DevelopmentIssuer> {
  const key = isEmbedded ? await ensureSigningKey(developmentFolder) : await newSigningKey();
  return developmentIssuer(key, clock, claims);
}

/**
 * The mark is made last: a demo that was cut off is finished at the next start, a whole one is left
 * alone. It stands with the data, as the database's comment, and goes where they go.
 */
async function fillOnce({ pool }: Database, fill: () => Promise<void>): Promise<void> {
  const mark = 'filled with the demo';
  const { rows } = await pool.query<{ comment: string | null }>(
    "select shobj_description(oid, 'pg_database') as comment from pg_database where datname = current_database()",
  );
  if (rows[0]?.comment === mark) return;
  await fill();
  await pool.query(`comment on database cufflink is '${mark}'`);
}

/** Everything is stopped, also what comes after something that fails to. */
async function stopAll(stops: readonly (() => Promise<void>)[]): Promise<void> {
  const errors: unknown[] = [];
  for (const stop of stops) await stop().catch((error) => errors.push(error));
  if (errors.length > 0) throw errors[0];
}
