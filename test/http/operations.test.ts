import { Agent, request } from 'node:http';
import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { databaseSchema } from '../../src/database-schema.ts';
import { openDatabase } from '../../src/db/connection.ts';
import { eventLoopDelayMsMax } from '../../src/shared/limits.ts';
import { databaseUrl, startTestServer, type TestServer } from '../setup/harness.ts';
import { makeWorld } from '../setup/world.ts';
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

  test('count operations by name and status, and how long they took', async () => {
    await post(server, { query: 'query Named { __typename }' });
    await post(server, { query: 'query Named { __typename }' });
    await post(server, { query: 'query Refused { viewer { subject } }' });
    const text = await metrics();
    expect(metric(text, 'cufflink_graphql_requests_total{operation="Named",status="200"}')).toBe(2);
    expect(metric(text, 'cufflink_graphql_requests_total{operation="Refused",status="401"}')).toBe(1);
    expect(metric(text, 'cufflink_graphql_request_duration_seconds_count{operation="Named"}')).toBe(2);
    expect(metric(text, 'cufflink_graphql_request_duration_seconds_sum{operation="Named"}')).toBeGreaterThan(
      0,
    );
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

  test('names that clients make up do not grow them without end', async () => {
    const at = await startTestServer({ database: server.database, eventLoopDelayMsMax });
    for (let i = 0; i < 300; i += 1) await post(at, { query: `query Made${i} { __typename }` });
    await post(at, { query: `query ${'L'.repeat(5_000)} { __typename }` });
    const { text } = await send(at, '/metrics');
    await at.stop();
    const names = new Set([...text.matchAll(/requests_total\{operation="([^"]+)"/g)].map(([, name]) => name));
    expect(names.size).toBeLessThanOrEqual(202);
    expect(names).toContain('(other)');
    expect(text).not.toContain('LLLL');
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
