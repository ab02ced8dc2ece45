import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import {
  CreateApplicationDocument,
  CreateTenantDocument,
  ListApplicationsDocument,
  type ListApplicationsQuery,
  ListTenantsDocument,
  ReadPlacesDocument,
  RemoveApplicationDocument,
  RemoveTenantDocument,
  RenameTenantDocument,
  UpdateApplicationDocument,
  type UpdateApplicationInput,
} from '../generated/documents.ts';
import { startTestServer, type TestCaller, type TestServer, uniqueId } from '../setup/harness.ts';
import { makeWorld } from '../setup/world.ts';

let server: TestServer;
let admin: TestCaller;
beforeAll(async () => {
  server = await startTestServer();
  admin = await server.caller();
});
afterAll(() => server.stop());

const createApplication = async (input: { id?: string; displayName: string }) =>
  (await admin.call(CreateApplicationDocument, { input })).data.createApplication;

const createTenant = async (applicationId: string, input: { id?: string; displayName: string }) =>
  (await admin.call(CreateTenantDocument, { input: { applicationId, ...input } })).data.createTenant;

/** Both ways to make a thing with an id and a name; the checks are the same. */
const makers: [string, (input: { id?: string; displayName: string }) => Promise<unknown>][] = [
  ['an application', createApplication],
  ['a tenant', async (input) => createTenant((await makeWorld(server, { tenants: 0 })).applicationId, input)],
];

const uuidV7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
describe.each(makers)('creating %s', (_name, make) => {
  const made = (answer: unknown) => {
    const { application, tenant } = answer as Record<string, { id: string; displayName: string } | undefined>;
    return application ?? tenant;
  };

  test.each([
    ['64 characters', () => uniqueId('x').padEnd(64, 'x')],
    ['every kind of character', () => `${uniqueId('Az0')}._:@|-`],
  ])('takes an id of %s', async (_kind, idOf) => {
    const id = idOf();
    expect(made(await make({ id, displayName: 'Given' }))).toMatchObject({ id, displayName: 'Given' });
  });

  test('makes a UUIDv7 where no id is given', async () => {
    expect(made(await make({ displayName: 'Made' }))?.id).toMatch(uuidV7);
  });

  test.each([
    ['empty', ''],
    ['65 characters long', 'x'.repeat(65)],
    ['with a space', 'a b'],
    ['with a slash', 'a/b'],
    ['with a letter beyond ASCII', 'ä'],
    ['with a line break at the end', 'a\n'],
    ['with U+0000', 'a\u0000'],
  ])('refuses an id that is %s', async (_kind, id) => {
    expect(await make({ id, displayName: 'Named' })).toMatchObject({ code: 'INVALID_INPUT', field: 'id' });
  });

  test.each([
    ['empty', ''],
    ['blank', ' \t '],
    ['201 characters long', 'x'.repeat(201)],
    ['with a control character', 'a\u0007b'],
    ['with a line separator', 'a\u2028b'],
    ['that reorders text', 'a\u202eb'],
    ['that is no well-formed text', 'a\ud800b'],
  ])('refuses a name that is %s', async (_kind, displayName) => {
    expect(await make({ displayName })).toMatchObject({ code: 'INVALID_INPUT', field: 'displayName' });
  });

  test.each([
    ['with spaces around, trimmed', '  Wiki  ', 'Wiki'],
    ['of 200 characters, however many bytes', '🔐'.repeat(200), '🔐'.repeat(200)],
    ['with a colon', 'Wiki: the docs', 'Wiki: the docs'],
    ['of quotes', `O'Brien & "Sons" -- \\`, `O'Brien & "Sons" -- \\`],
  ])('takes a name %s', async (_kind, displayName, stored) => {
    expect(made(await make({ displayName }))).toMatchObject({ displayName: stored });
  });

  test('refuses an id that is taken, whatever else is asked', async () => {
    const id = uniqueId('taken');
    await make({ id, displayName: 'First' });
    expect(await make({ id, displayName: 'Second' })).toMatchObject({
      __typename: 'AlreadyExists',
      code: 'ALREADY_EXISTS',
    });
  });

  test('with one id 20 times at once makes one', async () => {
    const id = uniqueId('raced');
    const answers = await Promise.all(Array.from({ length: 20 }, () => make({ id, displayName: 'Raced' })));
    const types = answers.map((answer) => (answer as { __typename: string }).__typename);
    expect(types.filter((type) => type !== 'AlreadyExists')).toHaveLength(1);
  });
});

