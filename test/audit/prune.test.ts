import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { serverRole } from '../../src/audit/append-only.ts';
import { pruneRecord } from '../../src/audit/prune.ts';
import { sealAll } from '../../src/audit/sealer.ts';
import { verifyRecord } from '../../src/audit/verify.ts';
import { inRole } from '../../src/db/connection.ts';
import { dropDatabases } from '../process/databases.ts';
import { startTestServer, TestClock, type TestServer, uniqueId } from '../setup/harness.ts';
import { signInWorld, startToken } from '../signin/user-agent.ts';
import { type OwnDatabase, ownDatabase } from './own-database.ts';

/* The two commands on the record, as processes of their own. */

const run = promisify(execFile);

/** Runs a command on the test's database. */
async function command(name: string, args: readonly string[] = [], url = own.url) {
  const file = new URL(`../../dist/src/commands/${name}.js`, import.meta.url).pathname;
  try {
    const { stdout } = await run(process.execPath, [file, ...args], { env: { DATABASE_URL: url } });
    return { code: 0, output: stdout.trim() };
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
    return { code, output: `${stdout}${stderr}`.trim() };
  }
}

let own: OwnDatabase;
let server: TestServer;
beforeAll(async () => {
  own = await ownDatabase();
  const clock = new TestClock();
  server = await startTestServer({ database: own.server, clock });
  const now = new Date();
  // Three months: one before any partition, the present one, and the next.
  for (const month of [-1, 0, 1]) {
    clock.fix(new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() + month, 10)));
    const world = await signInWorld(server);
    for (let n = 0; n < 3; n += 1) {
      await startToken(world, uniqueId('user'));
      await sealAll(own.server, clock);
    }
  }
});
afterAll(async () => {
  await server.stop();
  await own.close();
  await dropDatabases();
});

const monthFromNow = (months: number): string => {
  const now = new Date();
  return new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() + months, 1)).toISOString().slice(0, 7);
};
const countEvents = async (): Promise<number> =>
  (await own.owner.pool.query('select count(*)::int as count from audit_events')).rows[0].count;

describe('npm run audit:verify', () => {
  test('says that all is as it was recorded, and exits with 0', async () => {
    const { code, output } = await command('audit-verify');
    expect(output).toMatch(
      /^\d+ events, \d+ seals in 6 chains, 0 events not sealed yet: all is as it was recorded\.$/,
    );
    expect(code).toBe(0);
  });

  test('names what does not fit, and exits with 2', async () => {
    const { rows } = await own.owner.pool.query(
      "update audit_events set actor = 'x' where (tenant_id, at, id) in (select tenant_id, at, id from audit_events limit 1) returning id, tenant_id, application_id",
    );
    const { code, output } = await command('audit-verify');
    expect(output).toContain(`changed event ${rows[0].id} (application ${rows[0].application_id}`);
    expect(output).toMatch(/: 1 findings\.$/);
    expect(code).toBe(2);
    await own.owner.pool.query("update audit_events set actor = 'tester' where id = $1", [rows[0].id]);
  });
});

describe('npm run audit:prune', () => {
  test.each([
    [['--before', '2026-13'], /must be a month/],
    [['--before', '2026-01-02'], /must be a month/],
    [['--before', 'x'], /must be a month/],
    [[], /must be a month/],
    [['--before', monthFromNow(1)], /not be in the future/],
    [['--after', '2026-01'], /Unknown option/],
  ])('refuses %j', async (args, message) => {
    const before = await countEvents();
    const { code, output } = await command('audit-prune', args);
    expect(output).toMatch(message);
    expect([code, await countEvents()]).toEqual([1, before]);
  });

  test('tells what would go, and deletes nothing', async () => {
    const before = await countEvents();
    const { output } = await command('audit-prune', ['--before', monthFromNow(0), '--plan']);
    expect(output).toMatch(/^Would delete before .*: no month, [1-9]\d* other events, [1-9]\d* seals\.$/);
    expect(await countEvents()).toBe(before);
  });

  test('deletes what is older, and the rest is as it was recorded', async () => {
    const { code, output } = await command('audit-prune', ['--before', monthFromNow(0)]);
    expect([code, output]).toEqual([0, expect.stringMatching(/^Deleted before /)]);
    const { rows } = await own.owner.pool.query('select min(at) as oldest from audit_events');
    expect(new Date(rows[0].oldest).toISOString().slice(0, 7)).toBe(monthFromNow(0));
    expect(await verifyRecord(own.owner.fork())).toMatchObject({ findings: [] });
    expect((await command('audit-verify')).output).toMatch(
      /, pruned before .*: all is as it was recorded\.$/,
    );
  });

  test('drops whole months, and what is deleted otherwise is missed all the same', async () => {
    const next = new Date(Date.UTC(new Date().getUTCFullYear(), new Date().getUTCMonth() + 1, 1));
    const { partitions } = await pruneRecord(own.owner.fork(), next, new Date(), false);
    expect(partitions).toEqual([`audit_events_${monthFromNow(0).replace('-', '_')}`]);
    expect(await verifyRecord(own.owner.fork())).toMatchObject({ findings: [] });
    await own.owner.pool.query(
      'delete from audit_events where (tenant_id, at, id) in (select tenant_id, at, id from audit_events limit 1)',
    );
    expect((await verifyRecord(own.owner.fork())).findings).toMatchObject([{ what: 'missing event' }]);
  });

  test("needs the tables' owner", async () => {
    const { code, output } = await command(
      'audit-prune',
      ['--before', '2020-01'],
      inRole(own.url, serverRole),
    );
    expect([code, output]).toEqual([1, expect.stringContaining('owner')]);
  });
});
