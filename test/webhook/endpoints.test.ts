import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import {
  CreateWebhookEndpointDocument,
  DeleteWebhookEndpointDocument,
  RemoveApplicationDocument,
  RotateWebhookSecretDocument,
} from '../generated/documents.ts';
import { dropDatabases } from '../process/databases.ts';
import { startTestServer, type TestCaller, uniqueId } from '../setup/harness.ts';
import { makeWorld } from '../setup/world.ts';
import { type Receiver, startReceiver, stopReceivers, verified } from './receiver.ts';
import {
  createEndpoint,
  deliveriesOf,
  endpointsOf,
  namesIn,
  recordedOf,
  rename,
  startWebhookServer,
  updateEndpoint,
  type WebhookServer,
  webhookWorld,
} from './webhook-world.ts';

const url = 'https://hooks.example.com/in?token=CanaryPath7f3a';

let server: WebhookServer;
let receiver: Receiver;
let admin: TestCaller;
beforeAll(async () => {
  server = await startWebhookServer();
  ({ admin } = server);
});
beforeEach(async () => {
  receiver = await startReceiver();
});
afterEach(() => stopReceivers());
afterAll(async () => {
  await server.stop();
  await dropDatabases();
});

const create = async (input: Parameters<typeof createEndpoint>[1], caller = admin) =>
  (await caller.call(CreateWebhookEndpointDocument, { input })).data.createWebhookEndpoint;
