import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { DeleteWebhookEndpointDocument } from '../generated/documents.ts';
import { dropDatabases, withClient } from '../process/databases.ts';
import { untilTrue } from '../process/servers.ts';
import { databaseUrl } from '../setup/harness.ts';
import { makeWorld } from '../setup/world.ts';
import { stopReceivers } from './receiver.ts';
import { createEndpoint, rename, startWebhookServer, type WebhookServer } from './webhook-world.ts';

/* Endpoints that are deleted while their events are sealed and queued. */

let server: WebhookServer;
beforeAll(async () => {
  server = await startWebhookServer();
});
afterEach(() => stopReceivers());
afterAll(async () => {
  await server.stop();
  await dropDatabases();
});

const removed = async (id: string) => {
  const { data, errors } = await server.admin.call(DeleteWebhookEndpointDocument, { id });
  return [errors, data?.deleteWebhookEndpoint];
};
const isRemoved = (id: string) => [[], { __typename: 'DeletedPayload', id }];

describe('deleting an endpoint', () => {
  /** An endpoint with a pending delivery of each tenant, and another event of each that is not sealed yet. */
  async function pendingWorld(applicationId: string, tenantIds: readonly string[]): Promise<string> {
    const { endpointId } = await createEndpoint(server, { applicationId, url: 'https://a.invalid/' });
    for (const name of [`Sealed ${endpointId}`, `Queued ${endpointId}`]) {
      await server.queue();
      for (const id of tenantIds) await rename(server, id, name);
    }
    return endpointId;
  }

  test('waits for the sealer, or the sealer for it, and neither for the other', async () => {
    const { applicationId, tenantIds } = await makeWorld(server);
    const endpointId = await pendingWorld(applicationId, tenantIds);
    const url = server.database.pool.options.connectionString as string;
    // A server's role may not look at others' sessions.
    const waiting = (count: number) =>
      withClient(databaseUrl(), async (owner) => {
        const { rowCount } = await owner.query(
          "select from pg_stat_activity where datname = $1 and wait_event_type = 'Lock'",
          [new URL(url).pathname.slice(1)],
        );
        return rowCount === count;
      });
    // A dispatcher that works on the lane makes both wait, one behind the other.
    await withClient(url, async (dispatcher) => {
      await dispatcher.query('begin');
      await dispatcher.query('select from webhook_lanes where endpoint_id = $1 for update', [endpointId]);
      const removal = removed(endpointId);
      await untilTrue(() => waiting(1));
      const queuing = server.queue();
      await untilTrue(() => waiting(2));
      await dispatcher.query('commit');
      const [answer] = await Promise.all([removal, queuing]);
      expect(answer).toEqual(isRemoved(endpointId));
    });
  });

  test('in a race with the sealer succeeds, in each of many rounds', async () => {
    const { applicationId, tenantIds } = await makeWorld(server, { tenants: 4 });
    for (let round = 0; round < 25; round += 1) {
      const endpointId = await pendingWorld(applicationId, tenantIds);
      const [answer] = await Promise.all([
        removed(endpointId),
        sleep(Math.random() * 6).then(() => server.queue()),
      ]);
      expect([round, answer]).toEqual([round, isRemoved(endpointId)]);
    }
  }, 60_000);
});
