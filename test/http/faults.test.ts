import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { GraphQLError } from 'graphql';
import { databaseSchema } from '../../src/database-schema.ts';
import { openDatabase } from '../../src/db/connection.ts';
import { logError, maskError } from '../../src/http/format-error.ts';
import { answerMsMax } from '../../src/shared/limits.ts';
import { databaseUrl, startTestServer, type TestServer, uniqueId } from '../setup/harness.ts';
import { type WiredDatabase, wiredDatabase } from './proxy.ts';
import { codesOf, post, type Reply, send } from './send.ts';

const canary = 'Canary7f3a';
const query = '{ tenant(id: "x") { id } }';

describe('GQL-3: a fault of ours', () => {
  let server: TestServer;
  let fault: unknown;

  beforeAll(async () => {
    const database = await openDatabase({ url: databaseUrl(), schema: databaseSchema });
    const fail = () => {
      throw fault;
    };
    server = await startTestServer({
      database: { ...database, fork: () => Object.assign(database.fork(), { getTransactionContext: fail }) },
    });
  });
  afterAll(async () => {
    await server.stop();
    await server.database.close();
  });

  const withFault = async (thrown: unknown): Promise<Reply & { logged: string }> => {
    fault = thrown;
    const before = server.logs().length;
    const reply = await post(server, { query }, { authorization: `Bearer ${await server.token()}` });
    return { ...reply, logged: server.logs().slice(before) };
  };

  test.each<[string, () => unknown]>([
    ['a TypeError', () => new TypeError(`cannot read ${canary} of /src/secret.ts`)],
    ['an error of the database', () => Object.assign(new Error(`select '${canary}'`), { code: '42P01' })],
    [
      'an error that looks like one of ours',
      () => Object.assign(new Error(canary), { code: 'FORBIDDEN', extensions: { code: 'FORBIDDEN' } }),
    ],
  ])(
    'GQL-3: %s that a resolver throws is masked, and logged with the id of the request',
    async (_what, make) => {
      const reply = await withFault(make());
      expect(reply).toMatchObject({ status: 500, data: { tenant: null } });
      expect(reply.errors).toEqual([
        {
          message: 'Something went wrong on our side; it is logged under the x-request-id of this answer.',
          locations: [{ line: 1, column: 3 }],
          path: ['tenant'],
          extensions: { code: 'INTERNAL_SERVER_ERROR' },
        },
      ]);
      expect(reply.text).not.toContain(canary);
      const lines = reply.logged
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as Record<string, unknown>);
      expect(lines).toContainEqual(
        expect.objectContaining({
          reqId: reply.headers.get('x-request-id'),
          level: 50,
          path: 'tenant',
          msg: 'unexpected error',
        }),
      );
    },
  );

  test("LOG-1: a database error's text, which can carry values, is not logged", async () => {
    const reply = await withFault(
      Object.assign(new Error(`duplicate key ${canary}`), {
        code: '23505',
        detail: canary,
        constraint: 'tenants_pkey',
      }),
    );
    expect(reply.status).toBe(500);
    expect(reply.logged).toContain('tenants_pkey');
    expect(reply.logged).not.toContain(canary);
  });

  test('a database that shuts down, conflicts or has no connection left is UNAVAILABLE', async () => {
    for (const code of ['57P01', '40001', '53300', '08006', 'ECONNREFUSED']) {
      const reply = await withFault(Object.assign(new Error(canary), { code }));
      expect(reply.status).toBe(503);
      expect(codesOf(reply)).toEqual(['UNAVAILABLE']);
      expect(reply.text).not.toContain(canary);
    }
  });

  test('an answer that does not fit the schema is a fault of ours: logged, without the value', () => {
    const logged: object[] = [];
    const keep = (details: object) => logged.push(details);
    const log = { error: keep, warn: keep, info: keep };
    const error = new GraphQLError(`String cannot represent value: { a: "${canary}" }`, {
      path: ['tenant', 'id'],
    });
    logError(error, log);
    expect(logged).toMatchObject([{ err: { message: 'String cannot represent value' }, path: 'tenant.id' }]);
    expect(JSON.stringify(logged)).not.toContain(canary);
    expect(maskError(error.toJSON(), error).extensions).toEqual({ code: 'INTERNAL_SERVER_ERROR' });
  });
});

