import { afterEach, expect, test } from '@jest/globals';
import { backgroundWorks } from '../../src/shared/background.ts';
import { send } from '../http/send.ts';
import { dropDatabases, withClient } from '../process/databases.ts';
import { type ProductionServer, startProduction } from '../process/production.ts';
import { cleanUp, untilTrue } from '../process/servers.ts';

let server: ProductionServer | undefined;
afterEach(async () => {
  await server?.stop();
  await cleanUp();
  await dropDatabases();
});

/* The janitor comes every ten minutes: its failures are in test/db/janitor.test.ts. */
test('what fails beside calls is counted by its work, and the log names the cause without values', async () => {
  const started = await startProduction();
  server = started;
  const failures = async () =>
    Object.fromEntries(
      [
        ...(await send(started, '/metrics')).text.matchAll(
          /^cufflink_background_failures_total\{work="(\w+)"\} (\d+)$/gm,
        ),
      ].map(([, work, count]) => [work, Number(count)]),
    );
  expect(await failures()).toEqual(Object.fromEntries(backgroundWorks.map((work) => [work, 0])));

  await withClient(started.databaseUrl, async (owner) => {
    for (const table of ['audit_unsealed', 'webhook_lanes', 'policy_feed'])
      await owner.query(`alter table ${table} rename to ${table}_away`);
  });
  await untilTrue(async () => {
    const { sealer = 0, dispatcher = 0, policy_feed = 0 } = await failures();
    return sealer > 1 && dispatcher > 1 && policy_feed > 1;
  });

  const lines = started
    .output()
    .split('\n')
    .filter((line) => /^\{.*\}$/.test(line))
    .map((line) => JSON.parse(line) as { level: number; work?: string; msg: string; err?: object });
  for (const [work, msg] of [
    ['sealer', /^sealing the record failed/],
    ['dispatcher', /^looking for due webhooks failed/],
    ['policy_feed', /^the feed of policies is lost/],
  ] as const) {
    const told = lines.filter((line) => line.work === work);
    expect(told[0]).toMatchObject({ level: 40, msg: expect.stringMatching(msg), err: { code: '42P01' } });
    // A message of PostgreSQL's can carry values; the code can't.
    for (const { err } of told) expect(err).not.toHaveProperty('message');
  }
  expect(lines.filter(({ work }) => work === 'policy_feed')).toHaveLength(1);
});
