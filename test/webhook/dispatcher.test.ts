import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import type { Database } from '../../src/db/connection.ts';
import {
  webhookLanesPerApplicationMax,
  webhookLanesPerEndpointMax,
  webhookLeaseSeconds,
  webhookTurnMax,
} from '../../src/shared/limits.ts';
import { holding } from '../factor/lock.ts';
import { dropDatabases } from '../process/databases.ts';
import { untilTrue } from '../process/servers.ts';
import { delaying } from '../setup/statement-faults.ts';
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

/** Without what was sent again: receivers tell messages apart by their id. */
const once = (receiver: Receiver) => [
  ...new Map(receiver.received.map((message) => [message.id, message])).values(),
];

const numbered = (count: number) => Array.from({ length: count }, (_, n) => String(n));

/** Renames each tenant again and again, all tenants at once. */
const renameAll = (tenantIds: readonly string[], count: number) =>
  Promise.all(
    tenantIds.map(async (id) => {
      for (const name of numbered(count)) await rename(server, id, name);
    }),
  );

/** A database that carries out no statement while it is dead. */
const mortal = (database: Database, isDead: () => boolean): Database => ({
  ...database,
  fork() {
    const em = database.fork();
    const context = em.getTransactionContext.bind(em);
    return Object.assign(em, {
      getTransactionContext: () => {
        if (isDead()) throw new Error('the database is away');
        return context();
      },
    });
  },
});

function expectAllInOrder(tenantIds: readonly string[], count: number): void {
  for (const id of tenantIds) {
    const messages = once(receiver).filter(({ tenantId }) => tenantId === id);
    expect([id, namesIn(messages)]).toEqual([id, numbered(count)]);
  }
}

describe('while the receiver is killed and restarted at random', () => {
  test('nothing is lost, each tenant is told in order, and every signature is right', async () => {
    const { applicationId, tenantIds } = await webhookWorld(server, receiver, { tenants: 4 });
    const others = await server.openDatabase();
    const dispatchers = [server.start(), server.start({ database: others })];
    let renamed = false;
    const renaming = renameAll(tenantIds, 30).finally(() => {
      renamed = true;
    });
    let kills = 0;
    while (
      !renamed ||
      (await deliveriesOf(server, applicationId, { state: 'PENDING' })).length > 0 ||
      kills < 5
    ) {
      await server.queue();
      await sleep(20 + Math.random() * 80);
      await receiver.kill();
      kills += 1;
      await sleep(Math.random() * 40);
      await receiver.restart();
      await sleep(Math.random() * 300);
      // Past every wait, but not past the age at which deliveries are given up.
      server.clock.advance(600);
    }
    await renaming;
    await Promise.all(dispatchers.map((dispatcher) => dispatcher.stop()));
    await others.close();
    expect(receiver.forged).toEqual([]);
    expectAllInOrder(tenantIds, 30);
    expect(await deliveriesOf(server, applicationId, { state: 'DEAD' })).toEqual([]);
  }, 120_000);
});

describe('several servers', () => {
  test('share the work: each sends, and nothing is sent twice', async () => {
    const { tenantIds } = await webhookWorld(server, receiver, { tenants: 6 });
    const databases = await Promise.all([server.openDatabase(), server.openDatabase()]);
    const sentBy = new Map(databases.map((database) => [database, 0]));
    await renameAll(tenantIds, 10);
    await server.queue();
    const dispatchers = databases.map((database) =>
      server.start({
        database,
        metrics: {
          attempted: () => sentBy.set(database, (sentBy.get(database) ?? 0) + 1),
          backlog: () => {},
        },
      }),
    );
    await untilTrue(async () => receiver.received.length >= 60);
    await Promise.all(dispatchers.map((dispatcher) => dispatcher.stop()));
    expect(receiver.received).toHaveLength(60);
    expectAllInOrder(tenantIds, 10);
    expect(Math.min(...sentBy.values())).toBeGreaterThan(0);
    await Promise.all(databases.map((database) => database.close()));
  });

  test('take over from one that died before it wrote down what it sent: sent twice, never lost', async () => {
    const { tenantIds } = await webhookWorld(server, receiver);
    const [tenantId = ''] = tenantIds;
    let dead = false;
    const dying = mortal(server.database, () => dead);
    receiver.answer = () => {
      dead = true;
      return 200;
    };
    for (const name of numbered(3)) await rename(server, tenantId, name);
    await server.queue();
    await server.deliver({ database: dying });
    expect(namesIn(receiver.received)).toEqual(['0']);
    // It holds its lease: nobody else sends beside it.
    await server.deliver();
    expect(namesIn(receiver.received)).toEqual(['0']);
    server.clock.advance(webhookLeaseSeconds + 1);
    await server.deliver();
    expect(namesIn(receiver.received)).toEqual(['0', '0', '1', '2']);
    expect(new Set(receiver.received.map(({ id }) => id)).size).toBe(3);
    expect(receiver.forged).toEqual([]);
  });

  test('one that lost its lease writes nothing over what another did', async () => {
    const { applicationId, tenantIds } = await webhookWorld(server, receiver);
    let second: Promise<void> | undefined;
    receiver.answer = async () => {
      if (receiver.attempts.length > 1) return 200;
      server.clock.advance(webhookLeaseSeconds + 1);
      second = server.deliver();
      await second;
      return 500;
    };
    await rename(server, tenantIds[0] ?? '', 'New name');
    await server.deliver();
    await second;
    expect(await deliveriesOf(server, applicationId)).toMatchObject([{ state: 'DELIVERED', attempts: 1 }]);
  });
});

