import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { createSchema } from '../../src/schema.ts';
import { CreateApplicationDocument, CreateTenantDocument } from '../generated/documents.ts';
import { startTestServer, type TestServer, uniqueId } from '../setup/harness.ts';
import { createEndpoint } from '../webhook/webhook-world.ts';
import {
  boundaries,
  everyCaller,
  type GridAnswer,
  type GridCaller,
  type Ground,
  inParallel,
  makeCaller,
  makeGround,
  nameOf,
  type Place,
  scopeSets,
  type Target,
} from './callers.ts';
import type { Operation } from './operation.ts';
import { operations, outcomeOf, schemaReads } from './operations.ts';

let server: TestServer;
let ground: Ground;
let callers: GridCaller[];
beforeAll(async () => {
  server = await startTestServer();
  ground = await makeGround(server);
  callers = await everyCaller(server, ground);
});
afterAll(() => server.stop());

const places: readonly Place[] = ['own', 'sibling', 'foreign', 'absent'];
const placesOf = ({ about }: Operation): readonly Place[] => (about === 'nothing' ? ['own'] : places);

/** What an answer amounts to, told shortly enough to be compared in bulk. */
const tell = ({ status, data, codes }: GridAnswer): unknown =>
  codes.length > 0 ? { status, codes } : { status, result: data?.['result'] };

/** The calls of one operation, each with what the rules say of it. */
function* callsOf(operation: Operation) {
  for (const caller of callers) {
    for (const place of placesOf(operation)) {
      yield { caller, place, outcome: outcomeOf(operation, caller.kind, caller.scopes, place) };
    }
  }
}

const expectedOf = (operation: Operation, outcome: string, target: Target, { kind }: GridCaller): unknown =>
  ({
    UNAUTHENTICATED: { status: 401, codes: ['UNAUTHENTICATED'] },
    FORBIDDEN: { status: 200, codes: ['FORBIDDEN'] },
    inside: { status: 200, result: operation.inside(target, ground, kind) },
    outside: { status: 200, result: operation.outside },
  })[outcome];

/** Everything stored of the ground's applications, and every act of the callers but what was denied to them. */
async function stored(): Promise<unknown> {
  const ids = [ground.own, ground.foreign, ground.absent].map(({ applicationId }) => applicationId);
  const read = async (sql: string) => (await server.database.pool.query(sql, [ids])).rows;
  return {
    applications: await read('select * from applications where id = any($1) order by id'),
    tenants: await read('select * from tenants where application_id = any($1) order by id'),
    endpoints: await read('select * from webhook_endpoints where application_id = any($1) order by id'),
    users: await read(
      'select u.* from users u join tenants t on t.id = u.tenant_id where t.application_id = any($1) order by t.id, u.id',
    ),
    audit: (
      await server.database.pool.query(
        "select * from audit_events where actor = $1 and action <> 'access.denied' order by id",
        [ground.subject],
      )
    ).rows,
  };
}

/** What an operation uses up is made for the call; a tenant's caller is bound to the one made. */
async function prepare(
  { spends }: Operation,
  place: Place,
  caller: GridCaller,
): Promise<{ target: Target; caller: GridCaller }> {
  if (spends === undefined) return { target: ground[place], caller };
  const admin = await server.caller();
  if (spends === 'endpoint') {
    const { applicationId } = ground[place];
    const made = await createEndpoint({ admin }, { applicationId, url: 'https://hooks.example.com/' });
    return { target: { ...ground[place], endpointId: made.endpointId }, caller };
  }
  const id = uniqueId('throwaway');
  if (spends === 'application') {
    await admin.call(CreateApplicationDocument, { input: { id, displayName: 'Throwaway' } });
    return { target: { ...ground[place], applicationId: id }, caller };
  }
  const { applicationId } = ground[place];
  await admin.call(CreateTenantDocument, { input: { id, applicationId, displayName: 'Throwaway' } });
  const target = { ...ground[place], tenantId: id };
  if (caller.kind !== 'tenant') return { target, caller };
  return { target, caller: await makeCaller(server, { ...ground, own: target }, 'tenant', caller.scopes) };
}

const rows = operations.map((operation) => [operation.name, operation] as const);

