import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { exportJWK, generateKeyPair } from 'jose';
import { databaseSchema } from '../../src/database-schema.ts';
import { type Database, openDatabase } from '../../src/db/connection.ts';
import { createService } from '../../src/service.ts';
import { dropDatabases, newMigratedDatabase } from '../process/databases.ts';
import { publicUrl, startTestServer, TestClock } from '../setup/harness.ts';
import { signInWorld } from '../signin/user-agent.ts';
import * as flows from './flows.ts';
import { misplace, sendBytes } from './misplaced.ts';
import { found, foundCodes, type Needle, needlesOf } from './needles.ts';
import { Traffic } from './traffic.ts';

/*
 * The canary test: everything is done that can be done with a secret, on servers that log all they
 * can, and then every secret that occurred is looked for wherever it must not be.
 */

const traffic = new Traffic();
let database: Database;
let stage: flows.Stage;
let needles: Needle[];
let logs: string[];
let metrics: string;
let rows: { table: string; text: string }[];

beforeAll(async () => {
  const url = await newMigratedDatabase();
  database = await openDatabase({ url, schema: databaseSchema, unlimited: true });
  const stop = traffic.record();
  stage = await servers();
  for (const flow of [flows.enrolling, flows.challenged, flows.recovered, flows.selfService, flows.failing]) {
    await flow(stage);
  }
  const held = await flows.held(stage);
  await misplace(stage.server, held);
  for (const line of [
    `GET /${held.mfaToken}`,
    `POST / HTTP/1.1\r\nx: ${held.mfaToken}\u0000`,
    held.user.secret,
  ]) {
    traffic.answers.push({ status: 400, text: await sendBytes(stage.server, `${line}\r\n\r\n`) });
  }
  stop();
  metrics = await (await fetch(`${stage.server.url}/metrics`)).text();
  rows = await allRows();
  for (const row of rows) {
    const { secret } = JSON.parse(row.text) as { secret?: string };
    if (secret) traffic.know('sealed secret', Buffer.from(secret.slice(2), 'hex'));
  }
  const all = traffic.secrets.flatMap(needlesOf);
  needles = [...new Map(all.map((needle) => [needle.text, needle])).values()];
  logs = [stage.server, stage.keyless].flatMap((server) => server.logs().trim().split('\n'));
}, 120_000);
afterAll(async () => {
  await stage.keyless.stop();
  await stage.server.stop();
  await database.close();
  await dropDatabases();
});

/** Both with all they do written down. */
async function servers(): Promise<flows.Stage> {
  const clock = new TestClock();
  clock.fix(new Date());
  const start = async (id: string) => {
    const key = randomBytes(32);
    const assertionKey = await exportJWK((await generateKeyPair('ES256', { extractable: true })).privateKey);
    traffic.know('key', key);
    traffic.know('text', assertionKey.d ?? '');
    const service = await createService({
      clock,
      encryptionKeys: [{ id, key }],
      assertionKey,
      publicUrl,
      redirectOrigins: ['https://app.test'],
    });
    return startTestServer({ clock, database, service, logLevel: 'trace' });
  };
  const server = await start('first');
  return { server, keyless: await start('second'), world: await signInWorld(server) };
}

/** Every row of every table, as JSON. */
async function allRows(): Promise<{ table: string; text: string }[]> {
  const { rows: tables } = await database.pool.query<{ name: string }>(
    "select quote_ident(table_name) as name from information_schema.tables where table_schema = 'public'",
  );
  const found = tables.map(async ({ name }) => {
    const { rows: texts } = await database.pool.query<{ text: string }>(
      `select to_jsonb(t)::text as text from ${name} t`,
    );
    return texts.map(({ text }) => ({ table: name, text }));
  });
  return (await Promise.all(found)).flat();
}

/** A log line without the numbers that every line has. */
function saidBy(line: string): string {
  const {
    time: _time,
    pid: _pid,
    responseTime: _responseTime,
    ...said
  } = JSON.parse(line) as object & Record<string, unknown>;
  return JSON.stringify(said);
}

const leaksOf = (text: string) => [...found(needles, text), ...foundCodes(traffic.codes, text)];

test('LOG-1: the canary met every kind of secret, answer and table', () => {
  const kinds = Map.groupBy(traffic.secrets, ({ kind }) => kind);
  for (const kind of ['TOTP secret', 'recovery code', 'MFA token', 'JWT', 'key', 'sealed secret'] as const) {
    expect(kinds.get(kind)?.length).toBeGreaterThan(1);
  }
  expect(traffic.codes.size).toBeGreaterThan(20);
  const statuses = new Set(traffic.answers.map(({ status }) => status));
  expect([...statuses]).toEqual(expect.arrayContaining([200, 400, 401, 404, 405, 413, 415, 500, 503]));
  const tables = new Set(rows.map(({ table }) => table));
  expect([...tables]).toEqual(
    expect.arrayContaining([
      'users',
      'mfa_steps',
      'auth_factors',
      'pending_auth_factors',
      'audit_events',
      'idempotency_keys',
    ]),
  );
  expect(logs.length).toBeGreaterThan(500);
});

test('LOG-1: no secret and no code is in a log line, at any level', () => {
  const leaks = logs.map((line) => ({ line, leaks: leaksOf(saidBy(line)) }));
  expect(leaks.filter((found) => found.leaks.length > 0)).toEqual([]);
});

test('LOG-1: no secret and no code is in an answer, but where it is meant to be', () => {
  const leaks = traffic.answers.map((answer) => ({ ...answer, leaks: leaksOf(answer.text) }));
  expect(leaks.filter((found) => found.leaks.length > 0)).toEqual([]);
});

test('LOG-1: no secret and no code is in the metrics', () => {
  const labels = metrics.match(/"[^"]*"/g)?.join('\n') ?? '';
  expect([...found(needles, metrics), ...foundCodes(traffic.codes, labels)]).toEqual([]);
});

test('LOG-1: no secret and no code is in a row of the database; sealed ones only where they are kept', () => {
  const kept = new Set(['auth_factors', 'pending_auth_factors']);
  const leaks = rows.map(({ table, text }) => ({
    text,
    leaks: leaksOf(text).filter((leak) => !(kept.has(table) && leak.startsWith('sealed secret'))),
  }));
  expect(leaks.filter((found) => found.leaks.length > 0)).toEqual([]);
});
