import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { exportJWK, generateKeyPair } from 'jose';
import pg from 'pg';
import { serverRole } from '../../dist/src/audit/append-only.js';
import { scopes } from '../../dist/src/caller/caller.js';
import { developmentIssuer } from '../../dist/src/caller/development-issuer.js';
import { databaseSchema } from '../../dist/src/database-schema.js';
import { inRole } from '../../dist/src/db/connection.js';
import { startEmbeddedPostgres } from '../../dist/src/db/embedded.js';
import { migrate } from '../../dist/src/db/migrate.js';
import { systemClock } from '../../dist/src/shared/clock.js';
import { runCommand } from './processes.mjs';

/**
 * What all contestants stand on: one PostgreSQL in a folder that is removed, and the one who signs bearer tokens.
 */
export async function openGround() {
  const folder = await mkdtemp(join(tmpdir(), 'cufflink-bench-'));
  // So that statements can be counted; off until they are, below.
  const postgres = await startEmbeddedPostgres(join(folder, 'postgres'), [
    'shared_preload_libraries=pg_stat_statements',
  ]);
  const encryptionKey = { id: 'bench', key: randomBytes(32) };
  const assertionKey = await newKey();
  const key = { ...(await newKey()), kid: 'bench', alg: 'ES256', use: 'sig' };
  const issuer = await developmentIssuer(key, systemClock(0), {
    application: 'application_id',
    tenant: 'tenant_id',
    scope: 'scope',
  });
  const keyServer = createServer((_request, response) => {
    response.setHeader('content-type', 'application/jwk-set+json').end(JSON.stringify(issuer.keys));
  });
  await new Promise((resolve) => keyServer.listen(0, '127.0.0.1', resolve));

  const urlOf = (database) => {
    const url = new URL(postgres.url);
    url.pathname = `/${database}`;
    return url.href;
  };
  const ground = {
    encryptionKey,
    urlOf,
    mint: (claims) => issuer.mint({ sub: 'bench', scope: scopes.join(' '), ...claims }),
    /** The environment of our server: as in production. */
    productEnv: (database) => ({
      NODE_ENV: 'production',
      PORT: '0',
      LOG_LEVEL: 'warn',
      DATABASE_URL: inRole(urlOf(database), serverRole),
      ENCRYPTION_KEYS: `${encryptionKey.id}:${encryptionKey.key.toString('base64')}`,
      ASSERTION_KEY: JSON.stringify(assertionKey),
      PUBLIC_URL: 'http://127.0.0.1:4000',
      JWT_ISSUER: issuer.issuer,
      JWT_AUDIENCE: issuer.audience,
      JWT_JWKS_URL: `http://127.0.0.1:${keyServer.address().port}/`,
    }),
    /** The environment of a peer. */
    peerEnv: (database) => ({
      DATABASE_URL: urlOf(database),
      BENCH_JWKS: JSON.stringify(issuer.keys),
      BENCH_ISSUER: issuer.issuer,
      BENCH_AUDIENCE: issuer.audience,
      GRAPHILE_ENV: 'production',
    }),
    async query(database, statement, values) {
      const client = new pg.Client({ connectionString: urlOf(database) });
      await client.connect();
      try {
        return (await client.query(statement, values)).rows;
      } finally {
        await client.end();
      }
    },
    async close() {
      keyServer.close();
      await postgres.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
  await countStatements(ground, false);
  return ground;
}

/** Lets PostgreSQL count statements, or not: it costs something. */
export async function countStatements(ground, isOn) {
  await ground.query('cufflink', `alter system set pg_stat_statements.track = '${isOn ? 'top' : 'none'}'`);
  await ground.query('cufflink', 'select pg_reload_conf()');
}

/** Makes a database with the product's tables, filled by `npm run seed`. @returns seconds that seeding took */
export async function seedDatabase(ground, database, { tenants, users, applications }) {
  await ground.query('cufflink', `create database ${database}`);
  await migrate(ground.urlOf(database), databaseSchema);
  const began = performance.now();
  await runCommand(
    '../../dist/src/commands/seed.js',
    [`--applications=${applications}`, `--tenants=${tenants}`, `--users=${users}`, '--yes'],
    { ...ground.productEnv(database), DATABASE_URL: ground.urlOf(database) },
  );
  return (performance.now() - began) / 1000;
}

/** The same numbers in each run and for each contestant [mulberry32]. @returns whole numbers below `below` */
export function numbers(seed) {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below);
  };
}

export const tenantId = (n) => `seed-t${String(n + 1).padStart(7, '0')}`;

async function newKey() {
  return exportJWK((await generateKeyPair('ES256', { extractable: true })).privateKey);
}