describe('one server', () => {
  test('passes over a lane that somebody is changing, and comes back to it', async () => {
    const { tenantIds } = await webhookWorld(server, receiver, { tenants: 3 });
    await renameAll(tenantIds, 1);
    await server.queue();
    const [held, ...others] = tenantIds;
    const lane = {
      text: 'select from webhook_lanes where tenant_id = $1 for update',
      values: [held],
    };
    const url = new URL(server.database.pool.options.connectionString as string);
    await holding(
      lane,
      async ({ release }) => {
        await server.deliver();
        await release();
      },
      url.href,
    );
    const reached = () => receiver.received.map(({ tenantId }) => tenantId).sort();
    expect(reached()).toEqual([...others].sort());
    await server.deliver();
    expect(reached()).toEqual([...tenantIds].sort());
  });

  test('comes back to a lane that became due while others were looked for', async () => {
    const { tenantIds } = await webhookWorld(server, receiver);
    await renameAll(tenantIds, webhookTurnMax + 1);
    await server.queue();
    await delaying(/order by l\.due_at/, () => server.deliver());
    expectAllInOrder(tenantIds, webhookTurnMax + 1);
  });

  test('keeps places for others while an endpoint does not answer', async () => {
    const { applicationId, tenantIds } = await webhookWorld(server, receiver, {
      tenants: webhookLanesPerEndpointMax + 2,
    });
    const other = await startReceiver();
    other.secret = (
      await createEndpoint(server, { applicationId, url: other.url, actions: ['tenant.updated'] })
    ).secret;
    receiver.answer = () => 'hang';
    await renameAll(tenantIds, 1);
    await server.queue();
    const dispatcher = server.start();
    await untilTrue(async () => other.received.length === tenantIds.length);
    await untilTrue(async () => receiver.attempts.length === webhookLanesPerEndpointMax);
    await dispatcher.stop();
    expect(receiver.attempts).toHaveLength(webhookLanesPerEndpointMax);
  });

  test('REL-6: keeps places for other applications while all endpoints of one do not answer', async () => {
    const { applicationId, tenantIds } = await webhookWorld(server, receiver, { tenants: 10 });
    const hanging = [receiver];
    for (let n = 1; n < 4; n += 1) {
      const one = await startReceiver();
      const actions = ['tenant.updated'];
      one.secret = (await createEndpoint(server, { applicationId, url: one.url, actions })).secret;
      hanging.push(one);
    }
    for (const one of hanging) one.answer = () => 'hang';
    const other = await startReceiver();
    const world = await webhookWorld(server, other);
    await renameAll(tenantIds, 1);
    await server.queue();
    const dispatcher = server.start();
    const attempts = () => hanging.reduce((sum, one) => sum + one.attempts.length, 0);
    await untilTrue(async () => attempts() >= webhookLanesPerApplicationMax);
    await renameAll(world.tenantIds, 1);
    await server.queue();
    await untilTrue(async () => other.received.length === 1, 5_000);
    expect(attempts()).toBe(webhookLanesPerApplicationMax);
    await dispatcher.stop();
  });

  test('that is stopped cuts off what hangs, counts no attempt, and leaves it to the next', async () => {
    const { applicationId, tenantIds } = await webhookWorld(server, receiver);
    receiver.answer = () => 'hang';
    await rename(server, tenantIds[0] ?? '', 'New name');
    await server.queue();
    const dispatcher = server.start();
    await untilTrue(async () => receiver.attempts.length === 1);
    const began = performance.now();
    await dispatcher.stop();
    expect(performance.now() - began).toBeLessThan(2_000);
    expect(await deliveriesOf(server, applicationId)).toMatchObject([{ state: 'PENDING', attempts: 0 }]);
    receiver.answer = () => 200;
    await server.deliver();
    expect(namesIn(receiver.received)).toEqual(['New name']);
  });

  test('goes on after its database was away', async () => {
    const { tenantIds } = await webhookWorld(server, receiver);
    let away = true;
    const dispatcher = server.start({ database: mortal(server.database, () => away) });
    await rename(server, tenantIds[0] ?? '', 'New name');
    await server.queue();
    await untilTrue(async () => server.warnings.length > 0);
    away = false;
    await untilTrue(async () => receiver.received.length === 1);
    await dispatcher.stop();
    expect(server.warnings.at(-1)).toMatchObject({
      message: expect.stringMatching(/^(looking for due|sending) webhooks failed; it is tried again/),
      details: { work: 'dispatcher', err: { message: 'the database is away' } },
    });
    expect(await server.metrics()).toMatch(/^cufflink_background_failures_total\{work="dispatcher"\} [1-9]/m);
  });
});
