import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { policyFeedBeatMs, policySnapshotAgeMsMax } from '../../src/shared/limits.ts';
import { policyFeedBeat } from '../../src/tenancy/policy-feed.ts';
import {
  DeleteOneTenantDocument,
  SetOverridesDocument,
  SnapshotPoliciesDocument,
  SnapshotPolicyDocument,
  UpdateApplicationDocument,
  UpdateApplicationMfaPolicyDocument,
} from '../generated/documents.ts';
import { type WiredDatabase, wiredDatabase } from '../http/proxy.ts';
import { startTestServer, type TestCaller, type TestServer } from '../setup/harness.ts';
import { makeWorld, override } from '../setup/world.ts';
import { statementsOf } from '../tenancy/statements.ts';

/* Two servers that remember policies, on one database; the second one's wire can be cut. */

let first: TestServer;
let second: TestServer;
let wire: WiredDatabase;
let admin: TestCaller;
let reader: TestCaller;
beforeAll(async () => {
  wire = await wiredDatabase();
  [first, second] = await Promise.all([startTestServer(), startTestServer({ database: wire.database })]);
  admin = await first.caller();
  reader = await second.caller();
});
afterAll(async () => {
  await Promise.all([first.stop(), second.stop()]);
  await wire.close();
});

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

async function graceAt(caller: TestCaller, tenantId = ''): Promise<number | undefined> {
  const { data } = await caller.call(SnapshotPolicyDocument, { tenantId });
  return data?.effectivePolicy?.gracePeriodDays;
}

async function setGrace(applicationId: string, gracePeriodDays: number): Promise<void> {
  const { data } = await admin.call(UpdateApplicationMfaPolicyDocument, {
    input: { applicationId, policy: { gracePeriodDays } },
  });
  expect(data.updateApplicationMfaPolicy.__typename).toBe('ApplicationPayload');
}

/** Reads until a tenant is remembered: a read then takes no statement. */
async function remembered(caller: TestCaller, tenantId = ''): Promise<void> {
  for (let tries = 0; tries < 100; tries += 1) {
    if ((await statementsOf(() => graceAt(caller, tenantId))).length === 0) return;
    await sleep(20);
  }
  throw new Error('It is never remembered.');
}

/** @returns milliseconds until an answer is as expected */
async function until(isSo: () => Promise<boolean>): Promise<number> {
  const began = performance.now();
  while (!(await isSo())) {
    if (performance.now() - began > 10_000) throw new Error('It never came.');
  }
  return performance.now() - began;
}

/** From where feeds are followed through the wire. Servers of other tests follow theirs beside it. */
async function feedPorts(): Promise<number[]> {
  const { rows } = await wire.database.pool.query<{ port: number }>(
    `select client_port as port from pg_stat_activity
     where datname = current_database() and query = $1 and client_port = any($2::int[])`,
    [policyFeedBeat, wire.ports()],
  );
  return rows.map(({ port }) => port);
}

/** The port from which the second server follows the feed. */
async function feedPort(): Promise<number> {
  const [port] = await feedPorts();
  if (port === undefined) throw new Error('The second server follows no feed.');
  return port;
}

describe('a read of effective policies', () => {
  test('takes no statement once they are remembered, for one tenant and for many', async () => {
    const { tenantIds } = await makeWorld(first, { tenants: 3, policy: { totpEnabled: true } });
    for (const tenantId of tenantIds) await remembered(admin, tenantId);
    expect(await statementsOf(() => admin.call(SnapshotPoliciesDocument, { ids: tenantIds }))).toEqual([]);
  });

  test('shows to its own callers what they have just changed, every time', async () => {
    const { applicationId, tenantIds } = await makeWorld(first, { policy: { totpEnabled: true } });
    let reading = true;
    // Others read meanwhile, and keep what they read.
    const others = (async () => {
      while (reading) await Promise.all([1, 2, 3].map(() => graceAt(admin, tenantIds[0])));
    })();
    for (let days = 1; days <= 100; days += 1) {
      await setGrace(applicationId, days);
      expect(await graceAt(admin, tenantIds[0])).toBe(days);
    }
    reading = false;
    await others;
  });

  test('of a tenant outside the boundary costs what one of an absent tenant costs', async () => {
    const { tenantIds } = await makeWorld(first);
    const foreign = await makeWorld(first);
    await remembered(admin, tenantIds[0]);
    const stranger = await first.caller({ applicationId: foreign.applicationId });
    const absent = await statementsOf(() => graceAt(stranger, 'nobody'));
    expect(absent).toHaveLength(1);
    expect(await statementsOf(() => graceAt(stranger, tenantIds[0]))).toEqual(absent);
    expect(await graceAt(stranger, tenantIds[0])).toBeUndefined();
  });
});

