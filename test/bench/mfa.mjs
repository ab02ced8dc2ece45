import { countStatements, seedDatabase } from './data.mjs';
import { startServer } from './processes.mjs';
import { failuresOf, judged, printSeries } from './report.mjs';
import { inTurn, ratioOf } from './rounds.mjs';
import { betterAuthSteps, people, productSteps, runSteps } from './steps.mjs';

/** Question 2: a whole MFA step, from the accepted first factor to the proof of the second. */
export async function compareMfaSteps(ground, load, options) {
  await seedDatabase(ground, 'mfa', { tenants: options.tenants, users: options.tenants, applications: 10 });
  await ground.query('cufflink', 'create database better_auth');
  const contestants = [
    {
      ...(await startServer('cufflink', 'contestants/cufflink.mjs', ground.productEnv('mfa'))),
      ...(await productSteps(ground, 'mfa')),
      database: 'mfa',
    },
    {
      ...(await startServer('better-auth, two-factor', 'contestants/better-auth.mjs', {
        ...ground.peerEnv('better_auth'),
        BENCH_PEOPLE: people,
      })),
      ...betterAuthSteps(),
      database: 'better_auth',
    },
  ];
  const measure = (contestant, seconds) => runSteps(load, contestant, options, seconds);
  const series = await inTurn(contestants, options, measure);
  const [ours, theirs] = series;
  const ratios = { [theirs.name]: ratioOf(ours, theirs) };
  printSeries('The MFA step, steps per second', series, ratios);
  const statements = {};
  for (const contestant of contestants) {
    statements[contestant.name] = await statementsPerStep(ground, contestant, () => measure(contestant, 2));
    console.log(
      `  ${contestant.name}: ${statements[contestant.name].toFixed(1)} database statements per step, all that runs beside it included`,
    );
    await contestant.stop();
  }
  const goal = judged({
    what: `MFA step: cufflink / ${theirs.name}`,
    value: ratios[theirs.name].median,
    atLeast: 2,
    isVoid: failuresOf(ours) + failuresOf(theirs) > 0,
  });
  return [{ question: 'MFA step', series, ratios, statements, goals: [goal] }];
}

/** What PostgreSQL counted in a run, by the number of steps in it. */
async function statementsPerStep(ground, { database }, run) {
  await ground.query('cufflink', 'create extension if not exists pg_stat_statements');
  await countStatements(ground, true);
  await ground.query('cufflink', 'select pg_stat_statements_reset()');
  const { answers } = await run();
  const [{ calls }] = await ground.query(
    'cufflink',
    `select coalesce(sum(calls), 0)::int as calls from pg_stat_statements
     where dbid = (select oid from pg_database where datname = $1)`,
    [database],
  );
  await countStatements(ground, false);
  return calls / answers;
}
