// Apollo Server on Fastify, and MikroORM: one find per type.
import { ApolloServer } from '@apollo/server';
import { fastifyApolloDrainPlugin, fastifyApolloHandler } from '@as-integrations/fastify';
import { defineEntity, p } from '@mikro-orm/core';
import { MikroORM } from '@mikro-orm/postgresql';
import Fastify from 'fastify';
import { requireBearer } from './bearer.mjs';
import { effectivePolicy, typeDefs } from './rules.mjs';

const policyColumns = () => ({
  totpEnabled: p.boolean().nullable(),
  recoveryCodesEnabled: p.boolean().nullable(),
  enrollment: p.text().nullable(),
  gracePeriodDays: p.integer().nullable(),
  issuer: p.text().nullable(),
  policyVersion: p.integer(),
});
const Application = defineEntity({
  name: 'Application',
  tableName: 'applications',
  properties: { id: p.text().primary(), displayName: p.text(), overrideRule: p.text(), ...policyColumns() },
});
const Tenant = defineEntity({
  name: 'Tenant',
  tableName: 'tenants',
  properties: {
    id: p.text().primary(),
    applicationId: p.text(),
    overrideEnabled: p.boolean(),
    ...policyColumns(),
  },
});
const orm = await MikroORM.init({
  clientUrl: process.env.DATABASE_URL,
  entities: [Application, Tenant],
  pool: { min: 0, max: 20 },
});

async function load(em, ids) {
  const tenants = await em.find(Tenant, { id: { $in: ids } });
  const applicationIds = [...new Set(tenants.map(({ applicationId }) => applicationId))];
  const applications = await em.find(Application, { id: { $in: applicationIds } });
  const byId = new Map(applications.map((application) => [application.id, application]));
  return new Map(
    tenants.map((tenant) => [
      tenant.id,
      { id: tenant.id, effectivePolicy: effectivePolicy(tenant, byId.get(tenant.applicationId)) },
    ]),
  );
}

const app = Fastify();
app.addHook('onRequest', requireBearer);
const apollo = new ApolloServer({
  typeDefs,
  resolvers: {
    Query: {
      effectivePolicy: async (_root, { tenantId }, { em }) =>
        (await load(em, [tenantId])).get(tenantId)?.effectivePolicy ?? null,
      async tenants(_root, { ids }, { em }) {
        const tenants = await load(em, ids);
        return ids.map((id) => tenants.get(id) ?? null);
      },
    },
  },
  plugins: [fastifyApolloDrainPlugin(app)],
});
await apollo.start();
app.route({
  url: '/graphql',
  method: 'POST',
  handler: fastifyApolloHandler(apollo, { context: async () => ({ em: orm.em.fork() }) }),
});
console.log(await app.listen({ host: '127.0.0.1', port: 0 }));
process.on('SIGTERM', () => process.exit(0));