describe('a database that is away', () => {
  let wire: WiredDatabase;
  let server: TestServer;

  beforeAll(async () => {
    wire = await wiredDatabase();
    server = await startTestServer({ database: wire.database });
  });
  afterAll(async () => {
    await server.stop();
    await wire.close();
  });

  const ask = async (document: string) =>
    post(server, { query: document }, { authorization: `Bearer ${await server.token()}` });
  const mutation = () =>
    `mutation { createApplication(input: { id: "${uniqueId('away')}", displayName: "Away" }) { __typename } }`;

  async function expectAway(): Promise<void> {
    for (let round = 0; round < 2; round += 1) {
      const [read, write, ready, live] = await Promise.all([
        ask(query),
        ask(mutation()),
        send(server, '/health/ready'),
        send(server, '/health/live'),
      ]);
      for (const reply of [read, write]) {
        expect(reply.status).toBe(503);
        expect(codesOf(reply)).toEqual(['UNAVAILABLE']);
        expect(reply.errors[0]?.message).toBe(
          'The service cannot answer right now; repeat the call shortly.',
        );
      }
      expect(ready).toMatchObject({ status: 503, text: '{"status":"unavailable","reason":"database"}' });
      expect(live.status).toBe(200);
      for (const { milliseconds } of [read, write, ready]) expect(milliseconds).toBeLessThan(3_000);
    }
  }

  async function expectBack(): Promise<void> {
    wire.mend();
    const until = Date.now() + 1_000;
    let reply = await ask(mutation());
    while (reply.status !== 200 && Date.now() < until) reply = await ask(mutation());
    expect(reply).toMatchObject({
      status: 200,
      data: { createApplication: { __typename: 'ApplicationPayload' } },
    });
    expect((await send(server, '/health/ready')).status).toBe(200);
  }

  test('answers UNAVAILABLE and unready while the wire is cut, and serves again after', async () => {
    expect((await ask(query)).status).toBe(200);
    wire.cut();
    await expectAway();
    await expectBack();
  });

  test('answers UNAVAILABLE and unready within 3 s while it hangs, and serves again after', async () => {
    expect((await ask(query)).status).toBe(200);
    wire.freeze();
    await expectAway();
    await expectBack();
  });
});

describe('a pool without a free connection', () => {
  test('answers UNAVAILABLE within 3 s and stays ready: the database is there', async () => {
    const database = await openDatabase({
      url: databaseUrl(),
      schema: databaseSchema,
      poolConnectionsMax: 1,
    });
    const server = await startTestServer({ database });
    const busy = await database.pool.connect();
    const [call, ...health] = await Promise.all([
      post(server, { query }, { authorization: `Bearer ${await server.token()}` }),
      send(server, '/health/ready'),
      send(server, '/health/ready'),
    ]);
    expect(call.status).toBe(503);
    expect(codesOf(call)).toEqual(['UNAVAILABLE']);
    expect(call.milliseconds).toBeLessThan(3_000);
    for (const { status } of health) expect(status).toBe(200);
    busy.release();
    await server.stop();
    await database.close();
  });
});

describe('a call that takes too long', () => {
  test('REL-2: is answered with UNAVAILABLE within 3 s, whatever it waits for', async () => {
    const hanging = await startTestServer({ authenticate: () => new Promise(() => {}), answerMsMax });
    const reply = await post(hanging, { query: '{ __typename }' });
    expect(reply.status).toBe(503);
    expect(codesOf(reply)).toEqual(['UNAVAILABLE']);
    expect(reply.milliseconds).toBeLessThan(3_000);
    await hanging.stop();
  });
});
