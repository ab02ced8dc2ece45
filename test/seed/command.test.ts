import { afterEach, describe, expect, test } from '@jest/globals';
import { dropDatabases, newDatabase, withClient } from '../process/databases.ts';
import { cleanUp, newFolder, processesIn, startProcess, untilTrue } from '../process/servers.ts';
import { callGraphQl, databaseUrl, uniqueId } from '../setup/harness.ts';
import { runSeed, startSeed, withSettings } from './run-seed.ts';

afterEach(async () => {
  await cleanUp();
  await dropDatabases();
});

const small = (prefix: string) => ['--tenants', '3', '--users', '9', '--prefix', prefix];

/** How many applications, tenants and users begin with a prefix. */
const countOf = (prefix: string): Promise<number> =>
  withClient(databaseUrl(), async (client) => {
    const { rows } = await client.query<{ count: number }>(
      `select ((select count(*) from applications where id like $1) + (select count(*) from tenants where id like $1)
         + (select count(*) from users where tenant_id like $1))::int as count`,
      [`${prefix}-%`],
    );
    return rows[0]?.count ?? -1;
  });

const refusal = (...problems: string[]) =>
  `Nothing was seeded:\n${problems.map((problem) => `  - ${problem}\n`).join('')}npm run -s seed -- --help tells more.\n`;

test('what can not be is refused, with every reason at once', async () => {
  const { code, stdout, stderr } = await runSeed(['--tenants', '0', '--users', 'x', '--fast']);
  expect(stderr).toBe(
    refusal(
      '--tenants must be a whole number from 1 to 1000000.',
      '--users must be a whole number from 0 to 10000000.',
      '--fast is no option.',
    ),
  );
  expect(stdout).toBe('');
  expect(code).toBe(1);
});

test('names that are taken are refused, and what has them is left alone', async () => {
  const prefix = uniqueId('seed');
  expect(await runSeed(small(prefix))).toMatchObject({ code: 0 });
  const { code, stderr } = await runSeed(['--tenants', '4', '--users', '9', '--prefix', prefix]);
  expect(code).toBe(1);
  expect(stderr).toContain(
    refusal(`There are applications or tenants that begin with ${prefix}-; give another --prefix.`),
  );
  expect(await countOf(prefix)).toBe(3 + 3 + 9);
});

test('a prefix may hold every character that ids may', async () => {
  const prefix = `${uniqueId('s').slice(0, 10)}.A_z:@|-9`;
  expect(await runSeed(small(prefix))).toMatchObject({ code: 0 });
  expect(await countOf(prefix)).toBe(3 + 3 + 9);
});

test('tenants without users can be had', async () => {
  const prefix = uniqueId('seed');
  expect(await runSeed(['--tenants', '3', '--users', '0', '--prefix', prefix])).toMatchObject({ code: 0 });
  expect(await countOf(prefix)).toBe(3 + 3);
});

test.each(['SIGTERM', 'SIGKILL'] as const)('%s while it works leaves nothing behind', async (signal) => {
  const prefix = uniqueId('seed');
  // So many that it is far from its end when the signal comes, however late that is.
  const seeding = startSeed(['--tenants', '100', '--users', '200000', '--prefix', prefix]);
  await untilTrue(async () => seeding.stderr().includes('20 % of'), 60_000);
  seeding.kill(signal);
  const end = await seeding.ended();
  if (signal === 'SIGKILL') expect(end).toBe(signal);
  else {
    expect(end).toBe(1);
    expect(seeding.stderr()).toMatch(/\nStopped\. Nothing was seeded\.\n$/);
  }
  expect(await countOf(prefix)).toBe(0);
  // Not only unseen: what was under way is over, so that the names are free.
  expect(await runSeed(small(prefix))).toMatchObject({ code: 0 });
});

describe('in production', () => {
  const production = withSettings({ NODE_ENV: 'production' });

  test('it needs --yes', async () => {
    const prefix = uniqueId('seed');
    const { code, stderr } = await runSeed(small(prefix), production);
    expect(stderr).toBe(
      refusal('NODE_ENV is production, where nobody wants made-up users by mistake; give --yes.'),
    );
    expect(code).toBe(1);
    expect(await countOf(prefix)).toBe(0);
    expect(await runSeed([...small(prefix), '--yes'], production)).toMatchObject({ code: 0 });
    expect(await countOf(prefix)).toBe(3 + 3 + 9);
  });

  test('it needs the settings of the database and of its keys, and no others', async () => {
    const { code, stderr } = await runSeed(['--yes'], {
      env: { NODE_ENV: 'production', CLOCK_OFFSET_SECONDS: '60' },
    });
    expect(stderr.trimEnd().split('\n').slice(1)).toEqual([
      '  - DATABASE_URL is required in production.',
      '  - ENCRYPTION_KEYS is required in production.',
      '  - CLOCK_OFFSET_SECONDS is for tests; production refuses it.',
    ]);
    expect(code).toBe(1);
  });
});

test('a database without the tables is refused in one sentence', async () => {
  const { code, stderr } = await runSeed(
    ['--tenants', '1'],
    withSettings({ DATABASE_URL: await newDatabase() }),
  );
  expect(stderr).toMatch(/^The database lacks Migration.* Run "npm run migrate"[^\n]*\n$/);
  expect(code).toBe(1);
});

test('the embedded database is seeded while no server runs on it, and while one does', async () => {
  const folder = await newFolder();
  expect(await runSeed(small('before'), { folder, env: {} })).toMatchObject({ code: 0 });
  expect(await processesIn(folder)).toEqual([]);

  const server = startProcess({ folder });
  const url = await server.ready();
  expect(await runSeed(small('during'), { folder, env: {} })).toMatchObject({ code: 0 });
  const { data } = await callGraphQl<{ tenants: ({ id: string } | null)[] }, object>(
    url,
    server.token('installation'),
    '{ tenants(ids: ["before-t0000001", "during-t0000003", "alder"]) { id } }',
  );
  expect(data.tenants.map((tenant) => tenant?.id)).toEqual(['before-t0000001', 'during-t0000003', 'alder']);
});

test('--help says what can be asked for', async () => {
  const { code, stdout, stderr } = await runSeed(['--help']);
  for (const option of ['applications', 'tenants', 'users', 'prefix', 'seed', 'yes']) {
    expect(stdout).toContain(`\n  --${option} `);
  }
  expect(stderr).toBe('');
  expect(code).toBe(0);
});
