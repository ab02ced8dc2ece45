import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { holding } from '../factor/lock.ts';
import { DeleteWebhookEndpointDocument } from '../generated/documents.ts';
import { dropDatabases } from '../process/databases.ts';
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
    const url = new URL(server.database.pool.options.connectionString as string);
    // A server's role may not look at others' sessions.
    url.search = '';
    // A dispatcher that works on the lane makes both wait, one behind the other.
    const lane = {
      text: 'select from webhook_lanes where tenant_id = $1 and endpoint_id = $2 for update',
      values: [tenantIds[0], endpointId],
    };
    const answer = await holding(
      lane,
      async ({ waiting, release }) => {
        const removal = removed(endpointId);
        await waiting(1);
        const queuing = server.queue();
        await waiting(2);
        await release();
        const [answered] = await Promise.all([removal, queuing]);
        return answered;
      },
      url.href,
    );
    expect(answer).toEqual(isRemoved(endpointId));
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
