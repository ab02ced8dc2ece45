import { Agent, request } from 'node:http';
import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { databaseSchema } from '../../src/database-schema.ts';
import { openDatabase } from '../../src/db/connection.ts';
import { eventLoopDelayMsMax } from '../../src/shared/limits.ts';
import { hangUp } from '../caller/key-server.ts';
import { startRemoteIssuer } from '../caller/remote-issuer.ts';
import { makeKey } from '../caller/tokens.ts';
import { databaseUrl, startTestServer, type TestServer, uniqueId } from '../setup/harness.ts';
import { makeWorld } from '../setup/world.ts';
import { signInWorld, startToken } from '../signin/user-agent.ts';
import { codesOf, post, send, times } from './send.ts';

let server: TestServer;

beforeAll(async () => {
  server = await startTestServer();
});
afterAll(() => server.stop());

const typename = { query: '{ __typename }' };

describe('health', () => {
  test('live and ready say ok', async () => {
    for (const path of ['/health/live', '/health/ready']) {
      expect(await send(server, path)).toMatchObject({ status: 200, text: '{"status":"ok"}' });
    }
  });

  test('unknown addresses are 404 and say nothing of themselves', async () => {
    for (const path of [
      '/',
      '/graphqlx',
      '/graphql/',
      '/health',
      '/.env',
      '/nothing?token=canary',
      '/%c0',
      '//',
    ]) {
      const reply = await send(server, path);
      expect(reply).toMatchObject({ status: 404, text: '{"message":"There is nothing at this address."}' });
    }
  });
});

