import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { secondsAfter } from '../../src/shared/clock.ts';
import { ReplayWebhookDeliveriesDocument } from '../generated/documents.ts';
import { dropDatabases } from '../process/databases.ts';
import type { TestCaller } from '../setup/harness.ts';
import { type Receiver, startReceiver, stopReceivers } from './receiver.ts';
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

describe('an endpoint that is switched off', () => {
  test('is sent nothing and queued nothing; what was pending goes on when it is switched on', async () => {
    const { applicationId, tenantIds, endpointId: id } = await webhookWorld(server, receiver);
    const [tenantId = ''] = tenantIds;
    await rename(server, tenantId, 'Before');
    await server.queue();
    await updateEndpoint(server, { id, enabled: false });
    await rename(server, tenantId, 'While off');
    await server.deliver();
    expect(receiver.attempts).toEqual([]);
    expect(await deliveriesOf(server, applicationId)).toMatchObject([
      { state: 'PENDING', nextAttemptAt: null },
    ]);
    await updateEndpoint(server, { id, enabled: true });
    await server.deliver();
    expect(namesIn(receiver.received)).toEqual(['Before']);
    await rename(server, tenantId, 'After');
    await server.deliver();
    expect(namesIn(receiver.received)).toEqual(['Before', 'After']);
  });

  test('while it is sent to is sent no more than that', async () => {
    const { tenantIds, endpointId: id } = await webhookWorld(server, receiver);
    const [tenantId = ''] = tenantIds;
    receiver.answer = async () => {
      await updateEndpoint(server, { id, enabled: false });
      return 200;
    };
    for (const name of ['First', 'Second']) await rename(server, tenantId, name);
    await server.deliver();
    expect(namesIn(receiver.attempts)).toEqual(['First']);
  });

  test('by answering 410 is said to be gone, and on the record', async () => {
    const { applicationId, tenantIds, endpointId: id } = await webhookWorld(server, receiver);
    receiver.answer = () => 410;
    await rename(server, tenantIds[0] ?? '', 'First');
    await server.deliver();
    expect(await endpointsOf(server, applicationId)).toMatchObject([{ enabled: false, gone: true }]);
    expect(await deliveriesOf(server, applicationId)).toMatchObject([
      { state: 'PENDING', lastError: 'status 410', nextAttemptAt: null },
    ]);
    expect((await recordedOf(server, applicationId)).at(-1)).toEqual([
      'application.updated',
      'cufflink',
      '',
      { id, change: 'updated', host: new URL(receiver.url).host, enabled: [true, false], gone: true },
    ]);
    expect(server.warnings.at(-1)?.message).toMatch(/410/);
    server.clock.advance(3600);
    await server.deliver();
    expect(receiver.attempts).toHaveLength(1);

    receiver.answer = () => 200;
    expect(await updateEndpoint(server, { id, enabled: true })).toMatchObject({
      endpoint: { enabled: true, gone: false },
    });
    await server.deliver();
    expect(namesIn(receiver.received)).toEqual(['First']);
  });
});

describe('while an attempt is in flight that fails', () => {
  /** Fails the first attempt, after something was done meanwhile; the clock moves only so far. */
  const during = (act: () => Promise<unknown>): void => {
    server.clock.fix(server.clock.now());
    receiver.answer = async () => {
      receiver.answer = () => 200;
      server.clock.advance(1);
      await act();
      server.clock.advance(1);
      return 500;
    };
  };

  test('an endpoint whose URL is changed is sent to at once', async () => {
    const { tenantIds, endpointId: id } = await webhookWorld(server, receiver);
    const moved = await startReceiver();
    moved.secret = receiver.secret;
    await rename(server, tenantIds[0] ?? '', 'New name');
    during(() => updateEndpoint(server, { id, url: moved.url }));
    await server.deliver();
    expect(namesIn(moved.received)).toEqual(['New name']);
  });

  test('an endpoint that was sent other events is sent to at once, and then waits as after a first failure', async () => {
    const { applicationId, tenantIds, endpointId: id } = await webhookWorld(server, receiver);
    await rename(server, tenantIds[0] ?? '', 'New name');
    during(async () => {
      await updateEndpoint(server, { id, actions: null });
      receiver.answer = () => 500;
    });
    await server.deliver();
    expect(receiver.attempts).toHaveLength(2);
    const [delivery] = await deliveriesOf(server, applicationId, { state: 'PENDING' });
    expect(delivery?.nextAttemptAt).toBe(secondsAfter(server.clock.now(), 5).toISOString());
  });

  test('what is replayed is sent at once', async () => {
    const { tenantIds, endpointId } = await webhookWorld(server, receiver);
    const [tenantId = ''] = tenantIds;
    receiver.answer = () => 500;
    await rename(server, tenantId, 'Dead');
    await server.queue();
    server.clock.advance(28 * 3600);
    await server.deliver();
    await rename(server, tenantId, 'Later');
    during(() => admin.call(ReplayWebhookDeliveriesDocument, { input: { endpointId } }));
    await server.deliver();
    expect(namesIn(receiver.received)).toEqual(['Dead', 'Later']);
  });

  test('what is queued meanwhile waits behind it', async () => {
    const { applicationId, tenantIds } = await webhookWorld(server, receiver);
    const [tenantId = ''] = tenantIds;
    await rename(server, tenantId, 'First');
    during(async () => {
      await rename(server, tenantId, 'Second');
      await server.queue();
    });
    await server.deliver();
    expect(receiver.attempts).toHaveLength(1);
    expect(await deliveriesOf(server, applicationId, { state: 'PENDING' })).toHaveLength(2);
  });
});

describe('dead deliveries', () => {
  const deadWorld = async (names: readonly string[]) => {
    const world = await webhookWorld(server, receiver);
    receiver.answer = () => 500;
    for (const name of names) await rename(server, world.tenantIds[0] ?? '', name);
    await server.queue();
    server.clock.advance(28 * 3600);
    await server.deliver();
    receiver.answer = () => 200;
    return { ...world, dead: await deliveriesOf(server, world.applicationId, { state: 'DEAD' }) };
  };
  const replay = async (input: { endpointId: string; eventIds?: string[] }) =>
    (await admin.call(ReplayWebhookDeliveriesDocument, { input })).data.replayWebhookDeliveries;

  test('are sent after all when they are replayed, in their order', async () => {
    const { applicationId, endpointId, dead } = await deadWorld(['One', 'Two', 'Three']);
    expect(dead).toHaveLength(3);
    expect(await replay({ endpointId })).toMatchObject({ count: 3 });
    expect(await deliveriesOf(server, applicationId, { state: 'PENDING' })).toMatchObject(
      dead.map(({ id }) => ({ id, attempts: 0, settledAt: null })),
    );
    await server.deliver();
    expect(namesIn(receiver.received)).toEqual(['One', 'Two', 'Three']);
    expect(await replay({ endpointId })).toMatchObject({ count: 0 });
  });

  test('are replayed one by one, and only where they are dead and of the endpoint', async () => {
    const { applicationId, endpointId, dead } = await deadWorld(['One', 'Two']);
    const foreign = await createEndpoint(server, { applicationId, url: receiver.url });
    const eventIds = [dead[1]?.eventId ?? '', 'nonsense', crypto.randomUUID()];
    expect(await replay({ endpointId: foreign.endpointId, eventIds })).toMatchObject({ count: 0 });
    expect(await replay({ endpointId, eventIds })).toMatchObject({ count: 1 });
    expect(await replay({ endpointId, eventIds })).toMatchObject({ count: 0 });
    await server.deliver();
    expect(namesIn(receiver.received)).toEqual(['One']);
  });
});
