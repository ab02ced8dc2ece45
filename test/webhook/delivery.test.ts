import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { webhookGiveUpHours, webhookRetrySeconds } from '../../src/shared/limits.ts';
import { dropDatabases } from '../process/databases.ts';
import { makeWorld } from '../setup/world.ts';
import { type Receiver, startReceiver, stopReceivers } from './receiver.ts';
import {
  createEndpoint,
  deliveriesOf,
  namesIn,
  rename,
  startWebhookServer,
  type WebhookServer,
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

describe('an event', () => {
  test('is sent as a signed message with its action, moment, place, actor and detail', async () => {
    const { applicationId, tenantIds, secret } = await webhookWorld(server, receiver);
    const [tenantId = ''] = tenantIds;
    await rename(server, tenantId, 'New name');
    await server.deliver();
    expect(receiver.received).toHaveLength(1);
    const [message] = receiver.received;
    const { rows } = await server.database.pool.query(
      "select id, at from audit_events where application_id = $1 and action = 'tenant.updated'",
      [applicationId],
    );
    expect(JSON.parse(message?.body ?? '')).toEqual({
      type: 'tenant.updated',
      timestamp: new Date(rows[0].at).toISOString(),
      data: {
        id: rows[0].id,
        tenantId,
        applicationId,
        userId: null,
        actor: 'tester',
        detail: { displayName: ['Tenant 001', 'New name'] },
      },
    });
    expect(message?.headers).toMatchObject({
      'content-type': 'application/json',
      'webhook-id': rows[0].id,
      'webhook-signature': expect.stringMatching(/^v1,\S+$/),
    });
    expect(receiver.forged).toEqual([]);
    expect(secret).toMatch(/^whsec_/);
  });

  test('goes to every endpoint of its application that asks for its action, and to no other', async () => {
    const { applicationId, tenantIds } = await webhookWorld(server, receiver, {
      actions: ['tenant.created'],
    });
    const [all, foreign] = [await startReceiver(), await startReceiver()];
    all.secret = (await createEndpoint(server, { applicationId, url: all.url })).secret;
    await webhookWorld(server, foreign, { actions: [] });
    await rename(server, tenantIds[0] ?? '', 'New name');
    await server.deliver();
    expect(receiver.attempts).toEqual([]);
    // Its own making is the first that it hears of.
    expect(all.received.map(({ type, tenantId }) => [type, tenantId])).toEqual(
      expect.arrayContaining([
        ['application.updated', null],
        ['tenant.updated', tenantIds[0]],
      ]),
    );
    expect(all.received).toHaveLength(2);
    expect(foreign.received.map(({ data }) => data['applicationId'])).not.toContain(applicationId);
    expect([all.forged, foreign.forged]).toEqual([[], []]);
  });

  test('of an application without endpoints is not queued', async () => {
    const { applicationId } = await webhookWorld(server, receiver);
    const before = await deliveriesOf(server, applicationId);
    expect(before).toEqual([]);
    const { rows } = await server.database.pool.query('select from webhook_lanes');
    expect(rows).toEqual([]);
  });

  test('of many tenants is queued in one go: chains that are sealed at once do not meet', async () => {
    const { applicationId, tenantIds } = await makeWorld(server, { tenants: 24 });
    await server.queue();
    await createEndpoint(server, { applicationId, url: receiver.url, actions: ['tenant.updated'] });
    for (let round = 1; round <= 3; round += 1) {
      for (const id of tenantIds) await rename(server, id, `Name ${round} of ${id}`);
      await Promise.all([server.queue(), server.queue()]);
      const { rows } = await server.database.pool.query(
        'select count(*)::int as count from webhook_deliveries where application_id = $1',
        [applicationId],
      );
      expect(rows).toEqual([{ count: round * tenantIds.length }]);
    }
  });

  test('is queued once, also when several servers seal at once', async () => {
    const { applicationId, tenantIds } = await webhookWorld(server, receiver);
    for (let n = 0; n < 20; n += 1) await rename(server, tenantIds[0] ?? '', `Name ${n}`);
    await Promise.all(Array.from({ length: 8 }, () => server.queue()));
    expect(await deliveriesOf(server, applicationId)).toHaveLength(20);
    await server.deliver();
    expect(namesIn(receiver.received)).toEqual(Array.from({ length: 20 }, (_, n) => `Name ${n}`));
  });
});

describe('a delivery that fails', () => {
  test('is repeated after waits that grow, then dead, and those after it go on', async () => {
    const { applicationId, tenantIds } = await webhookWorld(server, receiver);
    const [tenantId = ''] = tenantIds;
    receiver.answer = ({ data }) => (namesIn([{ data }])[0] === 'Poison' ? 500 : 204);
    await rename(server, tenantId, 'Poison');
    await rename(server, tenantId, 'After');
    await server.deliver();
    for (const [n, seconds] of webhookRetrySeconds.entries()) {
      expect(receiver.attempts).toHaveLength(n + 1);
      expect(await deliveriesOf(server, applicationId, { state: 'PENDING' })).toMatchObject([
        { attempts: 0, lastError: null },
        { attempts: n + 1, lastError: 'status 500', settledAt: null },
      ]);
      server.clock.advance(seconds - 1);
      await server.deliver();
      expect(receiver.attempts).toHaveLength(n + 1);
      server.clock.advance(2);
      await server.deliver();
    }
    expect(namesIn(receiver.received)).toEqual(['After']);
    expect(await deliveriesOf(server, applicationId, { state: 'DEAD' })).toMatchObject([
      {
        attempts: webhookRetrySeconds.length + 1,
        lastError: 'status 500',
        settledAt: expect.any(String),
        nextAttemptAt: null,
      },
    ]);
    // Each attempt is signed anew, under the same id.
    const poison = receiver.attempts.filter(({ id }) => id === receiver.attempts[0]?.id);
    const moments = poison.map(({ headers }) => Number(headers['webhook-timestamp']));
    const passed = (moments.at(-1) ?? 0) - (moments[0] ?? 0);
    expect(passed).toBeGreaterThan(webhookRetrySeconds.reduce((sum, wait) => sum + wait, 0));
    expect(Math.abs((moments.at(-1) ?? 0) * 1000 - server.clock.now().getTime())).toBeLessThan(30_000);
    expect(receiver.forged).toEqual([]);
    expect(await server.metrics()).toMatch(/cufflink_webhook_attempts_total\{outcome="dead"\} [1-9]/);
  });

  test('holds back what comes after it of its tenant and endpoint, and nobody else', async () => {
    const { applicationId, tenantIds } = await webhookWorld(server, receiver, { tenants: 2 });
    const [held = '', free = ''] = tenantIds;
    const other = await startReceiver();
    other.secret = (
      await createEndpoint(server, { applicationId, url: other.url, actions: ['tenant.updated'] })
    ).secret;
    receiver.answer = ({ tenantId }) => (tenantId === held ? 503 : 200);
    for (let n = 0; n < 5; n += 1) {
      await rename(server, held, `Held ${n}`);
      await rename(server, free, `Free ${n}`);
    }
    await server.deliver();
    const free5 = Array.from({ length: 5 }, (_, n) => `Free ${n}`);
    const held5 = Array.from({ length: 5 }, (_, n) => `Held ${n}`);
    expect(namesIn(receiver.received)).toEqual(free5);
    expect(namesIn(other.received).sort()).toEqual([...free5, ...held5].sort());
    expect(receiver.attempts.filter(({ tenantId }) => tenantId === held)).toHaveLength(1);

    receiver.answer = () => 200;
    server.clock.advance(10);
    await server.deliver();
    expect(namesIn(receiver.received)).toEqual([...free5, ...held5]);
  });

  test('behind an endpoint that is down is tried once when it is old, and dead', async () => {
    const { applicationId, tenantIds } = await webhookWorld(server, receiver);
    const [tenantId = ''] = tenantIds;
    receiver.answer = () => 500;
    for (let n = 0; n < 5; n += 1) await rename(server, tenantId, `Old ${n}`);
    await server.deliver();
    server.clock.advance(webhookGiveUpHours * 3600);
    await rename(server, tenantId, 'Young');
    await server.deliver();
    const states = (await deliveriesOf(server, applicationId)).map(({ state }) => state);
    expect(states).toEqual(['PENDING', 'DEAD', 'DEAD', 'DEAD', 'DEAD', 'DEAD']);
    expect(receiver.attempts).toHaveLength(7);
  });

  test.each<[string, () => void, string]>([
    ['that is refused', () => void receiver.kill(), 'refused'],
    ['that is answered too late', () => (receiver.answer = () => 'hang'), 'timeout'],
    ['that is cut off', () => (receiver.answer = () => (response) => response.destroy()), 'connection reset'],
    ['that is redirected', () => (receiver.answer = () => redirect), 'status 302'],
    ['that is not wanted', () => (receiver.answer = () => 404), 'status 404'],
    ['that is answered in another protocol', () => (receiver.answer = () => upgrade), 'status 101'],
  ])('%s tells why in a few words', async (_what, arrange, reason) => {
    const { applicationId, tenantIds } = await webhookWorld(server, receiver);
    arrange();
    await rename(server, tenantIds[0] ?? '', 'New name');
    await server.deliver({ timeoutMs: 300 });
    expect(await deliveriesOf(server, applicationId)).toMatchObject([
      { state: 'PENDING', lastError: reason, attempts: 1 },
    ]);
    expect(receiver.attempts.length).toBeLessThanOrEqual(1);
  });

  test('whose event was pruned from the record is dead', async () => {
    const { applicationId, tenantIds } = await webhookWorld(server, receiver);
    await rename(server, tenantIds[0] ?? '', 'New name');
    await server.queue();
    await server.database.pool.query(
      'update webhook_deliveries set event_at = $2 where application_id = $1',
      [applicationId, new Date(0)],
    );
    await server.deliver();
    expect(await deliveriesOf(server, applicationId)).toMatchObject([
      { state: 'DEAD', lastError: 'pruned from the record' },
    ]);
  });
});

const redirect = (response: import('node:http').ServerResponse) =>
  response.writeHead(302, { location: 'http://127.0.0.1:1/' }).end();

/** Node drops such a connection without an error, and the attempt was waited for without end. */
const upgrade = (response: import('node:http').ServerResponse) =>
  response.socket?.write('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n');

describe('an answer', () => {
  test('with a long body counts by its status', async () => {
    const { tenantIds, applicationId } = await webhookWorld(server, receiver);
    receiver.answer = () => (response) => {
      response.writeHead(200);
      const pour = () => {
        while (!response.destroyed && response.write('x'.repeat(16_384)));
        if (!response.destroyed) response.once('drain', pour);
      };
      pour();
    };
    await rename(server, tenantIds[0] ?? '', 'New name');
    await server.deliver();
    expect(await deliveriesOf(server, applicationId)).toMatchObject([{ state: 'DELIVERED', attempts: 1 }]);
  });
});
