import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { serverRole } from '../../src/audit/append-only.ts';
import { databaseSchema } from '../../src/database-schema.ts';
import { type Database, inRole, openDatabase } from '../../src/db/connection.ts';
import { openTracing, type Tracing } from '../../src/telemetry/tracing.ts';
import { dropDatabases } from '../process/databases.ts';
import { startProduction } from '../process/production.ts';
import { cleanUp, repository } from '../process/servers.ts';
import { databaseUrl, startTestServer, type TestServer, uniqueId } from '../setup/harness.ts';
import { codeAt } from '../setup/totp.ts';
import { beginTotp, finishEnrollment, signInWorld, startToken, verify } from '../signin/user-agent.ts';
import { startReceiver, stopReceivers } from '../webhook/receiver.ts';
import { rename, startWebhookServer, webhookWorld } from '../webhook/webhook-world.ts';
import { attributeOf, startCollector } from './collector.ts';

const settings = { headers: { 'x-key': 'for the collector' }, serviceName: 'cufflink', ratio: 1 };

let collector: Awaited<ReturnType<typeof startCollector>>;
let database: Database;
let tracing: Tracing;
let server: TestServer;
beforeAll(async () => {
  collector = await startCollector();
  tracing = openTracing({ ...settings, endpoint: collector.url });
  database = await openDatabase({
    url: inRole(databaseUrl(), serverRole),
    schema: databaseSchema,
    unlimited: true,
    watch: tracing.watchStatements,
  });
  server = await startTestServer({ database, tracing });
});
afterAll(async () => {
  await server?.stop();
  await database?.close();
  await collector?.close();
  await stopReceivers();
  await cleanUp();
  await dropDatabases();
});

