import { setTimeout as sleep } from 'node:timers/promises';
import { seedDatabase, tenantId } from './data.mjs';
import { memoryOf, startServer } from './processes.mjs';
import { questionsAbout } from './reads.mjs';
import { failuresOf, judged, median, printSeries, printTable } from './report.mjs';
import { ask, bodiesOf } from './requests.mjs';
import { inTurn, ratioOf } from './rounds.mjs';
import { productSteps, runSteps } from './steps.mjs';

/** Applications grow with their tenants; users are few, so that seeding stays quick. */
const allSizes = [
  { tenants: 1_000, users: 1_000, applications: 10 },
  { tenants: 100_000, users: 100_000, applications: 10 },
  { tenants: 1_000_000, users: 100_000, applications: 100 },
];
const startsPerSize = 5;
const latencyRatioMax = 1.2;
const startSecondsMax = 1.5;
const idleMbMax = 200;
const snapshotMbMax = 400;
/** Whose policies are all asked for, once. */
const snapshotTenants = 100_000;

/** Question 3: the same server with more tenants; its memory and its start. */
export async function compareGrowth(ground, load, options) {
  const sizes = allSizes.filter(({ tenants }) => tenants <= options.largest);
  for (const size of sizes) {
    const seconds = await seedDatabase(ground, databaseOf(size), size);
    console.log(`${nameOf(size)}, ${size.users} users: seeded in ${seconds.toFixed(0)} s`);
  }
  const headers = {
    'content-type': 'application/json',
    authorization: `Bearer ${await ground.mint({ scope: 'mfa-policy:read' })}`,
  };
  const starts = await timeStarts(ground, sizes);
  const memory = await weigh(ground, load, headers, options);
  const latencies = await compareLatencies(ground, load, headers, options, sizes);
  return [starts, memory, ...latencies];
}

const databaseOf = ({ tenants }) => `growth_${tenants}`;
const nameOf = ({ tenants }) => `${tenants.toLocaleString('en')} tenants`;

const startOn = (ground, size) =>
  startServer(nameOf(size), 'contestants/cufflink.mjs', ground.productEnv(databaseOf(size)));

/** From the start of the process to the first time it says that it is ready. */
async function timeStarts(ground, sizes) {
  const lines = [['Start, s', 'median', 'spread']];
  const goals = [];
  for (const size of sizes) {
    const times = [];
    for (let n = 0; n < startsPerSize; n += 1) {
      const began = performance.now();
      const server = await startOn(ground, size);
      while (!(await fetch(`${server.url}/health/ready`)).ok) await sleep(5);
      times.push((performance.now() - began) / 1000);
      await server.stop();
    }
    lines.push([
      nameOf(size),
      median(times).toFixed(2),
      `${Math.min(...times).toFixed(2)}–${Math.max(...times).toFixed(2)}`,
    ]);
    goals.push(
      judged({ what: `start to ready, s, ${nameOf(size)}`, value: median(times), atMost: startSecondsMax }),
    );
  }
  console.log();
  printTable(lines);
  return { question: 'start', lines, goals };
}

/** Resident memory of a server: idle, after every tenant's policy was asked for once, and after load. */
async function weigh(ground, load, headers, options) {
  const size = allSizes.find(({ tenants }) => tenants === snapshotTenants);
  const server = { ...(await startOn(ground, size)), dialect: 'contract' };
  await sleep(5_000);
  const idle = await memoryOf(server.pid);
  for (let first = 0; first < size.tenants; first += 200) {
    await ask(
      server,
      headers,
      Array.from({ length: 200 }, (_, n) => tenantId(first + n)),
    );
  }
  await sleep(2_000);
  const full = await memoryOf(server.pid);
  const bodies = bodiesOf('contract', questionsAbout(50, { ...options, ...size }));
  await load.run({ ...requestOf(server, headers, options), seconds: options.seconds, bodies });
  await sleep(2_000);
  const loaded = await memoryOf(server.pid);
  await server.stop();
  console.log();
  const lines = [
    [`Memory, MB, ${nameOf(size)}`, 'resident', 'at most so far'],
    ...[
      ['idle', idle],
      ['every policy was asked for once', full],
      [`after ${options.seconds} s of load`, loaded],
    ].map(([what, { now, max }]) => [what, now.toFixed(0), max.toFixed(0)]),
  ];
  printTable(lines);
  return {
    question: 'memory',
    lines,
    goals: [
      judged({ what: 'resident MB, idle', value: idle.now, atMost: idleMbMax }),
      judged({ what: `resident MB, all of ${nameOf(size)}`, value: full.now, atMost: snapshotMbMax }),
    ],
  };
}

async function compareLatencies(ground, load, headers, options, sizes) {
  const servers = [];
  for (const size of sizes) servers.push({ ...(await startOn(ground, size)), size });
  const results = [];
  for (const count of options.sizes) {
    const bodies = new Map(
      servers.map(({ size }) => [size, bodiesOf('contract', questionsAbout(count, { ...options, ...size }))]),
    );
    const series = await inTurn(servers, options, (server, seconds) =>
      load.run({ ...requestOf(server, headers, options), seconds, bodies: bodies.get(server.size) }),
    );
    results.push(resultOf(`effectivePolicy of ${count}`, series));
  }
  for (const server of servers) Object.assign(server, await productSteps(ground, databaseOf(server.size)));
  const series = await inTurn(servers, options, (server, seconds) =>
    runSteps(load, server, options, seconds),
  );
  results.push(resultOf('MFA step', series));
  for (const { stop } of servers) await stop();
  return results;
}

function resultOf(what, series) {
  const question = `${what}, as the tenants grow`;
  const [smallest] = series;
  const largest = series.at(-1);
  const ratios = Object.fromEntries(
    series.slice(1).map((entry) => [entry.name, ratioOf(entry, smallest, 'p50')]),
  );
  printSeries(question, series, ratios, `p50 / at ${smallest.name}`);
  const goal = judged({
    what: `${question}: p50 at ${largest.name} / ${smallest.name}`,
    value: ratios[largest.name].median,
    atMost: latencyRatioMax,
    isVoid: failuresOf(smallest) + failuresOf(largest) > 0,
  });
  return { question, series, ratios, goals: [goal] };
}

const requestOf = ({ url }, headers, { connections }) => ({ url, path: '/graphql', headers, connections });
