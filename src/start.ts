import { access, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createAuthenticate } from './caller/bearer.ts';
import { type DevelopmentIssuer, developmentIssuer } from './caller/development-issuer.ts';
import { localKeys, remoteKeys } from './caller/jwks.ts';
import { databaseSchema } from './database-schema.ts';
import { openDatabase } from './db/connection.ts';
import { startEmbeddedPostgres } from './db/embedded.ts';
import { assertSchemaIsKnown, migrate } from './db/migrate.ts';
import { fillDemo } from './demo.ts';
import { type DevelopmentKeys, developmentFolder, developmentKeys } from './development.ts';
import type { Env } from './env.ts';
import { createServer } from './server.ts';
import { createService, type ServiceSettings } from './service.ts';
import { systemClock } from './shared/clock.ts';

export interface Running {
  url: string;
  /** The issuer of development tokens; null where a real one is configured. */
  development: DevelopmentIssuer | null;
  stop(): Promise<void>;
}

/**
 * Starts everything: the embedded database where no other is given, migrations, keys, the server.
 * What was started is stopped again when a later step fails.
 * @throws EmbeddedPostgresError, SchemaMismatch, or what the network says
 */
export async function start(env: Env): Promise<Running> {
  const stops: (() => Promise<void>)[] = [];
  const stop = async () => {
    while (stops.length > 0) await stops.pop()?.();
  };
  try {
    const clock = systemClock(env.clockOffsetSeconds);
    const keys = env.production ? null : await developmentKeys(developmentFolder, env.databaseUrl);
    const service = await createService({
      clock,
      ...secrets(env, keys),
      publicUrl: env.publicUrl ?? `http://${env.host}:${env.port}`,
      redirectOrigins: env.redirectOrigins,
    });

    let databaseUrl = env.databaseUrl;
    if (databaseUrl === undefined) {
      const embedded = await startEmbeddedPostgres(join(developmentFolder, 'postgres'));
      stops.push(() => embedded.stop());
      databaseUrl = embedded.url;
    }
    const isEmbedded = env.databaseUrl === undefined;
    if (isEmbedded || env.migrate) await migrate(databaseUrl, databaseSchema);
    const database = await openDatabase({
      url: databaseUrl,
      schema: databaseSchema,
      onConnectionError: () => {},
    });
    stops.push(() => database.close());
    await assertSchemaIsKnown(database);
    if (isEmbedded) await fillOnce(() => fillDemo({ database, service }));

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
    const server = await createServer({ ...env, database, authenticate, service });
    stops.push(() => server.stop());
    return { url: server.url, development, stop };
  } catch (error) {
    await stop();
    throw error;
  }
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

/** The mark is made last: a demo that was cut off is finished at the next start, a whole one is left alone. */
async function fillOnce(fill: () => Promise<void>): Promise<void> {
  const mark = join(developmentFolder, 'demo-filled');
  const isFilled = await access(mark).then(
    () => true,
    () => false,
  );
  if (isFilled) return;
  await fill();
  await writeFile(mark, '');
}