describe('TEN-1: every operation x every kind of caller x every place', () => {
  test('the table has every root field that is served', () => {
    const schema = createSchema({ introspection: true });
    const served = [schema.getQueryType(), schema.getMutationType()].flatMap((root) =>
      Object.keys(root?.getFields() ?? {}),
    );
    const listed = new Set([...operations.map(({ name }) => name.split(' ')[0]), '_service']);
    expect([...listed].sort()).toEqual(served.sort());
  });

  test.each(rows.filter(([, { openToTokens }]) => !openToTokens))(
    '%s is refused to whoever may not, and nothing is written',
    async (_name, operation) => {
      const before = await stored();
      const told: unknown[] = [];
      const expected: unknown[] = [];
      await inParallel([...callsOf(operation)], async ({ caller, place, outcome }) => {
        if (outcome === 'inside') return;
        const name = `${nameOf(caller)} -> ${place}`;
        told.push([
          name,
          tell(await caller.ask(operation.document, operation.variables(ground[place], ground))),
        ]);
        expected.push([name, expectedOf(operation, outcome, ground[place], caller)]);
      });
      expect(told.length).toBeGreaterThan(0);
      expect(told.sort()).toMatchObject(expected.sort());
      expect(await stored()).toEqual(before);
    },
  );

  test.each(rows.filter(([, { about }]) => about !== 'nothing'))(
    '%s answers what is out of reach and what is absent byte for byte alike',
    async (_name, operation) => {
      let compared = 0;
      const telling = callers.filter(
        ({ scopes: [first, second] }) =>
          first === operation.scope || first === operation.orScope?.scope || !first || second,
      );
      await inParallel(telling, async (caller) => {
        const absent = await bytesOf(operation, caller, 'absent');
        for (const place of places) {
          if (outcomeOf(operation, caller.kind, caller.scopes, place) === 'inside') continue;
          expect([nameOf(caller), place, await bytesOf(operation, caller, place)]).toEqual([
            nameOf(caller),
            place,
            absent,
          ]);
          if (place !== 'absent') compared += 1;
        }
      });
      expect(compared).toBeGreaterThan(0);
    },
  );

  test.each(rows)('%s is answered to whoever may', async (_name, operation) => {
    const told: unknown[] = [];
    const expected: unknown[] = [];
    await inParallel([...callsOf(operation)], async ({ caller, place, outcome }) => {
      if (outcome !== 'inside') return;
      const name = `${nameOf(caller)} -> ${place}`;
      const made = await prepare(operation, place, caller);
      told.push([
        name,
        tell(await made.caller.ask(operation.document, operation.variables(made.target, ground))),
      ]);
      expected.push([name, expectedOf(operation, outcome, made.target, caller)]);
    });
    expect(told.length).toBeGreaterThan(0);
    expect(told.sort()).toMatchObject(expected.sort());
  });
});

/** An answer as it came, with the ids that were asked for taken out. */
async function bytesOf(operation: Operation, caller: GridCaller, place: Place): Promise<string> {
  const { applicationId, tenantId } = ground[place];
  const { bytes } = await caller.ask(operation.document, operation.variables(ground[place], ground));
  return bytes.replaceAll(tenantId, 'TENANT').replaceAll(applicationId, 'APPLICATION');
}

describe('TEN-1: reading the schema', () => {
  let production: TestServer;
  beforeAll(async () => {
    production = await startTestServer({ introspection: false, database: server.database });
  });
  afterAll(() => production.stop());

  test.each(Object.entries(schemaReads))('%s is open to everyone in development', async (_name, document) => {
    for (const caller of callers) {
      expect([nameOf(caller), tell(await caller.ask(document))]).toEqual([
        nameOf(caller),
        { status: 200, result: expect.anything() },
      ]);
    }
  });

  test.each(Object.entries(schemaReads))(
    '%s is open in production to callers with schema:read, whatever their boundary',
    async (_name, document) => {
      const anyone = await makeCaller(production, ground, 'none', []);
      expect(tell(await anyone.ask(document))).toEqual({ status: 401, codes: ['UNAUTHENTICATED'] });
      for (const kind of boundaries) {
        for (const scopes of scopeSets) {
          const caller = await makeCaller(production, ground, kind, scopes);
          expect([nameOf(caller), tell(await caller.ask(document))]).toEqual([
            nameOf(caller),
            scopes.includes('schema:read')
              ? { status: 200, result: expect.anything() }
              : { status: 200, codes: ['FORBIDDEN'] },
          ]);
        }
      }
    },
  );
});
