import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { AuditEventsDocument, RenameTenantDocument, StartMfaDocument } from '../generated/documents.ts';
import { startTestServer, type TestCaller, type TestServer, uniqueId } from '../setup/harness.ts';
import { signInWorld } from '../signin/user-agent.ts';

/* LOG-2: every denial that names a resource stands in the record of the caller's own application. */

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
});
afterAll(() => server.stop());

async function denials(applicationId: string) {
  const reader = await server.caller({ applicationId, scopes: ['audit:read'] });
  const { data } = await reader.call(AuditEventsDocument, {
    applicationId,
    filter: { action: 'access.denied' },
  });
  return data.auditEvents.nodes.map(({ detail, ...event }) => ({ ...event, detail: JSON.parse(detail) }));
}

const rename = (caller: TestCaller, id: string) =>
  caller.call(RenameTenantDocument, { input: { id, displayName: 'Mine' } });

describe('LOG-2: a denial', () => {
  test('for want of a scope is recorded, with who, what and where', async () => {
    const world = await signInWorld(server);
    const caller = await server.caller({ sub: 'mallory', applicationId: world.applicationId, scopes: [] });
    const { errors } = await rename(caller, world.tenantId);
    expect(errors[0]?.extensions).toMatchObject({ code: 'FORBIDDEN' });
    expect(await denials(world.applicationId)).toEqual([
      expect.objectContaining({
        actor: 'mallory',
        tenantId: null,
        userId: null,
        detail: { field: 'Mutation.updateTenant', code: 'FORBIDDEN', id: world.tenantId },
      }),
    ]);
  });

  test("of a foreign tenant is recorded in the caller's record, and not in the other's", async () => {
    const [own, foreign] = [await signInWorld(server), await signInWorld(server)];
    const caller = await server.caller({ applicationId: own.applicationId });
    const { data } = await rename(caller, foreign.tenantId);
    expect(data.updateTenant).toMatchObject({ code: 'NOT_FOUND' });
    const { data: started } = await caller.call(StartMfaDocument, {
      input: { tenantId: foreign.tenantId, userId: 'ada', accountName: 'ada', trigger: 'LOGIN' },
    });
    expect(started.startMfa).toMatchObject({ code: 'NOT_FOUND' });
    expect((await denials(own.applicationId)).map(({ detail }) => detail)).toEqual([
      { field: 'Mutation.startMfa', code: 'NOT_FOUND', tenantId: foreign.tenantId, userId: 'ada' },
      { field: 'Mutation.updateTenant', code: 'NOT_FOUND', id: foreign.tenantId },
    ]);
    expect(await denials(foreign.applicationId)).toEqual([]);
  });

  test('of a field is recorded once, however many rows were asked', async () => {
    const world = await signInWorld(server, { tenants: 3 });
    const caller = await server.caller({ applicationId: world.applicationId, scopes: ['mfa-policy:read'] });
    await caller.call(
      `query ($id: ID!) { application(id: $id) { tenants { nodes { users { nodes { id } } } } } }`,
      { id: world.applicationId },
    );
    expect(await denials(world.applicationId)).toEqual([
      expect.objectContaining({
        detail: expect.objectContaining({ field: 'Tenant.users', code: 'FORBIDDEN' }),
      }),
    ]);
  });

  test("of a tenant's caller stands in that tenant's record", async () => {
    const world = await signInWorld(server);
    const bound = { applicationId: world.applicationId, tenantId: world.tenantId };
    await rename(await server.caller({ ...bound, sub: 'ada', scopes: [] }), world.tenantId);
    expect(await denials(world.applicationId)).toEqual([
      expect.objectContaining({ actor: 'ada', tenantId: world.tenantId }),
    ]);
  });

  test('that names nothing, or is an ordinary call, is not recorded', async () => {
    const world = await signInWorld(server);
    const caller = await server.caller({ applicationId: world.applicationId });
    expect((await rename(caller, world.tenantId)).data.updateTenant).toMatchObject({
      __typename: 'TenantPayload',
    });
    await caller.call('{ tenant(id: "nobody") { id } }');
    expect(await denials(world.applicationId)).toEqual([]);
  });

  test('LOG-1: keeps no code or token that was sent in the place of an id', async () => {
    const world = await signInWorld(server);
    const caller = await server.caller({ applicationId: world.applicationId, scopes: [] });
    const wrong = ['123456', `${'A'.repeat(43)}.YWI`, '0123-4567-89AB-CDEF-GHJK', uniqueId('x').repeat(9)];
    for (const id of wrong) await rename(caller, id);
    expect(await denials(world.applicationId)).toEqual([]);
  });
});
