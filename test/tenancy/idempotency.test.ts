import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import {
  CreateApplicationDocument,
  CreateTenantDocument,
  RemoveTenantDocument,
  RenameTenantDocument,
} from '../generated/documents.ts';
import {
  startTestServer,
  type TestCaller,
  type TestServer,
  type TokenOptions,
  uniqueId,
} from '../setup/harness.ts';
import { makeWorld } from '../setup/world.ts';

let server: TestServer;
let admin: TestCaller;
beforeAll(async () => {
  server = await startTestServer();
  admin = await server.caller();
});
afterAll(() => server.stop());

interface NewTenant {
  applicationId: string;
  displayName?: string;
  id?: string;
  idempotencyKey?: string;
}

const createTenant = async (caller: TestCaller, { displayName = 'Once', ...input }: NewTenant) =>
  (await caller.call(CreateTenantDocument, { input: { displayName, ...input } })).data.createTenant;

const makeApplication = async () => (await makeWorld(server, { tenants: 0 })).applicationId;

/** The tenants of an application and the acts in its record, as they are stored. */
async function countsOf(applicationId: string) {
  const count = async (sql: string): Promise<number> =>
    (await server.database.pool.query<{ n: number }>(sql, [applicationId])).rows[0]?.n ?? 0;
  return {
    tenants: await count('select count(*)::int as n from tenants where application_id = $1'),
    acts: await count(
      "select count(*)::int as n from audit_events where application_id = $1 and action = 'tenant.created'",
    ),
  };
}

describe('a call repeated with its idempotency key', () => {
  test('acts once and answers the same, the made id included', async () => {
    const call = { applicationId: await makeApplication(), idempotencyKey: uniqueId('key') };
    const first = await createTenant(admin, call);
    expect(first).toMatchObject({ tenant: { displayName: 'Once' } });
    expect(await createTenant(admin, call)).toEqual(first);
    expect(await countsOf(call.applicationId)).toEqual({ tenants: 1, acts: 1 });
  });

  test('50 times at once acts exactly once, and all answer the same; 5 rounds', async () => {
    for (let round = 0; round < 5; round += 1) {
      const call = { applicationId: await makeApplication(), idempotencyKey: uniqueId('raced') };
      const answers = await Promise.all(Array.from({ length: 50 }, () => createTenant(admin, call)));
      expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).toBe(1);
      expect(answers[0]).toMatchObject({ __typename: 'TenantPayload' });
      expect(await countsOf(call.applicationId)).toEqual({ tenants: 1, acts: 1 });
    }
  });

  test('answers as at first after the tenant was renamed, and after it was deleted', async () => {
    const call = {
      applicationId: await makeApplication(),
      idempotencyKey: uniqueId('key'),
      id: uniqueId('tenant'),
    };
    const first = await createTenant(admin, call);
    await admin.call(RenameTenantDocument, { input: { id: call.id, displayName: 'Renamed' } });
    expect(await createTenant(admin, call)).toEqual(first);
    await admin.call(RemoveTenantDocument, { id: call.id });
    expect(await createTenant(admin, call)).toEqual(first);
    expect(await countsOf(call.applicationId)).toEqual({ tenants: 0, acts: 1 });
  });

  test('answers an application as at first, its policy included', async () => {
    const input = { displayName: 'Once', idempotencyKey: uniqueId('key') };
    const create = async () =>
      (await admin.call(CreateApplicationDocument, { input })).data.createApplication;
    const first = await create();
    expect(first).toMatchObject({ application: { mfaPolicy: { version: 1 } } });
    expect(await create()).toEqual(first);
  });

  test('answers an expected failure as at first, also when it would succeed by now', async () => {
    const applicationId = uniqueId('later');
    const call = { applicationId, idempotencyKey: uniqueId('key') };
    const first = await createTenant(admin, call);
    expect(first).toMatchObject({ __typename: 'NotFound' });
    await admin.call(CreateApplicationDocument, { input: { id: applicationId, displayName: 'Later' } });
    expect(await createTenant(admin, call)).toEqual(first);
  });

  test('answers that an id is taken as at first, also when it is free by now', async () => {
    const { applicationId, tenantIds } = await makeWorld(server);
    const [id = ''] = tenantIds;
    const call = { applicationId, id, idempotencyKey: uniqueId('key') };
    const first = await createTenant(admin, call);
    expect(first).toMatchObject({ __typename: 'AlreadyExists' });
    await admin.call(RemoveTenantDocument, { id });
    expect(await createTenant(admin, call)).toEqual(first);
  });

  test('with invalid input takes no key: the corrected call acts', async () => {
    const call = { applicationId: await makeApplication(), idempotencyKey: uniqueId('key') };
    expect(await createTenant(admin, { ...call, displayName: ' ' })).toMatchObject({ field: 'displayName' });
    expect(await createTenant(admin, call)).toMatchObject({ __typename: 'TenantPayload' });
  });

  test('still needs the scope', async () => {
    const call = { applicationId: await makeApplication(), idempotencyKey: uniqueId('key') };
    await createTenant(admin, call);
    const demoted = await server.caller({ scopes: ['mfa-policy:read'] });
    const { errors } = await demoted.call(CreateTenantDocument, { input: { displayName: 'Once', ...call } });
    expect(errors).toMatchObject([{ extensions: { code: 'FORBIDDEN' } }]);
  });
});

