// npm run bench:operator: seeding, previews and statistics, on a PostgreSQL of their own.
//   --tenants N (100000)   --users N (1000000)   --seeds N   rounds of seeding (3)   --rounds N   of each question (9)
import 'reflect-metadata';
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { exportJWK, generateKeyPair } from 'jose';
import pg from 'pg';
import { serverRole } from '../../dist/src/audit/append-only.js';
import { createAuthenticate } from '../../dist/src/caller/bearer.js';
import { scopes } from '../../dist/src/caller/caller.js';
import { developmentIssuer } from '../../dist/src/caller/development-issuer.js';
import { localKeys } from '../../dist/src/caller/jwks.js';
import { databaseSchema } from '../../dist/src/database-schema.js';
import { inRole, openDatabase } from '../../dist/src/db/connection.js';
import { startEmbeddedPostgres } from '../../dist/src/db/embedded.js';
import { migrate } from '../../dist/src/db/migrate.js';
import { createServer } from '../../dist/src/server.js';
import { createService } from '../../dist/src/service.js';
import { systemClock } from '../../dist/src/shared/clock.js';

const { values } = parseArgs({
  options: {
    tenants: { type: 'string', default: '100000' },
    users: { type: 'string', default: '1000000' },
    seeds: { type: 'string', default: '3' },
    rounds: { type: 'string', default: '9' },
  },
});
const [seeds, rounds] = [values.seeds, values.rounds].map(Number);
const encryptionKey = { id: 'bench', key: randomBytes(32) };
const clock = systemClock(0);

const folder = await mkdtemp(join(tmpdir(), 'cufflink-bench-'));
const postgres = await startEmbeddedPostgres(join(folder, 'postgres'));
try {
  const load = loadavg()[0].toFixed(1);
  console.log(
    `${cpus().length} cores, ${values.tenants} tenants, ${values.users} users; load before: ${load}.`,
  );
  const times = [];
  for (let round = 1; round <= seeds; round += 1) times.push(await timeSeeding(`seeded_${round}`, 10));
  const ms = times.map((seconds) => seconds * 1000);
  if (seeds > 0) console.log(line('npm run seed, 10 applications', ms));
  await timeSeeding('operator', 1);
  await timeQuestions('operator');
} finally {
  await postgres.stop();
  await rm(folder, { recursive: true, force: true });
}

function urlOf(name) {
  const url = new URL(postgres.url);
  url.pathname = `/${name}`;
  return url.href;
}

async function asOwner(name, statement) {
  const client = new pg.Client({ connectionString: urlOf(name) });
  await client.connect();
  const result = await client.query(statement);
  await client.end();
  return result;
}

/** Into a new database. @returns seconds, the start of the process included */
async function timeSeeding(name, applications) {
  await asOwner('cufflink', `create database ${name}`);
  await migrate(urlOf(name), databaseSchema);
  const began = performance.now();
  await promisify(execFile)(
    process.execPath,
    [
      'dist/src/commands/seed.js',
      `--applications=${applications}`,
      `--tenants=${values.tenants}`,
      `--users=${values.users}`,
    ],
    {
      env: {
        DATABASE_URL: urlOf(name),
        ENCRYPTION_KEYS: `${encryptionKey.id}:${encryptionKey.key.toString('base64')}`,
      },
    },
  );
  return (performance.now() - began) / 1000;
}