describe('an endpoint', () => {
  test('is made with a secret of the standard form, which is shown this once', async () => {
    const { applicationId } = await makeWorld(server, { tenants: 0 });
    const made = await create({ applicationId, url });
    const endpoint = { applicationId, url, actions: null, enabled: true, gone: false };
    expect(made).toMatchObject({ endpoint, secret: expect.stringMatching(/^whsec_[A-Za-z0-9+/]{43}=$/) });
    expect(await endpointsOf(server, applicationId)).toMatchObject([endpoint]);
  });

  test('CRY-1: keeps its secret sealed and bound to its place', async () => {
    const [one, two] = [await makeWorld(server, { tenants: 1 }), await webhookWorld(server, receiver)];
    const made = await createEndpoint(server, { applicationId: one.applicationId, url: receiver.url });
    const rows = async () =>
      (await server.database.pool.query('select id, key_id, secret from webhook_endpoints')).rows;
    const kept = (await rows()).find(({ id }) => id === made.endpointId);
    expect(kept.secret).toHaveLength(12 + 32 + 16);
    expect(kept.secret.includes(Buffer.from(made.secret.slice(6), 'base64'))).toBe(false);
    // Moved to another endpoint, it signs nothing.
    await server.database.pool.query('update webhook_endpoints set secret = $2 where id = $1', [
      two.endpointId,
      kept.secret,
    ]);
    await rename(server, two.tenantIds[0] ?? '', 'New name');
    await server.deliver();
    expect(await deliveriesOf(server, two.applicationId)).toMatchObject([
      { state: 'PENDING', lastError: 'not signed' },
    ]);
    expect(receiver.attempts.filter(({ tenantId }) => tenantId === two.tenantIds[0])).toEqual([]);
  });

  test.each<[string, object, string, string]>([
    ['a URL that is not https', { url: 'http://hooks.example.com/' }, 'url', 'url must start with https://.'],
    [
      'an action that is none',
      { url, actions: ['tenant.renamed'] },
      'actions',
      'actions must be among application.created',
    ],
    ['a blank idempotency key', { url, idempotencyKey: '' }, 'idempotencyKey', 'idempotencyKey must have'],
  ])('with %s is refused', async (_what, input, field, message) => {
    const { applicationId } = await makeWorld(server, { tenants: 0 });
    expect(await create({ applicationId, ...(input as { url: string }) })).toMatchObject({
      code: 'INVALID_INPUT',
      field,
      message: expect.stringContaining(message),
    });
    expect(await endpointsOf(server, applicationId)).toEqual([]);
    const { endpointId } = await createEndpoint(server, { applicationId, url });
    if (field !== 'idempotencyKey')
      expect(await updateEndpoint(server, { id: endpointId, ...input })).toMatchObject({ field });
  });

  test('to the machine itself is refused where the service does not allow it, as in production', async () => {
    const production = await startTestServer({
      database: server.database,
      clock: server.clock,
      service: { ...server.service, loopbackWebhooks: false },
    });
    const { applicationId } = await makeWorld(server, { tenants: 0 });
    for (const own of ['http://localhost/', 'http://127.0.0.1/', 'https://127.0.0.1/', 'https://[::1]/']) {
      expect(await create({ applicationId, url: own }, await production.caller())).toMatchObject({
        field: 'url',
      });
      expect(await create({ applicationId, url: own })).toMatchObject({ __typename: 'WebhookSecretPayload' });
    }
    await production.stop();
  });

  test('is one of at most ten of its application, also when twenty are made at once', async () => {
    const { applicationId } = await makeWorld(server, { tenants: 0 });
    const made = await Promise.all(Array.from({ length: 20 }, () => create({ applicationId, url })));
    const refused = made.filter(({ __typename }) => __typename !== 'WebhookSecretPayload');
    expect(refused).toHaveLength(10);
    expect(refused[0]).toMatchObject({ __typename: 'InvalidInput', field: 'applicationId' });
    expect(await endpointsOf(server, applicationId)).toHaveLength(10);
  });

  test('made again with its idempotency key is the same, without its secret', async () => {
    const { applicationId } = await makeWorld(server, { tenants: 0 });
    const input = { applicationId, url, idempotencyKey: uniqueId('key') };
    const first = await create(input);
    expect(first).toMatchObject({ secret: expect.any(String) });
    expect(await create(input)).toEqual({ ...first, secret: null });
    expect(await endpointsOf(server, applicationId)).toHaveLength(1);
    const { rows } = await server.database.pool.query('select answer::text from idempotency_keys');
    expect(JSON.stringify(rows)).not.toContain('whsec_');
    expect(await create({ ...input, enabled: false })).toMatchObject({ field: 'idempotencyKey' });
  });

  test('changes only what is given; null or no actions are all', async () => {
    const { applicationId } = await makeWorld(server, { tenants: 0 });
    const actions = ['tenant.updated', 'mfa_policy.updated', 'tenant.updated'];
    const { endpointId: id } = await createEndpoint(server, { applicationId, url, actions });
    const named = ['tenant.updated', 'mfa_policy.updated'];
    expect(await updateEndpoint(server, { id })).toMatchObject({
      endpoint: { url, actions: named, enabled: true },
    });
    expect(await updateEndpoint(server, { id, enabled: false })).toMatchObject({
      endpoint: { url, actions: named, enabled: false },
    });
    expect(await updateEndpoint(server, { id, url: `${url}2` })).toMatchObject({
      endpoint: { url: `${url}2`, enabled: false },
    });
    for (const all of [null, []]) {
      expect(await updateEndpoint(server, { id, actions: ['tenant.created'] })).toMatchObject({
        endpoint: { actions: ['tenant.created'] },
      });
      expect(await updateEndpoint(server, { id, actions: all })).toMatchObject({
        endpoint: { actions: null },
      });
    }
    expect(await endpointsOf(server, applicationId)).toMatchObject([
      { url: `${url}2`, actions: null, enabled: false },
    ]);
  });

  test('goes with its application, and its deliveries with it', async () => {
    const { applicationId, tenantIds, endpointId } = await webhookWorld(server, receiver);
    await rename(server, tenantIds[0] ?? '', 'New name');
    await server.queue();
    await admin.call(RemoveApplicationDocument, { id: applicationId });
    for (const table of ['webhook_deliveries', 'webhook_lanes']) {
      const { rows } = await server.database.pool.query(`select from ${table} where endpoint_id = $1`, [
        endpointId,
      ]);
      expect(rows).toEqual([]);
    }
    await server.deliver();
    expect(receiver.attempts).toEqual([]);
  });
});