describe('a change by one server', () => {
  test('is seen on the other within 100 ms at p99', async () => {
    const { applicationId, tenantIds } = await makeWorld(first, { policy: { totpEnabled: true } });
    await remembered(reader, tenantIds[0]);
    const waits: number[] = [];
    for (let days = 1; days <= 200; days += 1) {
      await setGrace(applicationId, days);
      waits.push(await until(async () => (await graceAt(reader, tenantIds[0])) === days));
    }
    const sorted = waits.toSorted((a, b) => a - b);
    expect(sorted[Math.ceil(0.99 * sorted.length) - 1]).toBeLessThan(100);
  });

  test('is seen whatever it was: an override, a name, a bulk of tenants, a deletion', async () => {
    const { applicationId, tenantIds } = await makeWorld(first, {
      tenants: 130,
      policy: { totpEnabled: true },
    });
    const [tenantId = '', other = ''] = tenantIds;
    const ask = async (id: string) =>
      (await reader.call(SnapshotPolicyDocument, { tenantId: id })).data.effectivePolicy;
    await remembered(reader, tenantId);
    await override(first, tenantId, { totpEnabled: true, gracePeriodDays: 9 });
    await until(async () => (await ask(tenantId))?.gracePeriodDays === 9);
    await admin.call(UpdateApplicationDocument, {
      input: { id: applicationId, displayName: 'Another name' },
    });
    await until(async () => (await ask(tenantId))?.issuer === 'Another name');
    await remembered(reader, other);
    await admin.call(SetOverridesDocument, { input: { tenantIds, enabled: true } });
    await until(async () => (await ask(other))?.source === 'TENANT');
    await admin.call(DeleteOneTenantDocument, { input: { id: tenantId } });
    await until(async () => (await ask(tenantId)) === null);
  });
});

describe('a server that is cut off from the feed', () => {
  test('knows it where the connection breaks, and reads the database', async () => {
    const { applicationId, tenantIds } = await makeWorld(first, { policy: { totpEnabled: true } });
    await remembered(reader, tenantIds[0]);
    wire.cutOne(await feedPort());
    await until(async () => (await statementsOf(() => graceAt(reader, tenantIds[0]))).length > 0);
    await setGrace(applicationId, 5);
    expect(await graceAt(reader, tenantIds[0])).toBe(5);
    await remembered(reader, tenantIds[0]);
  });

  test('serves nothing older than the bound where the connection is silent', async () => {
    const { applicationId, tenantIds } = await makeWorld(first, { policy: { totpEnabled: true } });
    for (let round = 1; round <= 3; round += 1) {
      await remembered(reader, tenantIds[0]);
      wire.freezeOne(await feedPort());
      await setGrace(applicationId, round);
      const changed = performance.now();
      let stale = 0;
      await until(async () => {
        const asked = performance.now();
        const isNew = (await graceAt(reader, tenantIds[0])) === round;
        if (!isNew) stale = Math.max(stale, asked - changed);
        return isNew;
      });
      expect(stale).toBeLessThanOrEqual(policySnapshotAgeMsMax);
    }
  });
});

test('a server that gets no port follows no feed', async () => {
  const before = await feedPorts();
  const port = Number(new URL(first.url).port);
  await expect(startTestServer({ port, database: wire.database })).rejects.toThrow('EADDRINUSE');
  await sleep(2 * policyFeedBeatMs);
  const after = await feedPorts();
  // None that was not there; one that another test cut off may be gone by now.
  expect(before).toEqual(expect.arrayContaining(after));
  expect(after.length).toBeGreaterThan(0);
});

test('the metrics tell whether policies are remembered, and of how many tenants', async () => {
  const { tenantIds } = await makeWorld(first);
  await remembered(admin, tenantIds[0]);
  const metricsOf = async ({ url }: TestServer) => (await fetch(`${url}/metrics`)).text();
  expect(await metricsOf(first)).toMatch(/^cufflink_policy_snapshot_certain 1$/m);
  expect(await metricsOf(first)).toMatch(/^cufflink_policy_snapshot_tenants [1-9]\d*$/m);
  const without = await startTestServer({ policySnapshot: false });
  expect(await metricsOf(without)).toMatch(/^cufflink_policy_snapshot_certain 0$/m);
  await without.stop();
});

test('the MFA step and previews read the database, whatever is remembered', async () => {
  const { applicationId, tenantIds } = await makeWorld(first, { policy: { totpEnabled: true } });
  const [tenantId = ''] = tenantIds;
  await remembered(admin, tenantId);
  // Past the service: nobody is told.
  await first.database.pool.query(`update applications set enrollment = 'REQUIRED' where id = $1`, [
    applicationId,
  ]);
  const { data } = await admin.call(SnapshotPolicyDocument, { tenantId });
  expect(data.effectivePolicy?.enrollment).toBe('OPTIONAL');
  const workflow = await first.caller({ applicationId });
  const started = await workflow.call(
    'mutation ($input: StartMfaInput!) { startMfa(input: $input) { ... on MfaDecision { status } } }',
    { input: { tenantId, userId: 'ada', accountName: 'ada', trigger: 'LOGIN' } },
  );
  expect(started.data).toEqual({ startMfa: { status: 'MFA_ENROLLMENT_REQUIRED' } });
  const preview = await admin.call(
    `query ($tenantId: ID!) { previewTenantMfaPolicy(tenantId: $tenantId, policy: {}, enabled: false) {
      ... on PolicyChangePreview { before { enrollment } } } }`,
    { tenantId },
  );
  expect(preview.data).toEqual({ previewTenantMfaPolicy: { before: { enrollment: 'REQUIRED' } } });
});
