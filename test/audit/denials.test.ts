import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import {
  type GraphQLInputType,
  getNamedType,
  isEnumType,
  isInputObjectType,
  isLeafType,
  isListType,
  isNonNullType,
} from 'graphql';
import { scopes } from '../../src/caller/caller.ts';
import { subgraphSchema } from '../../src/schema.ts';
import { uuidV7Ids } from '../../src/shared/ids.ts';
import {
  AuditEventsDocument,
  DeleteWebhookEndpointDocument,
  RenameTenantDocument,
  ReplayWebhookDeliveriesDocument,
  StartMfaDocument,
} from '../generated/documents.ts';
import { startTestServer, type TestCaller, type TestServer, uniqueId } from '../setup/harness.ts';
import { signInWorld } from '../signin/user-agent.ts';
import { secretForms } from './secret-forms.ts';

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

  test('of a foreign webhook endpoint is recorded, by whichever name it was asked', async () => {
    const world = await signInWorld(server);
    const caller = await server.caller({ applicationId: world.applicationId });
    const endpointId = crypto.randomUUID();
    await caller.call(ReplayWebhookDeliveriesDocument, { input: { endpointId } });
    await caller.call(DeleteWebhookEndpointDocument, { id: endpointId });
    expect((await denials(world.applicationId)).map(({ detail }) => detail)).toEqual([
      { field: 'Mutation.deleteWebhookEndpoint', code: 'NOT_FOUND', id: endpointId },
      { field: 'Mutation.replayWebhookDeliveries', code: 'NOT_FOUND', endpointId },
    ]);
  });

  test('of explaining a foreign or absent tenant is recorded, as starting there is', async () => {
    const [own, foreign] = [await signInWorld(server), await signInWorld(server)];
    const caller = await server.caller({ applicationId: own.applicationId });
    const explain = (tenantId: string) =>
      caller.call(
        'query ($tenantId: ID!) { explainMfa(tenantId: $tenantId, userId: "ada") { decision { reason } } }',
        { tenantId },
      );
    expect((await explain(foreign.tenantId)).data).toEqual({ explainMfa: null });
    await explain('nobody');
    await explain(own.tenantId);
    expect((await denials(own.applicationId)).map(({ detail }) => detail)).toEqual([
      { field: 'Query.explainMfa', code: 'NOT_FOUND', tenantId: 'nobody', userId: 'ada' },
      { field: 'Query.explainMfa', code: 'NOT_FOUND', tenantId: foreign.tenantId, userId: 'ada' },
    ]);
    expect(await denials(foreign.applicationId)).toEqual([]);
  });

  test('names what was asked for by an ordinary id', async () => {
    const world = await signInWorld(server);
    const caller = await server.caller({ applicationId: world.applicationId });
    const ids = [
      crypto.randomUUID(),
      uuidV7Ids(server.clock).next(),
      uniqueId('tenant'),
      'acme',
      'a|b@c:d.e',
    ];
    for (const id of ids) await rename(caller, id);
    expect((await denials(world.applicationId)).map(({ detail }) => detail.id).reverse()).toEqual(ids);
  });

  test('of what can be no id is not recorded', async () => {
    const world = await signInWorld(server);
    const caller = await server.caller({ applicationId: world.applicationId, scopes: [] });
    await rename(caller, uniqueId('x').repeat(9));
    expect(await denials(world.applicationId)).toEqual([]);
  });
});

describe('LOG-1: a secret in the place of an id', () => {
  const schema = subgraphSchema();
  const operations = [schema.getQueryType(), schema.getMutationType()].flatMap((type) =>
    Object.values(type?.getFields() ?? {})
      .filter(({ name, args }) => !name.startsWith('_') && writtenArguments(args, '').includes('""'))
      .map((field) => ({ type: type?.name.toLowerCase() ?? '', field })),
  );
  const secrets = secretForms().map(([, secret]) => secret);
  // Four previews are all that one request may ask for.
  const groups = Array.from({ length: Math.ceil(secrets.length / 4) }, (_, n) =>
    secrets.slice(n * 4, n * 4 + 4),
  );

  test.each([
    ['may do nothing', []],
    ['may do everything', scopes],
  ])(
    'is in no denial, in whatever form and argument, of a caller who %s',
    async (_may, granted) => {
      const world = await signInWorld(server);
      const caller = await server.caller({ applicationId: world.applicationId, scopes: granted });
      for (const { type, field } of operations) {
        const selected = isLeafType(getNamedType(field.type)) ? '' : '{ __typename }';
        for (const group of groups) {
          const calls = group.map(
            (secret, n) => `a${n}: ${field.name}(${writtenArguments(field.args, secret)}) ${selected}`,
          );
          const { errors } = await caller.call(`${type} { ${calls.join(' ')} }`);
          const codes = new Set(errors.map(({ extensions }) => extensions?.['code']));
          expect([field.name, codes]).toEqual([
            field.name,
            new Set(codes.has('FORBIDDEN') ? ['FORBIDDEN'] : []),
          ]);
        }
      }
      const { rows } = await server.database.pool.query(
        "select detail from audit_events where application_id = $1 and action = 'access.denied'",
        [world.applicationId],
      );
      const named = rows.map(({ detail: { field: _field, code: _code, ...ids } }) => ids);
      expect(new Set(named.flatMap((ids) => Object.values(ids)))).toEqual(new Set(['(withheld)']));
      // It is so of everything that a denial can name.
      expect(new Set(named.flatMap((ids) => Object.keys(ids)))).toEqual(
        new Set(['id', 'applicationId', 'tenantId', 'tenantIds', 'userId']),
      );
    },
    120_000,
  );
});

type Argument = { name: string; type: GraphQLInputType };

/** The ids, and what else must be there. */
function writtenArguments(args: readonly Argument[], id: string): string {
  return args
    .filter(({ type }) => isNonNullType(type) || getNamedType(type).name === 'ID')
    .map(({ name, type }) => `${name}: ${writtenValue(type, id)}`)
    .join(', ');
}

function writtenValue(type: GraphQLInputType, id: string): string {
  if (isNonNullType(type)) return writtenValue(type.ofType, id);
  if (isListType(type)) return `[${writtenValue(type.ofType, id)}]`;
  if (isInputObjectType(type)) return `{ ${writtenArguments(Object.values(type.getFields()), id)} }`;
  if (isEnumType(type)) return type.getValues()[0]?.name ?? '';
  const values: Record<string, string> = {
    ID: JSON.stringify(id),
    Int: '1',
    Boolean: 'true',
    DateTime: '"2050-01-01T00:00:00Z"',
  };
  return values[type.name] ?? '"x"';
}
