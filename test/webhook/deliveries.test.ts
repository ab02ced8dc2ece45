import { readFile } from 'node:fs/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { auditActions } from '../../src/audit/audit.service.ts';
import { cleanUp } from '../../src/janitor.ts';
import { WebhookDeliveriesDocument } from '../generated/documents.ts';
import { dropDatabases } from '../process/databases.ts';
import { type Receiver, startReceiver, stopReceivers } from './receiver.ts';
import {
  createEndpoint,
  deliveriesOf,
  endpointsOf,
  rename,
  startWebhookServer,
  type WebhookServer,
  type WebhookWorld,
  webhookWorld,
} from './webhook-world.ts';

let server: WebhookServer;
let receiver: Receiver;
beforeAll(async () => {
  server = await startWebhookServer();
});
beforeEach(async () => {
  receiver = await startReceiver();
});
afterEach(() => stopReceivers());
afterAll(async () => {
  await server.stop();
  await dropDatabases();
});

const renamed = async ({ tenantIds }: WebhookWorld, count: number): Promise<void> => {
  for (let n = 0; n < count; n += 1) await rename(server, tenantIds[0] ?? '', `Name ${n}`);
  await server.queue();
};

describe('the list of deliveries', () => {
  test('is paged, newest event first, and counted', async () => {
    const world = await webhookWorld(server, receiver);
    const { applicationId } = world;
    await createEndpoint(server, { applicationId, url: receiver.url, actions: ['tenant.updated'] });
    await renamed(world, 5);
    const all = await deliveriesOf(server, applicationId);
    expect(all).toHaveLength(10);
    const moments = all.map(({ eventAt }) => eventAt);
    expect(moments).toEqual([...moments].sort().reverse());
    const paged: unknown[] = [];
    const sizes = [3, 3, 3, 1];
    const cursors: (string | null)[] = [null];
    for (const size of sizes) {
      const variables = { applicationId, first: 3, after: cursors.at(-1) ?? null };
      const { data } = await server.admin.call(WebhookDeliveriesDocument, variables);
      const { nodes, pageInfo, totalCount } = data.webhookDeliveries;
      expect([nodes.length, pageInfo.hasNextPage, totalCount]).toEqual([size, size === 3, 10]);
      paged.push(...nodes);
      cursors.push(pageInfo.endCursor);
    }
    expect(paged).toEqual(all);
    expect(new Set(all.map(({ id }) => id)).size).toBe(10);
  });

  test('is filtered by state and endpoint', async () => {
    const world = await webhookWorld(server, receiver);
    const { applicationId, endpointId } = world;
    const other = await createEndpoint(server, { applicationId, url: 'https://nowhere.invalid/' });
    await renamed(world, 2);
    await server.deliver();
    const of = async (filter: object) =>
      (await deliveriesOf(server, applicationId, filter)).map((delivery) => [
        delivery.endpointId,
        delivery.state,
      ]);
    expect(await of({ endpointId })).toEqual([
      [endpointId, 'DELIVERED'],
      [endpointId, 'DELIVERED'],
    ]);
    expect(await of({ state: 'PENDING', endpointId: other.endpointId })).toHaveLength(3);
    expect(await of({ state: 'DELIVERED', endpointId: other.endpointId })).toEqual([]);
    expect(await of({ endpointId: 'nonsense' })).toEqual([]);
  });

  test.each(['nonsense', Buffer.from('["2026-01-01","x","y"]').toString('base64url')])(
    'takes no cursor that it did not give: %s',
    async (after) => {
      const { applicationId } = await webhookWorld(server, receiver);
      const { errors } = await server.admin.call(WebhookDeliveriesDocument, { applicationId, after });
      expect(errors).toMatchObject([{ extensions: { code: 'BAD_USER_INPUT' } }]);
    },
  );

  test('TEN-2: of another application is empty, whatever is asked for, and so are its endpoints', async () => {
    const [own, foreign] = [await webhookWorld(server, receiver), await webhookWorld(server, receiver)];
    await renamed(foreign, 1);
    const caller = await server.caller({ applicationId: own.applicationId });
    const asked = { admin: caller };
    expect(await deliveriesOf(server, foreign.applicationId)).toHaveLength(1);
    expect(await deliveriesOf(asked, foreign.applicationId)).toEqual([]);
    expect(await deliveriesOf(asked, own.applicationId, { endpointId: foreign.endpointId })).toEqual([]);
    expect(await endpointsOf(asked, foreign.applicationId)).toEqual([]);
    expect(await endpointsOf(asked, own.applicationId)).toHaveLength(1);
  });
});

describe('what is over', () => {
  test('is deleted: delivered after 7 days, dead after 30, pending never', async () => {
    const [delivered, dead, pending] = [
      await webhookWorld(server, receiver),
      await webhookWorld(server, receiver),
      await webhookWorld(server, receiver),
    ];
    for (const world of [delivered, dead, pending]) await renamed(world, 1);
    const settle = ({ applicationId }: WebhookWorld, state: string) =>
      server.database.pool.query(
        'update webhook_deliveries set state = $2, settled_at = $3 where application_id = $1',
        [applicationId, state, server.clock.now()],
      );
    await settle(delivered, 'DELIVERED');
    await settle(dead, 'DEAD');
    const left = async () => {
      await cleanUp(server.database, server.clock);
      return Promise.all(
        [delivered, dead, pending].map(
          async ({ applicationId }) => (await deliveriesOf(server, applicationId)).length,
        ),
      );
    };
    const days = 24 * 3600;
    server.clock.advance(7 * days - 60);
    expect(await left()).toEqual([1, 1, 1]);
    server.clock.advance(120);
    expect(await left()).toEqual([0, 1, 1]);
    server.clock.advance(23 * days - 120);
    expect(await left()).toEqual([0, 1, 1]);
    server.clock.advance(120);
    expect(await left()).toEqual([0, 0, 1]);
  });
});

test('the README lists every event, and no other', async () => {
  const readme = await readFile(new URL('../../README.md', import.meta.url), 'utf8');
  const [, listed = ''] = /^## The record$(.*?)^An event/ms.exec(readme) ?? [];
  const names = [...listed.matchAll(/`([a-z_]+\.[a-z]+)`/g)].map(([, name]) => name);
  expect(names.sort()).toEqual([...auditActions].sort());
});
