import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import pg from 'pg';
import { lockTimeoutMs } from '../../src/shared/limits.ts';
import { type FaultyServer, type Fleet, makeFleet } from '../faults/fleet.ts';
import { type FaultyPostgres, startFaultyPostgres } from '../faults/postgres.ts';
import { CreateApplicationDocument } from '../generated/documents.ts';
import { callGraphQl, uniqueId } from '../setup/harness.ts';
import { type PgBouncer, startPgBouncer } from '../setup/pgbouncer.mjs';

/* The built server in production mode, as docs/scaling.md says it, behind Debian's PgBouncer in transaction mode. */

let postgres: FaultyPostgres;
let pooler: PgBouncer;
let owner: pg.Client;
let fleet: Fleet;
let settings: Record<string, string>;

beforeAll(async () => {
  postgres = await startFaultyPostgres();
  // Empty: the server makes its tables past the pooler.
  await postgres.rows('create database pooled');
  const direct = new URL(postgres.directUrl());
  direct.pathname = '/pooled';
  owner = new pg.Client({ connectionString: direct.href });
  await owner.connect();
  pooler = await startPgBouncer(direct);
  fleet = await makeFleet(postgres.directUrl());
  settings = { DATABASE_URL: pooler.url, DATABASE_DIRECT_URL: direct.href, MIGRATE: 'on' };
}, 120_000);
afterAll(async () => {
  await fleet?.close();
  await pooler?.stop();
  await owner?.end();
  await postgres?.close();
}, 60_000);

async function create(server: FaultyServer) {
  const admin = await fleet.token({ sub: 'admin', scope: 'application:write' });
  const input = { id: uniqueId('app'), displayName: 'Pooled' };
  return callGraphQl(server.url, admin, CreateApplicationDocument, { input });
}

/** @returns the statements that PostgreSQL is still busy with for the pooler, after a call that met a lock was answered */
async function leftBy(server: FaultyServer): Promise<string[]> {
  await owner.query('begin; lock table applications in access exclusive mode');
  try {
    const began = performance.now();
    const { data, errors } = await create(server);
    expect({ data, code: errors[0]?.extensions?.['code'] }).toEqual({ data: null, code: 'UNAVAILABLE' });
    expect(performance.now() - began).toBeLessThan(3_000);
    await sleep(lockTimeoutMs);
    const { rows } = await owner.query<{ query: string }>(
      "select query from pg_stat_activity where usename = $1 and state = 'active'",
      [pooler.role],
    );
    return rows.map(({ query }) => query);
  } finally {
    await owner.query('rollback');
  }
}

const limitsMissing = ({ lines }: FaultyServer): string[] =>
  lines.filter((line) => line.startsWith('{')).flatMap((line) => JSON.parse(line).statements ?? []);

test('it migrates past the pooler, serves through it, and says what the role lacks; with that, nothing is left waiting', async () => {
  const unlimited = await fleet.start(settings);
  expect(await create(unlimited)).toMatchObject({
    data: { createApplication: { __typename: 'ApplicationPayload' } },
  });
  const statements = limitsMissing(unlimited);
  expect(statements).toHaveLength(3);
  expect(await leftBy(unlimited)).not.toEqual([]);

  for (const statement of statements) await owner.query(statement);
  // As RECONNECT does it: the pooler's connections learn of it when they are made anew.
  await owner.query('select pg_terminate_backend(pid) from pg_stat_activity where usename = $1', [
    pooler.role,
  ]);
  const limited = await fleet.start(settings);
  expect(limitsMissing(limited)).toEqual([]);
  expect(await leftBy(limited)).toEqual([]);
  expect(await create(limited)).toMatchObject({
    data: { createApplication: { __typename: 'ApplicationPayload' } },
  });
}, 120_000);