/** Over HTTP, of a server in this process, about one application that has all tenants. */
async function timeQuestions(name) {
  const database = await openDatabase({ url: inRole(urlOf(name), serverRole), schema: databaseSchema });
  const key = { ...(await newKey()), kid: 'bench', alg: 'ES256' };
  const claims = { application: 'application_id', tenant: 'tenant_id', scope: 'scope' };
  const issuer = await developmentIssuer(key, clock, claims);
  const server = await createServer({
    host: '127.0.0.1',
    port: 0,
    database,
    authenticate: createAuthenticate(
      {
        issuer: issuer.issuer,
        audience: issuer.audience,
        claimApplication: claims.application,
        claimTenant: claims.tenant,
        claimScope: claims.scope,
      },
      localKeys(issuer.keys),
      clock,
    ),
    service: await createService({
      clock,
      encryptionKeys: [encryptionKey],
      assertionKey: await newKey(),
      publicUrl: 'https://mfa.example',
      redirectOrigins: [],
    }),
    introspection: true,
    corsOrigins: [],
    logLevel: 'silent',
  });
  const token = await issuer.mint({ sub: 'bench', scope: scopes.join(' ') });
  for (const [what, query] of await questions(name)) {
    const times = [];
    let refused = 0;
    // The first one warms up.
    for (let round = 0; round <= rounds; round += 1) {
      const began = performance.now();
      const isAnswered = await ask(server.url, token, query);
      if (!isAnswered) refused += 1;
      else if (round > 0) times.push(performance.now() - began);
    }
    const beyond = refused === 0 ? '' : `; ${refused} times not answered within the limits of a statement`;
    console.log(`${times.length === 0 ? what : line(what, times)}${beyond}`);
  }
  await server.stop();
  await database.close();
}

async function questions(name) {
  const { rows } = await asOwner(
    name,
    'select tenant_id as id, count(*)::int as users from users group by tenant_id order by 2 desc limit 50',
  );
  const preview = (field, of) =>
    `{ ${field}(${of}) { __typename ... on PolicyChangePreview { tenantsAffected tenantsShielded usersToEnroll usersNoLongerChallenged } ... on UserError { code message } } }`;
  const stats = 'mfaStats { users enrolled optional pending overdue exempt disabled }';
  const ofApplication = (policy) =>
    preview('previewApplicationMfaPolicy', `applicationId: "seed-a0001", policy: { ${policy} }`);
  const [largest] = rows;
  const sum = rows.reduce((total, { users }) => total + users, 0);
  return [
    ['preview, application: enrollment required', ofApplication('enrollment: REQUIRED')],
    ['preview, application: TOTP off', ofApplication('totpEnabled: false, recoveryCodesEnabled: false')],
    [
      `preview, tenant of ${largest.users} users: enrollment required`,
      preview(
        'previewTenantMfaPolicy',
        `tenantId: "${largest.id}", enabled: true, policy: { totpEnabled: true, enrollment: REQUIRED, gracePeriodDays: 0 }`,
      ),
    ],
    ['statistics of the application', `{ application(id: "seed-a0001") { ${stats} } }`],
    [
      `statistics of the 50 largest tenants (${sum} users)`,
      `{ tenants(ids: ${JSON.stringify(rows.map(({ id }) => id))}) { id ${stats} } }`,
    ],
    [
      `users by state, of the tenant of ${largest.users}`,
      `{ tenant(id: "${largest.id}") { users(first: 100, filter: { state: ENROLLED }) { totalCount nodes { id mfa { state } } } } }`,
    ],
  ];
}

/** @returns false where it took longer than the server lets anything take */
async function ask(url, token, query) {
  const response = await fetch(`${url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
    body: JSON.stringify({ query }),
  });
  const answer = await response.text();
  if (answer.includes('"UNAVAILABLE"')) return false;
  if (!response.ok || /"(errors|code)":/.test(answer)) throw new Error(answer);
  return true;
}

async function newKey() {
  return exportJWK((await generateKeyPair('ES256', { extractable: true })).privateKey);
}

function line(what, times) {
  const [first, ...others] = times.map((ms) => ms / 1000).sort((a, b) => a - b);
  const sorted = [first, ...others];
  const seconds = (value) => value.toFixed(value < 10 ? 3 : 1);
  return `${what}: median ${seconds(sorted[sorted.length >> 1])} s (${seconds(first)} to ${seconds(sorted.at(-1))}, ${sorted.length} times)`;
}