describe('metrics', () => {
  const metrics = async () => (await send(server, '/metrics')).text;
  const metric = (text: string, line: string) =>
    Number(
      text
        .split('\n')
        .find((each) => each.startsWith(`${line} `))
        ?.slice(line.length + 1),
    );

  const requests = (text: string, operation: string, status: number) =>
    metric(text, `cufflink_graphql_requests_total{operation="${operation}",status="${status}"}`) || 0;

  test('count operations by name and status, and how long they took', async () => {
    const headers = { authorization: `Bearer ${await server.token()}` };
    await post(server, { query: 'query Named { __typename }' }, headers);
    await post(server, { query: 'query Named { __typename }' }, headers);
    await post(server, { query: 'query Named { viewer { subject } }' });
    const text = await metrics();
    expect(requests(text, 'Named', 200)).toBe(2);
    expect(requests(text, 'Named', 401)).toBe(1);
    expect(metric(text, 'cufflink_graphql_request_duration_seconds_count{operation="Named"}')).toBe(3);
    expect(metric(text, 'cufflink_graphql_request_duration_seconds_sum{operation="Named"}')).toBeGreaterThan(
      0,
    );
  });

  test('count what is answered before GraphQL is reached: 400, 401, 413, and 503 while the issuer gives no keys', async () => {
    const before = await metrics();
    await post(server, '{');
    await post(server, typename, { authorization: 'Bearer a.b.c' });
    await post(server, 'x'.repeat(200_000));
    const after = await metrics();
    for (const status of [400, 401, 413]) {
      expect(requests(after, '(anonymous)', status)).toBe(requests(before, '(anonymous)', status) + 1);
    }
    const issuer = await startRemoteIssuer(server.database, hangUp);
    try {
      const key = await makeKey('ES256', 'key');
      for (let n = 0; n < 3; n += 1) expect(await issuer.status(key)).toBe(503);
      expect(requests((await send(issuer, '/metrics')).text, '(anonymous)', 503)).toBe(3);
    } finally {
      await issuer.stop();
    }
  });

  test('count a fault outside of GraphQL as 500', async () => {
    const at = await startTestServer({
      database: server.database,
      authenticate: () => Promise.reject(new Error('A fault of ours.')),
    });
    expect((await post(at, typename)).status).toBe(500);
    expect(requests((await send(at, '/metrics')).text, '(anonymous)', 500)).toBe(1);
    await at.stop();
  });

  test('show the pool and the batches of the loaders', async () => {
    const { tenantIds } = await makeWorld(server, { tenants: 3 });
    const admin = await server.caller();
    const before = await metrics();
    await admin.call(`{ ${times(3, (i) => `t${i}: tenant(id: "${tenantIds[i]}") { id }`)} }`);
    const after = await metrics();
    const grown = (line: string) => metric(after, line) - (metric(before, line) || 0);
    expect(grown('cufflink_loader_batch_size_count{loader="tenant"}')).toBe(1);
    expect(grown('cufflink_loader_batch_size_sum{loader="tenant"}')).toBe(3);
    expect(metric(after, 'cufflink_database_connections{state="total"}')).toBeGreaterThan(0);
    expect(metric(after, 'cufflink_database_connections{state="idle"}')).toBeGreaterThan(0);
    expect(metric(after, 'cufflink_database_connections{state="waiting"}')).toBe(0);
  });

  const namesAt = async (at: { url: string }) => {
    const { text } = await send(at, '/metrics');
    return new Set([...text.matchAll(/requests_total\{operation="([^"]+)"/g)].map(([, name]) => name));
  };

  test('names that clients make up do not grow them without end', async () => {
    const at = await startTestServer({ database: server.database, eventLoopDelayMsMax });
    const headers = { authorization: `Bearer ${await at.token()}` };
    await post(at, { query: `query ${'L'.repeat(5_000)} { __typename }` }, headers);
    for (let i = 0; i < 300; i += 1) await post(at, { query: `query Made${i} { __typename }` }, headers);
    const names = await namesAt(at);
    await at.stop();
    expect(names.size).toBe(201);
    expect(names).toContain('(other)');
    expect([...names].join()).not.toContain('LLLL');
  });

  test('names come from calls that succeed and whose caller showed a good token: bearer, or MFA token', async () => {
    const at = await startTestServer({ database: server.database });
    const bearer = { authorization: `Bearer ${await at.token()}` };
    await post(at, { query: 'query Nobody { __typename }' });
    await post(at, { query: 'query Broken { nothing }' }, bearer);
    await post(at, { query: 'query Known { __typename }' }, bearer);
    await post(at, { query: 'query Known { __typename }' });
    const world = await signInWorld(at);
    const query = `mutation Step($input: EnrollTotpAuthFactorInput!) { enrollTotpAuthFactor(input: $input) { __typename } }`;
    const step = (mfaToken: string) => post(at, { query, variables: { input: { mfaToken } } });
    await step('no token');
    expect(await namesAt(at)).not.toContain('Step');
    await step(await startToken(world, uniqueId('user')));
    const names = await namesAt(at);
    await at.stop();
    expect(names).toContain('Known');
    expect(names).toContain('Step');
    expect(names).not.toContain('Nobody');
    expect(names).not.toContain('Broken');
  });

  test('LOG-1: a name that looks like a secret is none', async () => {
    const headers = { authorization: `Bearer ${await server.token()}` };
    for (const name of ['ABCDEFGHJKMNPQRSTVWX', 'JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP', 'a'.repeat(43)]) {
      expect((await post(server, { query: `query ${name} { __typename }` }, headers)).status).toBe(200);
      expect(await metrics()).not.toContain(name);
    }
  });
});

describe('logs', () => {
  test("carry the request's id, the caller's own where it is harmless", async () => {
    const given = await post(server, typename, { 'x-request-id': 'from-the-caller.1' });
    expect(given.headers.get('x-request-id')).toBe('from-the-caller.1');
    expect(server.logs()).toContain('"reqId":"from-the-caller.1"');
    for (const bad of ['a b', 'x'.repeat(65), 'a"b', '<script>']) {
      const { headers } = await post(server, typename, { 'x-request-id': bad });
      expect(headers.get('x-request-id')).toMatch(/^[0-9a-f]{8}-[0-9a-f-]{27}$/);
    }
  });

  test('LOG-1: carry no token, variable, header, literal or query string', async () => {
    const canary = 'Canary7f3a';
    const token = await server.token({ sub: canary, claims: { note: canary } });
    const headers = {
      authorization: `Bearer ${token}`,
      cookie: `a=${canary}`,
      'x-secret': canary,
      referer: canary,
    };
    const query = 'query ($id: ID!) { tenant(id: $id) { id } }';
    await post(server, { query, variables: { id: canary } }, headers);
    await post(server, { query, variables: { id: { a: canary } } }, headers);
    await post(server, { query: `{ tenant(id: "${canary}") { id } }` }, headers);
    await post(server, { query: `{ tenant(id: "${canary}") { nothing } "${canary}" }` }, headers);
    await post(server, `{"${canary}`, headers);
    await post(server, typename, { authorization: `Bearer ${canary}.${canary}.${canary}` });
    await send(server, `/graphql?access_token=${canary}`);
    await send(server, `/%c0?access_token=${canary}`);
    await post(server, canary.repeat(20_000), headers);
    expect(server.logs()).not.toContain(canary);
    expect(server.logs()).not.toContain(token.split('.')[1]);
  });
});

describe('REL-6: overload', () => {
  test('REL-6: is shed with 503 and Retry-After for /graphql only, and ends', async () => {
    const at = await startTestServer({ database: server.database, eventLoopDelayMsMax });
    for (let i = 0; i < 3; i += 1) {
      const until = performance.now() + eventLoopDelayMsMax * 1.5;
      while (performance.now() < until);
      await turn();
    }
    const shed = await post(at, typename);
    expect(shed.status).toBe(503);
    expect(codesOf(shed)).toEqual(['UNAVAILABLE']);
    expect(shed.headers.get('retry-after')).toBe('2');
    expect(shed.headers.get('cache-control')).toBe('no-store');
    // Another way to write the same address.
    const escaped = { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{' };
    expect((await send(at, '/%67raphql', escaped)).status).toBe(503);
    for (const path of ['/health/live', '/health/ready', '/metrics'])
      expect((await send(at, path)).status).toBe(200);
    await sleep(2_500);
    expect((await post(at, typename)).status).toBe(200);
    await at.stop();
  });
});

describe('REL-3: stopping', () => {
  const keepAlive = () => new Agent({ keepAlive: true, maxSockets: 1 });
  const call = (url: string, path: string, agent: Agent) =>
    new Promise<{ status: number | undefined; connection: string | undefined }>((resolve, reject) => {
      const asked = request(`${url}${path}`, { agent }, (response) => {
        response.resume();
        response.on('end', () =>
          resolve({ status: response.statusCode, connection: response.headers.connection }),
        );
      });
      asked.on('error', reject);
      asked.end();
    });

  test('REL-3: ready turns 503 at once, calls are still served and told to close, then nobody listens', async () => {
    const at = await startTestServer({ database: server.database, drainSeconds: 1 });
    const agent = keepAlive();
    expect((await call(at.url, '/health/live', agent)).connection).toBe('keep-alive');
    const startedAt = performance.now();
    const stopped = at.stop();
    expect(await send(at, '/health/ready')).toMatchObject({
      status: 503,
      text: '{"status":"unavailable","reason":"draining"}',
    });
    await sleep(300);
    expect(await call(at.url, '/health/live', agent)).toEqual({ status: 200, connection: 'close' });
    const served = await post(at, typename);
    expect(served.status).toBe(200);
    expect(served.headers.get('connection')).toBe('close');
    await stopped;
    expect(performance.now() - startedAt).toBeGreaterThan(900);
    expect(performance.now() - startedAt).toBeLessThan(3_000);
    await expect(post(at, typename)).rejects.toThrow();
    agent.destroy();
  });

  test('REL-3: connections that are kept alive do not hold it up', async () => {
    const at = await startTestServer({ database: server.database, drainSeconds: 0 });
    const agents = Array.from({ length: 10 }, keepAlive);
    await Promise.all(agents.map((agent) => call(at.url, '/health/live', agent)));
    const startedAt = performance.now();
    await at.stop();
    expect(performance.now() - startedAt).toBeLessThan(1_000);
    for (const agent of agents) agent.destroy();
  });

  test('REL-3: a call that is being served gets its answer', async () => {
    const database = await openDatabase({
      url: databaseUrl(),
      schema: databaseSchema,
      poolConnectionsMax: 1,
    });
    const at = await startTestServer({ database, drainSeconds: 0 });
    const admin = await at.caller();
    const busy = await database.pool.connect();
    const answer = admin.call('{ tenant(id: "x") { id } }');
    await sleep(200);
    const stopped = at.stop();
    await sleep(300);
    busy.release();
    expect(await answer).toMatchObject({ status: 200, data: { tenant: null }, errors: [] });
    await stopped;
    await database.close();
  });

  test('REL-3: a client that never finishes its request holds it up for less than 10 s', async () => {
    const at = await startTestServer({ database: server.database, drainSeconds: 0 });
    const slow = request(`${at.url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'content-length': '100' },
    });
    const ended = new Promise((resolve) => {
      slow.on('error', resolve);
      slow.on('response', (response) => response.resume().on('end', resolve));
    });
    slow.write('{');
    await sleep(200);
    const startedAt = performance.now();
    await at.stop();
    expect(performance.now() - startedAt).toBeLessThan(10_000);
    await ended;
  });
});
