// npm run bench:audit: what the audit record's hash chains cost, on a PostgreSQL of their own.
//   --seconds N   of one round (5)     --rounds N   (5)     --events N   to verify (1000000)
import 'reflect-metadata';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { exportJWK, generateKeyPair } from 'jose';
import pg from 'pg';
import { serverRole } from '../../dist/src/audit/append-only.js';
import { auditParts } from '../../dist/src/audit/audit.service.js';
import { sealAll, startSealer } from '../../dist/src/audit/sealer.js';
import { verifyRecord } from '../../dist/src/audit/verify.js';
import { Caller, scopes } from '../../dist/src/caller/caller.js';
import { createContext } from '../../dist/src/context.js';
import { databaseSchema } from '../../dist/src/database-schema.js';
import { inRole, openDatabase } from '../../dist/src/db/connection.js';
import { startEmbeddedPostgres } from '../../dist/src/db/embedded.js';
import { migrate } from '../../dist/src/db/migrate.js';
import { countOf, sql } from '../../dist/src/db/sql.js';
import { createService } from '../../dist/src/service.js';
import { systemClock } from '../../dist/src/shared/clock.js';
import { uuidV7Ids } from '../../dist/src/shared/ids.js';
import { startMfa } from '../../dist/src/signin/start.service.js';
import { PolicySnapshot } from '../../dist/src/tenancy/policy-snapshot.js';
import { createApplication, createTenant } from '../../dist/src/tenancy/tenancy.service.js';

const writers = 50;
/** In the statements of audit.service.ts. */
const chainPart = /,\s*queued as \(\s*insert into audit_unsealed[^)]*\)[^)]*\)/;
const digestPart =
  /, sha256\(convert_to\(jsonb_build_array\([^)]*\([^)]*\)[^)]*\)::text, 'UTF8'\)\) as digest/;
const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '5' },
    rounds: { type: 'string', default: '5' },
    events: { type: 'string', default: '1000000' },
  },
});
const [seconds, rounds, events] = [values.seconds, values.rounds, values.events].map(Number);

const folder = await mkdtemp(join(tmpdir(), 'cufflink-bench-'));
const postgres = await startEmbeddedPostgres(join(folder, 'postgres'));
try {
  await migrate(postgres.url, databaseSchema);
  const open = (url) =>
    openDatabase({ url, schema: databaseSchema, unlimited: true, poolConnectionsMax: writers + 10 });
  const server = await open(inRole(postgres.url, serverRole));
  const owner = await open(postgres.url);
  console.log(`${cpus().length} cores, ${writers} parallel writers, all of one tenant.`);
  await compareWriters(server, owner);
  await timeVerification(server, owner);
  await server.close();
  await owner.close();
} finally {
  await postgres.stop();
  await rm(folder, { recursive: true, force: true });
}

/** What recording needs of a context. */
function recordingContext() {
  const clock = systemClock(0);
  return { clock, ids: uuidV7Ids(clock) };
}

function eventOf(tenantId) {
  return {
    action: 'mfa_step.started',
    applicationId: 'bench',
    tenantId,
    userId: 'ada',
    detail: { status: 'AUTHENTICATED', reason: 'ENROLLMENT_OPTIONAL', trigger: 'LOGIN' },
  };
}

/**
 * The same writers, calls of startMfa, once as they are and once with what the chain needs cut out of
 * their statements.
 */
async function compareWriters(server, owner) {
  const service = await createService({
    clock: systemClock(0),
    encryptionKeys: [{ id: 'bench', key: randomBytes(32) }],
    assertionKey: await exportJWK((await generateKeyPair('ES256', { extractable: true })).privateKey),
    publicUrl: 'https://mfa.example',
    redirectOrigins: [],
  });
  const caller = new Caller('bench', { kind: 'application', applicationId: 'bench' }, [
    'mfa-workflow:execute',
  ]);
  const admin = new Caller('bench', { kind: 'installation' }, scopes);
  const policies = new PolicySnapshot();
  const contextOf = (who) =>
    createContext({ database: server, service, policies }, { requestId: 'bench', caller: who, log: console });
  await createApplication(contextOf(admin), { id: 'bench', displayName: 'Bench' });
  await createTenant(contextOf(admin), { id: 'bench.1', applicationId: 'bench', displayName: 'Bench' });
  let user = 0;
  const write = () => {
    user = (user + 1) % 10_000;
    const input = {
      tenantId: 'bench.1',
      userId: `user-${user}`,
      accountName: 'user',
      trigger: 'LOGIN',
      identityProvider: 'LOCAL',
    };
    return startMfa(contextOf(caller), input);
  };
  const query = pg.Client.prototype.query;
  const unchained = async (duration) => {
    pg.Client.prototype.query = function withoutChain(config, ...rest) {
      const cut = (text) => text.replace(chainPart, '').replace(digestPart, '');
      return query.call(this, typeof config === 'string' ? cut(config) : config, ...rest);
    };
    const rate = await perSecond(write, duration);
    pg.Client.prototype.query = query;
    return rate;
  };
  await perSecond(write, 3);
  await sealAll(server, service.clock);
  const rates = { unchained: [], chained: [] };
  for (let round = 1; round <= rounds; round += 1) {
    rates.unchained.push(await unchained(seconds));
    if ((await unsealed(owner)) > 0) throw new Error('The chain was not cut out of the statements.');
    const sealer = startSealer(server, service.clock, (_work, error) => console.warn(error));
    rates.chained.push(await perSecond(write, seconds));
    await sealer.stop();
    console.log(
      `round ${round}: ${rates.unchained.at(-1)} calls/s without chain, ${rates.chained.at(-1)} with (${await unsealed(owner)} events not sealed at its end)`,
    );
    await sealAll(server, service.clock);
  }
  const ratios = rates.chained.map((rate, n) => rate / rates.unchained[n]).sort((a, b) => a - b);
  console.log(
    `with chain / without: median ${ratios[ratios.length >> 1].toFixed(2)} (${ratios[0].toFixed(2)} to ${ratios.at(-1).toFixed(2)})`,
  );
  await owner.pool.query('truncate audit_events, audit_seals, audit_chains, audit_unsealed');
}

async function unsealed(owner) {
  const { rows } = await owner.pool.query('select count(*)::int as count from audit_unsealed');
  return rows[0].count;
}

async function perSecond(write, duration) {
  const until = performance.now() + duration * 1000;
  let written = 0;
  const writer = async () => {
    for (; performance.now() < until; written += 1) await write();
  };
  await Promise.all(Array.from({ length: writers }, writer));
  return Math.round(written / duration);
}

async function timeVerification(server, owner) {
  const context = recordingContext();
  const tenants = 1_000;
  const batch = 10_000;
  const em = server.fork();
  for (let made = 0; made < events; made += batch) {
    const entries = Array.from({ length: Math.min(batch, events - made) }, (_, n) =>
      eventOf(`tenant-${(made + n) % tenants}`),
    );
    await countOf(em, sql`with ${auditParts(context, 'bench', entries)} select 1`);
  }
  const sealing = performance.now();
  await sealAll(server, context.clock);
  const sealedIn = (performance.now() - sealing) / 1000;
  await owner.pool.query('analyze');
  const began = performance.now();
  const seen = await verifyRecord(owner.fork());
  const took = (performance.now() - began) / 1000;
  console.log(
    `${seen.events} events of ${tenants} tenants: sealed in ${sealedIn.toFixed(1)} s, verified in ${took.toFixed(1)} s, ${seen.findings.length} findings`,
  );
}