test('a request, its phases, fields and statements are one trace, which goes on from the caller’s; no secret is in any span', async () => {
  const needles: string[] = [];
  const world = await signInWorld(server);
  const userId = uniqueId('canary-user');
  const mfaToken = await startToken(world, userId);
  const { secret, otpauthUri } = await beginTotp(world.browser, { mfaToken });
  const code = codeAt(secret, server.clock.now());
  const verified = await verify(world.browser, code, mfaToken);
  const finished = await finishEnrollment(world, mfaToken);
  needles.push(userId, mfaToken, secret, otpauthUri, code, world.service.token as string);
  if (verified.__typename === 'FactorVerified') needles.push(verified.recoveryCode as string);
  if ('assertion' in finished) needles.push(finished.assertion as string);
  // Inputs of every kind, and an operation that fails.
  const traceId = '0af7651916cd43dd8448eb211c80319c';
  const parent = 'b7ad6b7169203331';
  for (const query of [
    `query FindIt($search: String) { applications(search: $search) { totalCount nodes { id } } tenants(ids: ["CanaryId77"]) { id } }`,
    `query CanaryBroken { nothing(id: "CanaryLiteral77") }`,
    'query ABCDEFGHJKMNPQRSTVWX { __typename }',
  ]) {
    await fetch(`${server.url}/graphql`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        authorization: `Bearer ${await server.token()}`,
        traceparent: `00-${traceId}-${parent}-01`,
        'x-request-id': 'CanaryRequest77',
      },
      body: JSON.stringify({ query, variables: { search: 'CanaryVariable77' } }),
    });
  }
  // The route counts, not how its address is written.
  for (const path of ['/%67raphql', '/graphqlx']) {
    await fetch(`${server.url}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ query: 'query Escaped { __typename }' }),
    });
  }
  needles.push(
    'CanaryVariable77',
    'CanaryLiteral77',
    'CanaryId77',
    'CanaryRequest77',
    'ABCDEFGHJKMNPQRSTVWX',
  );
  await server.stop();
  await tracing.stop();

  const text = collector.text();
  for (const needle of needles) {
    expect(needle.length).toBeGreaterThan(5);
    expect(text).not.toContain(needle);
  }
  const spans = collector.spans();
  const [request] = spans.filter(({ name }) => name === 'query FindIt');
  expect(request).toMatchObject({ traceId, parentSpanId: parent });
  if (!request) throw new Error('No span of the request.');
  expect(attributeOf(request, 'graphql.operation.name')).toBe('FindIt');
  expect(attributeOf(request, 'http.response.status_code')).toBe(200);
  const below = spans.filter(({ parentSpanId }) => parentSpanId === request.spanId);
  // A count that is asked last, when its field has answered already, stands below the request itself.
  const phases = below.map(({ name }) => name).filter((name) => name !== 'select');
  expect(phases.toSorted()).toEqual([
    'Query.applications',
    'Query.tenants',
    'graphql.execute',
    'graphql.parse',
    'graphql.validate',
  ]);
  const fields = below.filter(({ name }) => name.startsWith('Query.')).map(({ spanId }) => spanId);
  const statements = spans.filter(({ parentSpanId = '' }) => fields.includes(parentSpanId));
  expect(statements.length).toBeGreaterThan(1);
  for (const statement of statements) expect(attributeOf(statement, 'db.query.text')).toMatch(/^\s*select/);
  expect(spans.filter(({ name }) => name === 'Mutation.startMfa')).toHaveLength(1);
  expect(spans.filter(({ name }) => name === 'query Escaped')).toHaveLength(1);
  const statuses = spans.map((span) => attributeOf(span, 'http.response.status_code'));
  expect(statuses).not.toContain(404);
  expect(server.logs()).toContain(`"trace_id":"${traceId}"`);
  expect(collector.requests[0]).toMatchObject({
    url: '/v1/traces',
    headers: { 'x-key': 'for the collector' },
  });
});

test('an attempt of a webhook is a trace, which its receiver can go on from; the path of its address is in no span', async () => {
  const own = openTracing({ ...settings, endpoint: collector.url });
  const [webhooks, receiver] = [await startWebhookServer(), await startReceiver()];
  try {
    const { tenantIds, secret } = await webhookWorld(webhooks, receiver);
    await rename(webhooks, tenantIds[0] ?? '', 'CanaryName77');
    await webhooks.deliver({ tracePost: own.tracePost });
    await own.stop();
    const [span] = collector.spans().filter(({ name }) => name === 'POST webhook');
    if (!span) throw new Error('No span of the attempt.');
    expect(attributeOf(span, 'cufflink.webhook.outcome')).toBe('delivered');
    expect(receiver.received[0]?.headers['traceparent']).toBe(`00-${span.traceId}-${span.spanId}-01`);
    for (const needle of [secret, 'CanaryName77', new URL(receiver.url).host]) {
      expect(collector.text()).not.toContain(needle);
    }
  } finally {
    await webhooks.stop();
  }
});

test('the built server sends traces where an endpoint is set, and serves on when the collector is away', async () => {
  const more = await startCollector();
  const traced = await startProduction({
    OTEL_EXPORTER_OTLP_ENDPOINT: `${more.url}/`,
    OTEL_SERVICE_NAME: 'mfa',
  });
  const ask = async () => {
    const response = await fetch(`${traced.url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${await traced.token()}` },
      body: JSON.stringify({ query: 'query Built { applications { nodes { id } } }' }),
    });
    return response.status;
  };
  expect(await ask()).toBe(200);
  await traced.stop();
  expect(more.spans().map(({ name }) => name)).toEqual(
    expect.arrayContaining(['query Built', 'Query.applications']),
  );
  expect(more.text()).toContain('"stringValue":"mfa"');
  await more.close();
  const alone = await startProduction({ OTEL_EXPORTER_OTLP_ENDPOINT: more.url });
  expect((await fetch(`${alone.url}/health/ready`)).status).toBe(200);
  const began = performance.now();
  await alone.stop();
  expect(performance.now() - began).toBeLessThan(9_000);
});

test('without an endpoint nothing of the SDK is loaded: what main.js imports does not lead to it', async () => {
  const folder = join(repository, 'dist/server');
  const loaded = new Set<string>();
  const load = async (file: string): Promise<void> => {
    if (loaded.has(file)) return;
    loaded.add(file);
    const text = await readFile(join(folder, file), 'utf8');
    for (const [, name] of text.matchAll(/^(?:import|export)\b[^;'"]*?["']\.\/([\w.-]+\.js)["']/gm)) {
      await load(name as string);
    }
  };
  await load('main.js');
  const holding = async (file: string) =>
    /OTLPTraceExporter/.test(await readFile(join(folder, file), 'utf8'));
  const files = (await readdir(folder)).filter((name) => name.endsWith('.js'));
  const holders = [];
  for (const file of files) if (await holding(file)) holders.push(file);
  expect(holders.length).toBeGreaterThan(0);
  // main.js names the class nowhere, and statically leads to no file that does.
  expect(holders.filter((file) => loaded.has(file))).toEqual([]);
});