describe('a tenant', () => {
  test('of an application that does not exist is not made', async () => {
    expect(await createTenant(uniqueId('absent'), { displayName: 'Nowhere' })).toMatchObject({
      __typename: 'NotFound',
      code: 'NOT_FOUND',
    });
  });

  test('is renamed', async () => {
    const { applicationId, tenantIds } = await makeWorld(server);
    const [id = ''] = tenantIds;
    const { data } = await admin.call(RenameTenantDocument, { input: { id, displayName: ' Renamed ' } });
    expect(data.updateTenant).toMatchObject({ tenant: { id, displayName: 'Renamed' } });
    expect((await admin.call(ReadPlacesDocument, { applicationId, tenantIds })).data.tenants).toMatchObject([
      { displayName: 'Renamed', application: { id: applicationId } },
    ]);
  });

  test('keeps its name when the new one is refused', async () => {
    const { applicationId, tenantIds } = await makeWorld(server);
    const [id = ''] = tenantIds;
    const { data } = await admin.call(RenameTenantDocument, { input: { id, displayName: '\u202e' } });
    expect(data.updateTenant).toMatchObject({ code: 'INVALID_INPUT', field: 'displayName' });
    expect((await admin.call(ReadPlacesDocument, { applicationId, tenantIds })).data.tenants).toMatchObject([
      { displayName: 'Tenant 001' },
    ]);
  });

  test('is deleted alone, once, and its id is free again', async () => {
    const { applicationId, tenantIds } = await makeWorld(server, { tenants: 2 });
    const [id = '', other] = tenantIds;
    const remove = async () => (await admin.call(RemoveTenantDocument, { id })).data.deleteTenant;
    expect(await remove()).toEqual({ __typename: 'DeletedPayload', id });
    expect(await remove()).toEqual({ __typename: 'NotFound', code: 'NOT_FOUND' });
    const { data } = await admin.call(ReadPlacesDocument, { applicationId, tenantIds });
    expect(data.tenants).toMatchObject([null, { id: other }]);
    expect(await createTenant(applicationId, { id, displayName: 'Again' })).toMatchObject({ tenant: { id } });
  });
});

