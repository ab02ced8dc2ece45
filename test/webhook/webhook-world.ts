import { randomBytes } from 'node:crypto';
import { exportJWK, generateKeyPair } from 'jose';
import { Registry } from 'prom-client';
import { serverRole } from '../../src/audit/append-only.ts';
import { sealAll } from '../../src/audit/sealer.ts';
import type { Service } from '../../src/caller/context.ts';
import { databaseSchema } from '../../src/database-schema.ts';
import { type Database, inRole, openDatabase } from '../../src/db/connection.ts';
import { watchBackground } from '../../src/http/background-failures.ts';
import { createService } from '../../src/service.ts';
import { type DispatcherDeps, drainWebhooks, startDispatcher } from '../../src/webhook/dispatcher.ts';
import { queueDeliveries } from '../../src/webhook/fan-out.ts';
import { createWebhookMetrics } from '../../src/webhook/webhook.metrics.ts';
import {
  CreateWebhookEndpointDocument,
  type CreateWebhookEndpointMutationVariables,
  RenameTenantDocument,
  UpdateWebhookEndpointDocument,
  type UpdateWebhookEndpointMutationVariables,
  WebhookDeliveriesDocument,
  type WebhookDeliveriesQueryVariables,
  WebhookEndpointsDocument,
} from '../generated/documents.ts';
import { newMigratedDatabase } from '../process/databases.ts';
import { publicUrl, startTestServer, type TestCaller, TestClock, type TestServer } from '../setup/harness.ts';
import { makeWorld, type World } from '../setup/world.ts';

/** A server on a database of its own, so that nobody else seals its events, with a stopped clock. */
export interface WebhookServer extends TestServer {
  service: Service;
  admin: TestCaller;
  /** What the dispatchers logged. */
  warnings: { details: object; message: string }[];
  metrics(): Promise<string>;
  /** Another pool of connections, as another server has. */
  openDatabase(): Promise<Database>;
  deps(more?: Partial<DispatcherDeps>): DispatcherDeps;
  /** Queues what was recorded for the endpoints, as the sealer of every server does. */
  queue(): Promise<void>;
  /** Queues, and sends until nothing is due. */
  deliver(more?: Partial<DispatcherDeps>): Promise<void>;
  start(more?: Partial<DispatcherDeps>): { stop(): Promise<void> };
}

export async function startWebhookServer(
  more: Parameters<typeof startTestServer>[0] = {},
): Promise<WebhookServer> {
  const url = await newMigratedDatabase();
  const open = () => openDatabase({ url: inRole(url, serverRole), schema: databaseSchema, unlimited: true });
  const [clock, database, registry] = [new TestClock(), await open(), new Registry()];
  const service = await createService({
    clock,
    encryptionKeys: [{ id: 'test', key: randomBytes(32) }],
    assertionKey: await exportJWK((await generateKeyPair('ES256', { extractable: true })).privateKey),
    publicUrl,
    redirectOrigins: [],
    loopbackWebhooks: true,
  });
  const server = await startTestServer({ clock, database, service, ...more });
  const warnings: WebhookServer['warnings'] = [];
  const metrics = createWebhookMetrics(registry);
  const log = { warn: (details: object, message: string) => void warnings.push({ details, message }) };
  const failed = watchBackground(registry, log);
  const deps = (more?: Partial<DispatcherDeps>): DispatcherDeps => ({
    database,
    service,
    metrics,
    log,
    failed,
    random: () => 0.5,
    ...more,
  });
  const queue = async () => {
    await sealAll(database, clock, queueDeliveries(clock));
  };
  return {
    ...server,
    service,
    // With a new token each: the clock moves by days.
    admin: { token: null, call: async (...call) => (await server.caller()).call(...call) },
    warnings,
    metrics: () => registry.metrics(),
    openDatabase: open,
    deps,
    queue,
    async deliver(more) {
      await queue();
      await drainWebhooks(deps(more));
    },
    start: (more) => startDispatcher(deps(more)),
    async stop() {
      await server.stop();
      await database.close();
    },
  };
}

export interface WebhookWorld extends World {
  endpointId: string;
  secret: string;
}

/** Makes an endpoint. */
export async function createEndpoint(
  { admin }: Pick<WebhookServer, 'admin'>,
  input: CreateWebhookEndpointMutationVariables['input'],
): Promise<{ endpointId: string; secret: string }> {
  const { data } = await admin.call(CreateWebhookEndpointDocument, { input });
  const made = data.createWebhookEndpoint;
  if (made.__typename !== 'WebhookSecretPayload') throw new Error(`No endpoint: ${JSON.stringify(made)}`);
  return { endpointId: made.endpoint.id, secret: made.secret ?? '' };
}

/** An application with tenants and an endpoint to which only changes of tenants are sent. */
export async function webhookWorld(
  server: WebhookServer,
  receiver: { url: string; secret: string },
  { tenants = 1, actions = ['tenant.updated'] }: { tenants?: number; actions?: string[] } = {},
): Promise<WebhookWorld> {
  const world = await makeWorld(server, { tenants });
  await server.queue();
  const { applicationId } = world;
  const endpoint = await createEndpoint(server, { applicationId, url: receiver.url, actions });
  receiver.secret = endpoint.secret;
  await server.queue();
  return { ...world, ...endpoint };
}

/** An event: renames a tenant. The names tell the order. */
export async function rename(server: WebhookServer, id: string, displayName: string): Promise<void> {
  const { data } = await server.admin.call(RenameTenantDocument, { input: { id, displayName } });
  if (data.updateTenant.__typename !== 'TenantPayload') throw new Error('The tenant was not renamed.');
}

/** The new names that messages tell of. */
export const namesIn = (messages: readonly { data: Record<string, unknown> }[]): unknown[] =>
  messages.map(({ data }) => (data['detail'] as { displayName?: [string, string] }).displayName?.[1]);

export async function deliveriesOf(
  { admin }: Pick<WebhookServer, 'admin'>,
  applicationId: string,
  filter: WebhookDeliveriesQueryVariables['filter'] = {},
) {
  const { data } = await admin.call(WebhookDeliveriesDocument, { applicationId, filter });
  return data.webhookDeliveries.nodes;
}

export const endpointsOf = async ({ admin }: Pick<WebhookServer, 'admin'>, applicationId: string) =>
  (await admin.call(WebhookEndpointsDocument, { applicationId })).data.webhookEndpoints;

export const updateEndpoint = async (
  { admin }: Pick<WebhookServer, 'admin'>,
  input: UpdateWebhookEndpointMutationVariables['input'],
) => (await admin.call(UpdateWebhookEndpointDocument, { input })).data.updateWebhookEndpoint;

/** What the record tells of an application's webhooks, oldest first. */
export async function recordedOf({ database }: WebhookServer, applicationId: string): Promise<unknown[]> {
  const { rows } = await database.pool.query(
    `select action, actor, tenant_id, detail from audit_events
      where application_id = $1 and detail ? 'webhook' order by at, id`,
    [applicationId],
  );
  return rows.map((row) => [row.action, row.actor, row.tenant_id, row.detail.webhook]);
}
