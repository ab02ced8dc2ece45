import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import {
  CreateApplicationDocument,
  CreateTenantDocument,
  RemoveApplicationDocument,
  RemoveTenantDocument,
  RenameTenantDocument,
  UpdateApplicationDocument,
} from '../generated/documents.ts';
import { startTestServer, type TestCaller, type TestServer, uniqueId } from '../setup/harness.ts';
import { makeWorld, type World } from '../setup/world.ts';

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
});
afterAll(() => server.stop());

interface Act {
  call: (caller: TestCaller, world: World, id: string) => Promise<{ status: number }>;
  /** What it writes down. */
  action: string;
  /** Whose record it stands in: the tenant's, or '' for the application's. */
  of: (world: World, id: string) => { applicationId: string; tenantId: string };
  detail: object;
}

const ofApplication = ({ applicationId }: World) => ({ applicationId, tenantId: '' });
const ofTenant = ({ applicationId, tenantIds: [tenantId = ''] }: World) => ({ applicationId, tenantId });

const acts: [string, Act][] = [
  [
    'createApplication',
    {
      call: (caller, _world, id) =>
        caller.call(CreateApplicationDocument, { input: { id, displayName: ' New ' } }),
      action: 'application.created',
      of: (_world, id) => ({ applicationId: id, tenantId: '' }),
      detail: { displayName: 'New' },
    },
  ],
  [
    'updateApplication',
    {
      call: (caller, { applicationId: id }) =>
        caller.call(UpdateApplicationDocument, { input: { id, displayName: 'New', overrideRule: 'NONE' } }),
      action: 'application.updated',
      of: ofApplication,
      detail: { displayName: ['Test application', 'New'], overrideRule: ['ANY', 'NONE'] },
    },
  ],
  [
    'deleteApplication',
    {
      call: (caller, { applicationId: id }) => caller.call(RemoveApplicationDocument, { id }),
      action: 'application.deleted',
      of: ofApplication,
      detail: { displayName: 'Test application', tenants: 2 },
    },
  ],
  [
    'createTenant',
    {
      call: (caller, { applicationId }, id) =>
        caller.call(CreateTenantDocument, { input: { id, applicationId, displayName: ' New ' } }),
      action: 'tenant.created',
      of: ({ applicationId }, id) => ({ applicationId, tenantId: id }),
      detail: { displayName: 'New' },
    },
  ],
  [
    'updateTenant',
    {
      call: (caller, { tenantIds: [id = ''] }) =>
        caller.call(RenameTenantDocument, { input: { id, displayName: 'New' } }),
      action: 'tenant.updated',
      of: ofTenant,
      detail: { displayName: ['Tenant 001', 'New'] },
    },
  ],
  [
    'deleteTenant',
    {
      call: (caller, { tenantIds: [id = ''] }) => caller.call(RemoveTenantDocument, { id }),
      action: 'tenant.deleted',
      of: ofTenant,
      detail: { displayName: 'Tenant 001' },
    },
  ],
];

/** The record of one actor, oldest first. */
const recordOf = async (actor: string): Promise<unknown[]> =>
  (
    await server.database.pool.query(
      `select action, application_id as "applicationId", tenant_id as "tenantId", user_id as "userId", detail
        from audit_events where actor = $1 order by id`,
      [actor],
    )
  ).rows;

/** What is stored of a world, and of a thing that a test tries to make. */
async function stored({ applicationId }: World, id: string): Promise<unknown> {
  const read = async (sql: string) => (await server.database.pool.query(sql, [[applicationId, id]])).rows;
  return [
    await read('select * from applications where id = any($1) order by id'),
    await read('select * from tenants where application_id = any($1) or id = any($1) order by id'),
  ];
}

