import { view } from './contestants/view.mjs';
import { numbers, seedDatabase, tenantId } from './data.mjs';
import { startServer } from './processes.mjs';
import { failuresOf, judged, printSeries } from './report.mjs';
import { assertSameAnswers, bodiesOf } from './requests.mjs';
import { inTurn, ratioOf } from './rounds.mjs';

const mercurius = 'mercurius with JIT';
const postgraphile = 'PostGraphile 5';
const apollo = 'Apollo with MikroORM';
const ceiling = 'a constant (ceiling)';
const ours = 'cufflink';
const oursBare = 'cufflink, snapshot off';

/** At least so many times the rate of each. */
const goals = {
  1: { [postgraphile]: 2, [mercurius]: 1.5, [apollo]: 5, [ceiling]: 0.8 },
  50: { [postgraphile]: 2, [mercurius]: 2, [apollo]: 2 },
  200: { [postgraphile]: 2, [mercurius]: 2, [apollo]: 2 },
};
const bareGoal = { [mercurius]: 1 };

/** Question 1: the effective policy of one, 50 and 200 tenants. @returns results and goals */
export async function compareReads(ground, load, options) {
  const database = 'reads';
  await seedDatabase(ground, database, {
    tenants: options.tenants,
    users: options.tenants,
    applications: 10,
  });
  await ground.query(database, view);
  const product = ground.productEnv(database);
  const peer = ground.peerEnv(database);
  const contestants = [
    await contestant(ours, 'cufflink', product),
    await contestant(oursBare, 'cufflink', { ...product, POLICY_SNAPSHOT: 'off' }),
    await contestant(mercurius, 'mercurius', peer),
    await contestant(postgraphile, 'postgraphile', peer, { dialect: 'postgraphile' }),
    await contestant(apollo, 'apollo', peer),
    await contestant(ceiling, 'ceiling', product, { isConstant: true }),
  ];
  const headers = {
    'content-type': 'application/json',
    authorization: `Bearer ${await ground.mint({ scope: 'mfa-policy:read' })}`,
  };
  const results = [];
  for (const size of options.sizes) {
    const questions = questionsAbout(size, options);
    await assertSameAnswers(contestants, headers, questions.slice(0, 20));
    const series = await inTurn(contestants, options, ({ url, dialect }, seconds) =>
      load.run({
        url,
        path: '/graphql',
        headers,
        connections: options.connections,
        seconds,
        bodies: bodiesOf(dialect, questions),
      }),
    );
    results.push(resultOf(size, series));
  }
  for (const { stop } of contestants) await stop();
  return results;
}

async function contestant(name, file, env, { dialect = 'contract', isConstant = false } = {}) {
  return { ...(await startServer(name, `contestants/${file}.mjs`, env)), dialect, isConstant };
}

/** The same for all: tenants at random, and for each connection some requests of its own. */
export function questionsAbout(size, { tenants, connections }) {
  const below = numbers(size);
  const perConnection = Math.ceil(64 / Math.sqrt(size));
  return Array.from({ length: connections * perConnection }, () => {
    const ids = new Set();
    while (ids.size < size) ids.add(tenantId(below(tenants)));
    return [...ids];
  });
}

function resultOf(size, series) {
  const question = `effectivePolicy of ${size === 1 ? 'one tenant' : `${size} tenants`}`;
  const named = new Map(series.map((entry) => [entry.name, entry]));
  const ratios = Object.fromEntries(
    series.slice(1).map((entry) => [entry.name, ratioOf(named.get(ours), entry)]),
  );
  printSeries(question, series, ratios);
  const goal = (who, [against, atLeast]) =>
    judged({
      what: `${question}: ${who} / ${against}`,
      value: ratioOf(named.get(who), named.get(against)).median,
      atLeast,
      isVoid: failuresOf(named.get(who)) + failuresOf(named.get(against)) > 0,
    });
  return {
    question,
    series,
    ratios,
    goals: [
      ...Object.entries(goals[size] ?? {}).map((entry) => goal(ours, entry)),
      ...Object.entries(bareGoal).map((entry) => goal(oursBare, entry)),
    ],
  };
}
