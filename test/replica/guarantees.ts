import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { serverRole } from '../../src/audit/append-only.ts';
import { databaseSchema } from '../../src/database-schema.ts';
import { type Database, inRole, openDatabase } from '../../src/db/connection.ts';
import { migrate } from '../../src/db/migrate.ts';
import { type ReplicaFault, Replicas } from '../../src/db/replicas.ts';
import { sql } from '../../src/db/sql.ts';
import { replicaLagMsMax } from '../../src/shared/limits.ts';
import { withClient } from '../process/databases.ts';
import { cleanUp, untilTrue } from '../process/servers.ts';
import { startTestServer, type TestCaller, type TestServer, uniqueId } from '../setup/harness.ts';
import { startWire, type Wire } from '../setup/wire.ts';
import type { Pair } from './pair.ts';

const silent = { info() {}, warn() {} };

/** What holds of reads with a replica, however it was made. */
export function replicaGuarantees(makePair: () => Promise<Pair>): void {
  let pair: Pair;
  let wire: Wire;
  let database: Database;
  let replicas: Replicas;
  let server: TestServer;
  let writer: TestCaller;
  let reader: TestCaller;
  beforeAll(async () => {
    pair = await makePair();
    await migrate(pair.primary, databaseSchema);
    const url = new URL(inRole(pair.standby, serverRole));
    wire = await startWire(url.hostname, Number(url.port));
    url.port = String(wire.port);
    database = await openDatabase({
      url: inRole(pair.primary, serverRole),
      schema: databaseSchema,
      unlimited: true,
    });
    replicas = new Replicas({ urls: [url.href], primary: database });
    server = await startTestServer({ database, replicas });
    replicas.start(silent);
    writer = await server.caller({ sub: 'writer' });
    reader = await server.caller({ sub: 'reader' });
    await untilFault(null);
  }, 60_000);
  afterAll(async () => {
    await server?.stop();
    await replicas?.stop();
    await wire?.close();
    await database?.close();
    await pair?.stop();
    await cleanUp();
  });

  const untilFault = (fault: ReplicaFault | null) =>
    untilTrue(async () => replicas.states[0]?.fault === fault, 10_000);
  const answered = () => replicas.states[0]?.answered ?? 0;
  const onStandby = (text: string) => withClient(pair.standby, (client) => client.query(text));
  const onPrimary = (text: string, values: unknown[] = []) =>
    withClient(pair.primary, (client) => client.query(text, values));

  async function call(caller: TestCaller, text: string, variables: object = {}) {
    const { status, data, errors } = await caller.call<Record<string, never>, object>(text, variables);
    expect({ status, errors }).toEqual({ status: 200, errors: [] });
    return data as Record<string, never>;
  }
  async function newTenant(): Promise<{ app: string; tenant: string }> {
    const [app, tenant] = [uniqueId('app'), uniqueId('tenant')];
    await call(
      writer,
      'mutation ($i: CreateApplicationInput!) { createApplication(input: $i) { __typename } }',
      {
        i: { id: app, displayName: 'App' },
      },
    );
    await call(writer, 'mutation ($i: CreateTenantInput!) { createTenant(input: $i) { __typename } }', {
      i: { applicationId: app, id: tenant, displayName: 'Tenant' },
    });
    await onPrimary(`insert into users (tenant_id, id, created_at) values ($1, 'one', now())`, [tenant]);
    return { app, tenant };
  }
  const caughtUp = () =>
    untilTrue(async () => {
      const { rows } = await onPrimary('select pg_current_wal_flush_lsn()::text as at');
      const at = rows[0].at as string;
      return (await onStandby(`select pg_last_wal_replay_lsn() >= '${at}' as is`)).rows[0].is;
    }, 10_000);

  const stale = `query ($app: ID!, $tenant: ID!) {
    auditEvents(applicationId: $app) { nodes { action } }
    webhookDeliveries(applicationId: $app) { totalCount nodes { id } }
    application(id: $app) { mfaStats { users } tenants { totalCount } }
    tenant(id: $tenant) { mfaStats { users } users { totalCount nodes { id mfa { state tenant { displayName } } } } }
    previewTenantMfaPolicy(tenantId: $tenant, policy: { totpEnabled: true, enrollment: REQUIRED }, enabled: true) {
      ... on PolicyChangePreview { usersToEnroll }
    }
  }`;

  test('the reads that may be a moment old are answered by the replica, as by the primary', async () => {
    const place = await newTenant();
    await caughtUp();
    let before = answered();
    let data = await call(reader, stale, place);
    // On a machine that is busy the first connections may take longer than a read waits for one.
    for (let tries = 0; tries < 5 && answered() - before < 9; tries += 1) {
      await untilFault(null);
      before = answered();
      data = await call(reader, stale, place);
    }
    // auditEvents; deliveries and their count; two statistics; the counts of tenants and of users; users; the preview
    expect(answered() - before).toBe(9);
    expect(data).toMatchObject({
      auditEvents: { nodes: [{ action: 'tenant.created' }, { action: 'application.created' }] },
      application: { mfaStats: { users: 1 }, tenants: { totalCount: 1 } },
      tenant: {
        mfaStats: { users: 1 },
        users: { totalCount: 1, nodes: [{ id: 'one', mfa: { tenant: { displayName: 'Tenant' } } }] },
      },
      previewTenantMfaPolicy: { usersToEnroll: 1 },
    });
  });

  test('policies, lists that carry them, single users, and all of the MFA step never are', async () => {
    const { app, tenant } = await newTenant();
    await caughtUp();
    const before = answered();
    await call(
      reader,
      `query ($app: ID!, $tenant: ID!) {
        tenants(ids: [$tenant]) { effectivePolicy { version } }
        application(id: $app) { mfaPolicy { version } tenants { nodes { effectivePolicy { version } } } }
        applications { nodes { id } }
        user(id: "one", tenantId: $tenant) { mfa { state } }
        webhookEndpoints(applicationId: $app) { id }
      }`,
      { app, tenant },
    );
    const signIn = await server.caller({ applicationId: app, scopes: ['mfa-workflow:execute'] });
    await call(signIn, 'mutation ($i: StartMfaInput!) { startMfa(input: $i) { __typename } }', {
      i: { tenantId: tenant, userId: 'one', accountName: 'one', trigger: 'LOGIN' },
    });
    expect(answered()).toBe(before);
  });

  test('a mutation shows its own work, and so do the reads of who made it; others may see it a moment later', async () => {
    const { app, tenant } = await newTenant();
    await caughtUp();
    await replicas.check();
    await onStandby('select pg_wal_replay_pause()');
    try {
      const rename = `mutation ($i: UpdateTenantInput!) { updateTenant(input: $i) {
        ... on TenantPayload { tenant { users { nodes { id } } mfaStats { users } } } } }`;
      await onPrimary(`insert into users (tenant_id, id, created_at) values ($1, 'two', now())`, [tenant]);
      const renamed = await call(writer, rename, { i: { id: tenant, displayName: 'Renamed' } });
      expect(renamed).toMatchObject({
        updateTenant: {
          tenant: { users: { nodes: [{ id: 'one' }, { id: 'two' }] }, mfaStats: { users: 2 } },
        },
      });
      const users = `query ($tenant: ID!, $app: ID!) {
        tenant(id: $tenant) { users { nodes { id mfa { tenant { displayName } } } } }
        auditEvents(applicationId: $app, first: 1) { nodes { action } } }`;
      expect(await call(writer, users, { tenant, app })).toMatchObject({
        tenant: { users: { nodes: [{ id: 'one' }, { id: 'two' }] } },
        auditEvents: { nodes: [{ action: 'tenant.updated' }] },
      });
      // Late by less than the limit: the list is of before, the tenant beside it as it is.
      expect(await call(reader, users, { tenant, app })).toMatchObject({
        tenant: { users: { nodes: [{ id: 'one', mfa: { tenant: { displayName: 'Renamed' } } }] } },
        auditEvents: { nodes: [{ action: 'tenant.created' }] },
      });
    } finally {
      await onStandby('select pg_wal_replay_resume()');
    }
  });

  test('a replica that lacks more than two seconds is left out until it has caught up', async () => {
    const { app } = await newTenant();
    await caughtUp();
    await untilFault(null);
    await onStandby('select pg_wal_replay_pause()');
    await onPrimary(`update applications set display_name = 'Moved on' where id = $1`, [app]);
    await untilFault('late');
    const before = answered();
    const count = await call(
      reader,
      'query ($app: ID!) { auditEvents(applicationId: $app) { nodes { id } } }',
      { app },
    );
    expect(count).toMatchObject({ auditEvents: { nodes: [{}, {}] } });
    expect(answered()).toBe(before);
    await onStandby('select pg_wal_replay_resume()');
    await untilFault(null);
  });

  test('while nobody writes, a replica does not seem late', async () => {
    await caughtUp();
    await untilFault(null);
    for (let waited = 0; waited < replicaLagMsMax + 1_000; waited += 100) {
      expect(replicas.states[0]?.fault).toBeNull();
      await sleep(100);
    }
  });

  test('no read fails while the replica hangs, and it is left out', async () => {
    const place = await newTenant();
    await caughtUp();
    await untilFault(null);
    const { status, body } = await ready();
    expect([status, body]).toEqual([200, { status: 'ok', replicas: { used: 1, configured: 1 } }]);
    wire.freeze();
    await call(reader, stale, place);
    expect(replicas.states[0]?.fault).toBe('unreachable');
    expect(await ready()).toEqual({
      status: 200,
      body: { status: 'ok', replicas: { used: 0, configured: 1 } },
    });
    wire.mend();
    await untilFault(null);
  });
  const ready = async () => {
    const response = await fetch(`${server.url}/health/ready`);
    return { status: response.status, body: await response.json() };
  };

  test('no read fails while the replica is stopped and started again', async () => {
    const place = await newTenant();
    await caughtUp();
    await untilFault(null);
    let stopped = false;
    const reading = (async () => {
      let reads = 0;
      for (; !stopped; reads += 1) await call(reader, stale, place);
      return reads;
    })();
    await pair.stopStandby();
    await untilFault('unreachable');
    await pair.startStandby();
    await untilFault(null);
    const before = answered();
    for (let tries = 0; tries < 5 && answered() === before; tries += 1) await call(reader, stale, place);
    stopped = true;
    expect(await reading).toBeGreaterThan(3);
    expect(answered()).toBeGreaterThan(before);
    const metrics = await (await fetch(`${server.url}/metrics`)).text();
    expect(metrics).toMatch(/^cufflink_replica_used\{replica="1"\} 1$/m);
    expect(metrics).toMatch(/^cufflink_replica_lag_seconds\{replica="1"\} [\d.]+$/m);
    expect(metrics).toMatch(/^cufflink_replica_reads_total\{replica="1",outcome="refused"\} [1-9]\d*$/m);
  });

  test('a read that a replica cuts off is asked of the primary, and the next one of the replica again', async () => {
    const limited = await openDatabase({ url: inRole(pair.primary, serverRole), schema: databaseSchema });
    const given = new Replicas({ urls: [inRole(pair.standby, serverRole)], primary: limited });
    try {
      await given.check();
      expect(await given.rowsOf(sql`select pg_sleep(1.05)`, 'anyone')).toBeNull();
      expect(given.states).toMatchObject([{ fault: null, refused: 1 }]);
      expect(await given.rowsOf(sql`select 1 as one`, 'anyone')).toEqual([{ one: 1 }]);
    } finally {
      await given.stop();
      await limited.close();
    }
  });

  test('one that refuses the password is told with its SQLSTATE, and one that is not there with its code', async () => {
    const wrong = new URL(pair.standby);
    [wrong.username, wrong.password] = ['nobody_at_all', 'wrong'];
    const given = new Replicas({
      urls: [wrong.href, 'postgres://nobody@127.0.0.1:1/none'],
      primary: database,
    });
    const told: object[] = [];
    given.start({ ...silent, warn: (details) => told.push(details) });
    try {
      await untilTrue(async () => told.length === 2, 10_000);
      expect(told).toEqual([
        { replica: 1, fault: 'unreachable', code: expect.stringMatching(/^28/) },
        { replica: 2, fault: 'unreachable', code: 'ECONNREFUSED' },
      ]);
    } finally {
      await given.stop();
    }
  });

  test('one that is no replica, none of this primary, or on another schema is left out by name', async () => {
    const other = new URL(inRole(pair.standby, serverRole));
    other.pathname = '/postgres';
    const given = new Replicas({
      urls: [
        inRole(pair.primary, serverRole),
        other.href.replace(/[?].*/, '?sslmode=disable'),
        inRole(pair.standby, serverRole),
      ],
      primary: database,
    });
    try {
      await onPrimary(`insert into mikro_orm_migrations (name) values ('Migration99999999999999')`);
      await caughtUp();
      await given.check();
      expect(given.states.map(({ fault }) => fault)).toEqual(['not a replica', 'another database', 'schema']);
      expect(await given.rowsOf(sql`select 1`, 'anyone')).toBeNull();
      await onPrimary(`delete from mikro_orm_migrations where name = 'Migration99999999999999'`);
      await caughtUp();
      await given.check();
      expect(given.states[2]).toMatchObject({ fault: null });
    } finally {
      await given.stop();
    }
  });
}
