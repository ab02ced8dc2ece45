// Fastify and mercurius with its compiler (graphql-jit), and one prepared statement of pg for any number of ids.
import Fastify from 'fastify';
import mercurius from 'mercurius';
import pg from 'pg';
import { requireBearer } from './bearer.mjs';
import { effectivePolicy, typeDefs } from './rules.mjs';

const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: 20 });
const columns = (of, prefix) =>
  [
    ['totp_enabled', 'totpEnabled'],
    ['recovery_codes_enabled', 'recoveryCodesEnabled'],
    ['enrollment', 'enrollment'],
    ['grace_period_days', 'gracePeriodDays'],
    ['issuer', 'issuer'],
    ['policy_version', 'policyVersion'],
  ]
    .map(([column, name]) => `${of}.${column} as "${prefix}${name}"`)
    .join(', ');
const statement = {
  name: 'tenants',
  text: `select t.id, t.override_enabled as "overrideEnabled", ${columns('t', '')},
      a.override_rule as "a_overrideRule", a.display_name as "a_displayName", ${columns('a', 'a_')}
    from tenants t join applications a on a.id = t.application_id where t.id = any($1)`,
};

/** Tenants with their application, by id: one statement. */
async function load(ids) {
  const { rows } = await pool.query({ ...statement, values: [ids] });
  return new Map(rows.map((row) => [row.id, row]));
}

const policyOf = (row) =>
  effectivePolicy(row, {
    overrideRule: row.a_overrideRule,
    displayName: row.a_displayName,
    totpEnabled: row.a_totpEnabled,
    recoveryCodesEnabled: row.a_recoveryCodesEnabled,
    enrollment: row.a_enrollment,
    gracePeriodDays: row.a_gracePeriodDays,
    issuer: row.a_issuer,
    policyVersion: row.a_policyVersion,
  });

const app = Fastify();
app.addHook('onRequest', requireBearer);
await app.register(mercurius, {
  schema: typeDefs,
  jit: 1,
  resolvers: {
    Query: {
      async effectivePolicy(_root, { tenantId }) {
        const row = (await load([tenantId])).get(tenantId);
        return row ? policyOf(row) : null;
      },
      async tenants(_root, { ids }) {
        const rows = await load(ids);
        return ids.map((id) => rows.get(id) ?? null);
      },
    },
    Tenant: { effectivePolicy: policyOf },
  },
});
console.log(await app.listen({ host: '127.0.0.1', port: 0 }));
process.on('SIGTERM', () => process.exit(0));