describe('LOG-2: the record', () => {
  test('tells of every change of an endpoint, with the host of its URL and no more of it', async () => {
    const { applicationId } = await makeWorld(server, { tenants: 0 });
    const { endpointId: id } = await createEndpoint(server, { applicationId, url });
    await updateEndpoint(server, { id });
    await updateEndpoint(server, {
      id,
      url: 'https://other.example.com/CanaryPath7f3a',
      actions: ['tenant.created'],
    });
    await updateEndpoint(server, { id, enabled: false });
    await admin.call(RotateWebhookSecretDocument, { input: { id } });
    await admin.call(DeleteWebhookEndpointDocument, { id });
    const of = (detail: object) => ['application.updated', 'tester', '', detail];
    const host = 'other.example.com';
    const recorded = await recordedOf(server, applicationId);
    expect(recorded).toEqual([
      of({ id, change: 'created', host: 'hooks.example.com', actions: null, enabled: true }),
      of({ id, change: 'updated', host, url: 'changed', actions: [null, ['tenant.created']] }),
      of({ id, change: 'updated', host, enabled: [true, false] }),
      of({ id, change: 'secret rotated', host, endPrevious: false }),
      of({ id, change: 'deleted', host }),
    ]);
    expect(JSON.stringify(recorded)).not.toContain('CanaryPath7f3a');
  });
});

describe('a secret that is rotated', () => {
  test('signs from now on; the one before signs beside it for a day', async () => {
    const { tenantIds, endpointId: id, secret } = await webhookWorld(server, receiver);
    const { data } = await admin.call(RotateWebhookSecretDocument, { input: { id } });
    if (data.rotateWebhookSecret.__typename !== 'WebhookSecretPayload') throw new Error('not rotated');
    const next = data.rotateWebhookSecret.secret ?? '';
    expect(next).not.toBe(secret);
    await rename(server, tenantIds[0] ?? '', 'Within a day');
    await server.deliver();
    server.clock.advance(24 * 3600);
    receiver.secret = next;
    await rename(server, tenantIds[0] ?? '', 'After a day');
    await server.deliver();
    const [within, after] = receiver.received;
    const takes = (key: string, message = within) =>
      verified(key, message?.body ?? '', message?.headers ?? {}) !== null;
    expect([takes(secret), takes(next)]).toEqual([true, true]);
    expect([takes(secret, after), takes(next, after)]).toEqual([false, true]);
  });

  test('ends at once where it became known', async () => {
    const { tenantIds, endpointId: id } = await webhookWorld(server, receiver);
    await admin.call(RotateWebhookSecretDocument, { input: { id, endPrevious: true } });
    await rename(server, tenantIds[0] ?? '', 'New name');
    await server.deliver();
    expect(receiver.received).toEqual([]);
    expect(receiver.forged).toHaveLength(1);
  });
});

describe('LOG-1: nothing secret leaves', () => {
  test('in messages, logs, errors or what is stored of deliveries', async () => {
    const { applicationId, tenantIds, secret } = await webhookWorld(server, receiver, { actions: [] });
    receiver.answer = ({ data }) => (namesIn([{ data }])[0] === 'Poison' ? 500 : 200);
    await rename(server, tenantIds[0] ?? '', 'First');
    await rename(server, tenantIds[0] ?? '', 'Poison');
    await server.deliver();
    expect(receiver.attempts.length).toBeGreaterThan(2);
    const told = [
      ...receiver.attempts.map(({ body }) => body),
      server.logs(),
      JSON.stringify(server.warnings),
      JSON.stringify(await deliveriesOf(server, applicationId)),
      await server.metrics(),
    ].join('\n');
    const raw = Buffer.from(secret.slice(6), 'base64');
    for (const form of [
      secret,
      secret.slice(6),
      raw.toString('hex'),
      raw.toString('base64url'),
      encodeURIComponent(secret),
    ]) {
      expect(told).not.toContain(form);
    }
    // What the receiver answered, and the path of its URL.
    expect(told).not.toMatch(/Canary/i);
  });
});