describe('an application', () => {
  test('changes only what is given', async () => {
    const { applicationId: id } = await makeWorld(server, { tenants: 0, displayName: 'Before' });
    const update = async (input: { displayName?: string; overrideRule?: 'NONE' }) =>
      (await admin.call(UpdateApplicationDocument, { input: { id, ...input } })).data.updateApplication;
    expect(await update({ overrideRule: 'NONE' })).toMatchObject({
      application: { displayName: 'Before', overrideRule: 'NONE' },
    });
    expect(await update({ displayName: 'After' })).toMatchObject({
      application: { displayName: 'After', overrideRule: 'NONE' },
    });
  });

  test('keeps its override rule where the one that was read is another by now', async () => {
    const { applicationId: id } = await makeWorld(server, { tenants: 0, displayName: 'Before' });
    const update = async (input: Omit<UpdateApplicationInput, 'id'>) =>
      (await admin.call(UpdateApplicationDocument, { input: { id, ...input } })).data.updateApplication;
    expect(await update({ overrideRule: 'NONE', expectedOverrideRule: 'ANY' })).toMatchObject({
      application: { overrideRule: 'NONE' },
    });
    expect(
      await update({ displayName: 'After', overrideRule: 'STRICTER_ONLY', expectedOverrideRule: 'ANY' }),
    ).toMatchObject({ __typename: 'InvalidInput', field: 'expectedOverrideRule' });
    expect(await update({ expectedOverrideRule: null })).toMatchObject({
      application: { displayName: 'Before', overrideRule: 'NONE' },
    });
  });

  test('is deleted with its tenants, and nobody else', async () => {
    const [gone, kept] = [await makeWorld(server, { tenants: 3 }), await makeWorld(server, { tenants: 1 })];
    const { data } = await admin.call(RemoveApplicationDocument, { id: gone.applicationId });
    expect(data.deleteApplication).toEqual({ __typename: 'DeletedPayload', id: gone.applicationId });
    const read = async ({ applicationId, tenantIds }: typeof gone) =>
      (await admin.call(ReadPlacesDocument, { applicationId, tenantIds })).data;
    expect(await read(gone)).toEqual({ application: null, tenants: [null, null, null] });
    expect(await read(kept)).toMatchObject({ application: { id: kept.applicationId }, tenants: [{}] });
  });

  test('deleted while tenants are made in it leaves no tenant and no failure', async () => {
    for (let round = 0; round < 10; round += 1) {
      const { applicationId } = await makeWorld(server, { tenants: 1 });
      const making = Array.from({ length: 6 }, () => createTenant(applicationId, { displayName: 'Late' }));
      const removing = admin.call(RemoveApplicationDocument, { id: applicationId });
      const answers = await Promise.all(making);
      expect((await removing).data.deleteApplication.__typename).toBe('DeletedPayload');
      for (const { __typename } of answers) expect(['TenantPayload', 'NotFound']).toContain(__typename);
      const left = await server.database.pool.query('select id from tenants where application_id = $1', [
        applicationId,
      ]);
      expect(left.rows).toEqual([]);
    }
  });
});

/** All applications of the installation that a search finds, page by page: other tests have theirs. */
async function applicationsFor(search: string): Promise<{ id: string; displayName: string }[]> {
  const found: { id: string; displayName: string }[] = [];
  let after: string | null = null;
  do {
    const page: ListApplicationsQuery['applications'] = (
      await admin.call(ListApplicationsDocument, { search, after, first: 100 })
    ).data.applications;
    found.push(...page.nodes);
    after = page.pageInfo.hasNextPage ? page.pageInfo.endCursor : null;
  } while (after !== null);
  return found;
}

describe('search', () => {
  const names = ['100% Wiki', '100 Wiki', 'snake_case', 'snakeXcase', 'back\\slash', 'CAFÉ', 'Straße'];
  const finds: [string, string[]][] = [
    ['%', ['100% Wiki']],
    ['_', ['snake_case']],
    ['\\', ['back\\slash']],
    ['WIKI', ['100 Wiki', '100% Wiki']],
    ['café', ['CAFÉ']],
    ['cafe\u0301', ['CAFÉ']],
    ['traß', ['Straße']],
    ['100%W', []],
    ["' or true --", []],
    ['a\u0000b', []],
    ['\ud800', []],
  ];
  const mark = uniqueId('search');
  let applicationId: string;
  beforeAll(async () => {
    applicationId = (await makeWorld(server, { tenants: 0 })).applicationId;
    for (const displayName of names) {
      await createTenant(applicationId, { displayName });
      await createApplication({ displayName: `${mark} ${displayName}` });
    }
  });

  test.each(finds)('for %j finds the tenants that hold it, in any case', async (search, found) => {
    const { data } = await admin.call(ListTenantsDocument, { applicationId, filter: { search } });
    const page = data.application?.tenants;
    expect(page?.nodes.map(({ displayName }) => displayName)).toEqual(found);
    expect(page?.totalCount).toBe(found.length);
  });

  test.each(finds)('for %j finds the applications that hold it, in any case', async (search, found) => {
    const ours = new Set((await applicationsFor(mark)).map(({ id }) => id));
    const nodes = (await applicationsFor(search)).filter(({ id }) => ours.has(id));
    expect(nodes.map(({ displayName }) => displayName.slice(mark.length + 1))).toEqual(found);
  });

  test('for nothing finds everything', async () => {
    const { data } = await admin.call(ListTenantsDocument, { applicationId, filter: { search: '' } });
    expect(data.application?.tenants.totalCount).toBe(names.length);
  });
});
