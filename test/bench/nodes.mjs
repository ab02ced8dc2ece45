import 'reflect-metadata';
import { parseArgs } from 'node:util';
import pg from 'pg';
import { databaseLayout } from '../../dist/src/database-layout.js';
import { databaseSchema } from '../../dist/src/database-schema.js';
import { distribute } from '../../dist/src/db/distribute.js';
import { migrate } from '../../dist/src/db/migrate.js';
import { numbers, openGround, tenantId } from './data.mjs';
import { endAll, runCommand, startLoad, startServer } from './processes.mjs';
import { printSeries } from './report.mjs';
import { inTurn, ratioOf } from './rounds.mjs';
import { productSteps, runSteps } from './steps.mjs';

/*
 * npm run bench:nodes: one PostgreSQL beside a database of several nodes, in turn, in one run. On one machine
 * this shows what distribution costs, not what it gains.
 */
const { values } = parseArgs({
  options: {
    one: { type: 'string' },
    many: { type: 'string' },
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '3' },
    connections: { type: 'string', default: '16' },
    tenants: { type: 'string', default: '1000' },
  },
});
if (!values.one || !values.many) {
  console.error(
    '--one and --many: addresses of two empty databases, the second on a coordinator with its nodes.',
  );
  process.exit(1);
}
const options = {
  rounds: Number(values.rounds),
  seconds: Number(values.seconds),
  connections: Number(values.connections),
  warmUpSeconds: 3,
};

async function query(url, statement, given) {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query(statement, given)).rows;
  } finally {
    await client.end();
  }
}

const ground = await openGround();
const load = startLoad();
try {
  const contestants = [];
  for (const [name, url] of [
    ['one PostgreSQL', values.one],
    ['several nodes', values.many],
  ]) {
    await migrate(url, databaseSchema);
    if (url === values.many) await distribute(url, databaseSchema, databaseLayout);
    const env = { ...ground.productEnv('cufflink'), DATABASE_URL: url, POLICY_SNAPSHOT: 'off' };
    await runCommand(
      '../../dist/src/commands/seed.js',
      ['--applications=10', `--tenants=${values.tenants}`, `--users=${values.tenants}`, '--yes'],
      env,
    );
    contestants.push({
      ...(await startServer(name, 'contestants/cufflink.mjs', env)),
      ...(await productSteps({ ...ground, query }, url)),
    });
  }
  const series = await inTurn(contestants, options, (contestant, seconds) =>
    runSteps(load, contestant, options, seconds),
  );
  printSeries('MFA steps (startMfa, a TOTP code, finish) per second', series, {
    'one PostgreSQL': ratioOf(series[1], series[0]),
  });

  const below = numbers(1);
  const headers = { 'content-type': 'application/json', authorization: `Bearer ${await ground.mint({})}` };
  const bodies = Array.from({ length: 2_000 }, () =>
    JSON.stringify({
      query: `{ effectivePolicy(tenantId: "${tenantId(below(Number(values.tenants)))}") { mfaEnabled enrollment source version } }`,
    }),
  );
  const reads = await inTurn(contestants, options, ({ url }, seconds) =>
    load.run({ url, path: '/graphql', connections: options.connections, seconds, headers, bodies }),
  );
  printSeries('Effective policy of one tenant, not remembered, per second', reads, {
    'one PostgreSQL': ratioOf(reads[1], reads[0]),
  });
} finally {
  await load.stop();
  await endAll();
  await ground.close();
}