describe('LOG-2: the record', () => {
  test.each(acts)('of %s is one event, with who did what to whom', async (_name, act) => {
    const [world, id, actor] = [await makeWorld(server, { tenants: 2 }), uniqueId('new'), uniqueId('actor')];
    await act.call(await server.caller({ sub: actor }), world, id);
    expect(await recordOf(actor)).toEqual([
      { action: act.action, ...act.of(world, id), userId: null, detail: act.detail },
    ]);
  });

  test.each(acts)(
    'and %s are one transaction: an act that cannot be recorded is not done',
    async (_name, act) => {
      const [world, id, actor] = [
        await makeWorld(server, { tenants: 2 }),
        uniqueId('new'),
        uniqueId('actor'),
      ];
      const before = await stored(world, id);
      // The things have ids of their own: only the record asks for one.
      const failing = await startTestServer({
        database: server.database,
        ids: {
          next: () => {
            throw new Error('no more ids');
          },
        },
      });
      const { status } = await act.call(await failing.caller({ sub: actor }), world, id);
      await failing.stop();
      expect(status).toBe(500);
      expect(await stored(world, id)).toEqual(before);
      expect(await recordOf(actor)).toEqual([]);
    },
  );

  test('tells nothing of writes that change nothing', async () => {
    const { applicationId, tenantIds } = await makeWorld(server);
    const actor = uniqueId('actor');
    const caller = await server.caller({ sub: actor });
    const [id = ''] = tenantIds;
    const answers = [
      await caller.call(UpdateApplicationDocument, { input: { id: applicationId } }),
      await caller.call(UpdateApplicationDocument, {
        input: { id: applicationId, displayName: ' Test application ', overrideRule: 'ANY' },
      }),
      await caller.call(RenameTenantDocument, { input: { id, displayName: ' Tenant 001 ' } }),
    ];
    expect(answers.map(({ errors }) => errors)).toEqual([[], [], []]);
    expect(await recordOf(actor)).toEqual([]);
  });

  test('tells of an update only what changed', async () => {
    const { applicationId: id } = await makeWorld(server, { tenants: 0 });
    const actor = uniqueId('actor');
    const caller = await server.caller({ sub: actor });
    await caller.call(UpdateApplicationDocument, {
      input: { id, displayName: 'Test application', overrideRule: 'STRICTER_ONLY' },
    });
    expect(await recordOf(actor)).toMatchObject([{ detail: { overrideRule: ['ANY', 'STRICTER_ONLY'] } }]);
  });

  test('tells nothing of writes that are refused, but that some were denied', async () => {
    const { applicationId, tenantIds } = await makeWorld(server);
    const foreign = await makeWorld(server);
    const actor = uniqueId('actor');
    const caller = await server.caller({ sub: actor, applicationId });
    const [id = ''] = tenantIds;
    const [foreignId = ''] = foreign.tenantIds;
    await caller.call(UpdateApplicationDocument, { input: { id: applicationId, displayName: '' } });
    await caller.call(UpdateApplicationDocument, { input: { id: foreign.applicationId, displayName: 'X' } });
    await caller.call(RenameTenantDocument, { input: { id, displayName: 'a\u202eb' } });
    await caller.call(RenameTenantDocument, { input: { id: foreignId, displayName: 'X' } });
    await caller.call(RemoveTenantDocument, { id: foreignId });
    await caller.call(CreateTenantDocument, { input: { id, applicationId, displayName: 'Taken' } });
    await caller.call(CreateTenantDocument, {
      input: { applicationId: foreign.applicationId, displayName: 'X' },
    });
    await caller.call(RemoveApplicationDocument, { id: applicationId });
    const told = (await recordOf(actor)) as { action: string }[];
    expect(told.filter(({ action }) => action !== 'access.denied')).toEqual([]);
  });

  test('outlives what it tells of', async () => {
    const world = await makeWorld(server);
    await (await server.caller()).call(RemoveApplicationDocument, { id: world.applicationId });
    const { rows } = await server.database.pool.query(
      'select action from audit_events where application_id = $1 order by id',
      [world.applicationId],
    );
    expect(rows.map(({ action }: { action: string }) => action)).toEqual([
      'application.created',
      'tenant.created',
      'application.deleted',
    ]);
  });
});