describe('an idempotency key used with another input', () => {
  const other: [string, (applicationId: string) => Promise<Partial<NewTenant>> | Partial<NewTenant>][] = [
    ['another name', () => ({ displayName: 'Another' })],
    ['an id', () => ({ id: uniqueId('given') })],
    ['another application', async () => ({ applicationId: await makeApplication() })],
  ];

  test.each(other)('(%s) is refused, names idempotencyKey and writes nothing', async (_name, change) => {
    const call = { applicationId: await makeApplication(), idempotencyKey: uniqueId('key') };
    await createTenant(admin, call);
    const changed = { ...call, ...(await change(call.applicationId)) };
    expect(await createTenant(admin, changed)).toMatchObject({
      __typename: 'InvalidInput',
      code: 'INVALID_INPUT',
      field: 'idempotencyKey',
    });
    expect(await countsOf(call.applicationId)).toEqual({ tenants: 1, acts: 1 });
    expect(await createTenant(admin, call)).toMatchObject({ __typename: 'TenantPayload' });
  });

  test('25 and 25 times at once lets one input act', async () => {
    const call = { applicationId: await makeApplication(), idempotencyKey: uniqueId('raced') };
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, n) => createTenant(admin, { ...call, displayName: `Input ${n % 2}` })),
    );
    const types = answers.map(({ __typename }) => __typename);
    expect(types.filter((type) => type === 'TenantPayload')).toHaveLength(25);
    expect(types.filter((type) => type === 'InvalidInput')).toHaveLength(25);
    expect(await countsOf(call.applicationId)).toEqual({ tenants: 1, acts: 1 });
  });
});

describe('an idempotency key', () => {
  const others: [string, (applicationId: string) => TokenOptions][] = [
    ['another subject', () => ({ sub: 'somebody else' })],
    ['the same subject with another boundary', (applicationId) => ({ applicationId })],
  ];

  test.each(others)('of %s is another key', async (_name, options) => {
    const call = { applicationId: await makeApplication(), idempotencyKey: uniqueId('shared') };
    const mine = await createTenant(admin, call);
    const theirs = await createTenant(await server.caller(options(call.applicationId)), call);
    expect(theirs).toMatchObject({ __typename: 'TenantPayload' });
    expect(theirs).not.toEqual(mine);
    expect(await countsOf(call.applicationId)).toEqual({ tenants: 2, acts: 2 });
  });

  test('of another mutation is another key', async () => {
    const call = { applicationId: await makeApplication(), idempotencyKey: uniqueId('key') };
    await createTenant(admin, call);
    const { data } = await admin.call(CreateApplicationDocument, {
      input: { displayName: 'Once', idempotencyKey: call.idempotencyKey },
    });
    expect(data.createApplication.__typename).toBe('ApplicationPayload');
  });

  test.each([
    ['empty', ''],
    ['of 256 characters', 'x'.repeat(256)],
    ['with U+0000', 'a\u0000b'],
  ])('that is %s is refused', async (_name, idempotencyKey) => {
    const applicationId = await makeApplication();
    expect(await createTenant(admin, { applicationId, idempotencyKey })).toMatchObject({
      __typename: 'InvalidInput',
      field: 'idempotencyKey',
    });
    expect(await countsOf(applicationId)).toEqual({ tenants: 0, acts: 0 });
  });

  test('may have 255 characters of any script', async () => {
    const idempotencyKey = `${uniqueId('')}${'🔑'.repeat(255)}`;
    const call = {
      applicationId: await makeApplication(),
      idempotencyKey: [...idempotencyKey].slice(0, 255).join(''),
    };
    expect(await createTenant(admin, call)).toEqual(await createTenant(admin, call));
  });

  test('is remembered for 24 hours, then forgotten, and remembered anew', async () => {
    const moving = await startTestServer({ database: server.database });
    const at = new Date();
    moving.clock.fix(at);
    const call = { applicationId: await makeApplication(), idempotencyKey: uniqueId('daily') };
    // Tokens live for an hour, so each call brings one of its own.
    const create = async () => createTenant(await moving.caller(), call);
    const first = await create();
    moving.clock.advance(24 * 3600 - 1);
    expect(await create()).toEqual(first);
    moving.clock.advance(1);
    const second = await create();
    expect(second).toMatchObject({ __typename: 'TenantPayload' });
    expect(second).not.toEqual(first);
    moving.clock.advance(24 * 3600 - 1);
    expect(await create()).toEqual(second);
    expect(await countsOf(call.applicationId)).toEqual({ tenants: 2, acts: 2 });
    await moving.stop();
  });
});
