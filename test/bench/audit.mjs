// npm run bench:audit: what the audit record's hash chains cost, on a PostgreSQL of their own.
//   --seconds N   of one round (5)     --rounds N   (5)     --events N   to verify (1000000)
import 'reflect-metadata';
import { mkdtemp, rm } from 'node:fs/promises';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { serverRole } from '../../dist/src/audit/append-only.js';
import { auditParts } from '../../dist/src/audit/audit.service.js';
import { sealAll, startSealer } from '../../dist/src/audit/sealer.js';
import { verifyRecord } from '../../dist/src/audit/verify.js';
import { databaseSchema } from '../../dist/src/database-schema.js';
import { inRole, openDatabase } from '../../dist/src/db/connection.js';
import { startEmbeddedPostgres } from '../../dist/src/db/embedded.js';
import { migrate } from '../../dist/src/db/migrate.js';
import { countOf, sql } from '../../dist/src/db/sql.js';
import { systemClock } from '../../dist/src/shared/clock.js';
import { uuidV7Ids } from '../../dist/src/shared/ids.js';

const writers = 50;
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

/** What a service's context has that recording needs. */
function contextOf() {
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

async function compareWriters(server, owner) {
  const context = contextOf();
  const unchained = (em) => {
    const { tenantId, applicationId, action, userId, detail } = eventOf('plain');
    const row = {
      tenant_id: tenantId,
      id: context.ids.next(),
      application_id: applicationId,
      at: context.clock.now(),
      action,
      actor: 'bench',
      user_id: userId,
      detail,
    };
    return countOf(
      em,
      sql`insert into audit_events (tenant_id, id, application_id, at, action, actor, user_id, detail)
        select r.tenant_id, r.id, r.application_id, r.at, r.action, r.actor, r.user_id, r.detail
        from jsonb_to_recordset(${JSON.stringify([row])}::jsonb) as r(tenant_id text, id uuid, application_id text,
          at timestamptz, action text, actor text, user_id text, detail jsonb)`,
    );
  };
  const chained = (em) =>
    countOf(em, sql`with ${auditParts(context, 'bench', [eventOf('chained')])} select 1`);
  await perSecond(server, unchained, 2);
  await perSecond(server, chained, 2);
  const rates = { unchained: [], chained: [] };
  for (let round = 1; round <= rounds; round += 1) {
    rates.unchained.push(await perSecond(server, unchained, seconds));
    const sealer = startSealer(server, context.clock, console);
    rates.chained.push(await perSecond(server, chained, seconds));
    await sealer.stop();
    const { rows } = await owner.pool.query('select count(*)::int as left from audit_unsealed');
    console.log(
      `round ${round}: ${rates.unchained.at(-1)} events/s without chain, ${rates.chained.at(-1)} with (${rows[0].left} not sealed yet at its end)`,
    );
    await sealAll(server, context.clock);
  }
  const ratios = rates.chained.map((rate, n) => rate / rates.unchained[n]).sort((a, b) => a - b);
  console.log(
    `with chain / without: median ${ratios[ratios.length >> 1].toFixed(2)} (${ratios[0].toFixed(2)} to ${ratios.at(-1).toFixed(2)})`,
  );
  await owner.pool.query('truncate audit_events, audit_seals, audit_chains, audit_unsealed');
}

async function perSecond(database, write, duration) {
  const until = performance.now() + duration * 1000;
  let written = 0;
  const writer = async () => {
    const em = database.fork();
    for (; performance.now() < until; written += 1) await write(em);
  };
  await Promise.all(Array.from({ length: writers }, writer));
  return Math.round(written / duration);
}

async function timeVerification(server, owner) {
  const context = contextOf();
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
