// npm run test:soak -- --minutes 60 [--warm-up 10] [--rate N] [--snapshots FOLDER]: does it hold what it should let go of?
import { fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { openGround, seedDatabase, tenantId } from '../bench/data.mjs';
import { productSteps } from '../bench/steps.mjs';
import { isGrowth, slopeOf } from './slope.mjs';

/*
 * A server in production mode at half of its capacity, which is measured first; what it holds is sampled after a
 * garbage collection. Ends with 1 where something grew or failed. Stops what it started, whatever happens.
 */

const { values } = parseArgs({
  options: {
    minutes: { type: 'string' },
    'warm-up': { type: 'string' },
    rate: { type: 'string' },
    snapshots: { type: 'string' },
  },
});
const minutes = Number(values.minutes ?? 60);
const warmUpMinutes = Number(values['warm-up'] ?? Math.min(10, minutes / 4));
/** Between two samples. */
const sampleSeconds = minutes < 10 ? 5 : 30;

const database = 'soak';
const application = 'seed-a0001';
const tenants = 2_000;

/** What is growth: MB per hour, and resources per hour. Below, an hour says nothing. */
const allowed = {
  heapMb: 5,
  // Writing a snapshot takes memory that the process keeps.
  rssMb: values.snapshots ? Number.POSITIVE_INFINITY : 20,
  resources: 5,
  files: 5,
};

const children = [];
const ground = await openGround();
async function end(code) {
  for (const child of children.splice(0)) {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill('SIGTERM');
      await once(child, 'exit');
    }
  }
  await ground.close();
  if (code !== undefined) process.exit(code);
}

async function soak() {
  await seedDatabase(ground, database, { tenants, users: tenants, applications: 10 });
  const steps = await productSteps(ground, database);
  const server = await startServer();
  const load = await startLoad(server.url, steps);
  await load({ connections: 32, seconds: 10 });
  const { perSecond: capacity } = await load({ connections: 32, seconds: 20 });
  const rate = Number(values.rate ?? capacity / 2);
  console.log(
    `Capacity ${capacity.toFixed(0)} visits/s with 32 connections; ${rate.toFixed(0)} visits/s for ${minutes} minutes.\n`,
  );
  const samples = await sampled(server, load, rate);
  return report(
    samples.filter(({ hours }) => hours * 60 >= warmUpMinutes),
    samples,
  );
}

async function sampled(server, load, rate) {
  const samples = [];
  const began = performance.now();
  const hoursNow = () => (performance.now() - began) / 3_600_000;
  console.log(
    '| minute | heap MB | RSS MB | resources | files | loop p99 ms | p50 ms | p99 ms | max ms | requests | errors |',
  );
  console.log(`|${' ---: |'.repeat(11)}`);
  let isWarm = false;
  for (let n = 0; hoursNow() * 60 < minutes; n += 1) {
    if (!isWarm && hoursNow() * 60 >= warmUpMinutes) {
      isWarm = true;
      await server.snapshot('warm');
    }
    const measured = await load({ perSecond: rate, seconds: sampleSeconds });
    const sample = { hours: hoursNow(), ...(await server.sample()), ...measured };
    samples.push(sample);
    if (measured.sample) console.error(measured.sample);
    if (n % Math.ceil(minutes / 30 / (sampleSeconds / 60)) === 0) console.log(row(sample));
  }
  await server.snapshot('end');
  return samples;
}

const row = (it) =>
  `| ${[
    (it.hours * 60).toFixed(1),
    it.heapMb.toFixed(1),
    it.rssMb.toFixed(0),
    it.resources,
    it.files,
    it.delayP99Ms.toFixed(1),
    it.p50.toFixed(1),
    it.p99.toFixed(1),
    it.max.toFixed(0),
    it.requests,
    it.errors,
  ].join(' | ')} |`;

function report(settled, all) {
  const sum = (name) => all.reduce((total, sample) => total + sample[name], 0);
  console.log(`\nAfter ${warmUpMinutes} minutes of warm-up, ${settled.length} samples:\n`);
  console.log('| | first | last | slope per hour | standard error |\n| --- | ---: | ---: | ---: | ---: |');
  const growing = [];
  for (const [name, most] of Object.entries(allowed)) {
    const line = slopeOf(settled.map((sample) => [sample.hours, sample[name]]));
    const [first, last] = [settled[0][name], settled.at(-1)[name]].map((value) => value.toFixed(1));
    console.log(`| ${name} | ${first} | ${last} | ${line.slope.toFixed(2)} | ${line.error.toFixed(2)} |`);
    if (isGrowth(line, most)) growing.push(`${name} grows by more than ${most} per hour.`);
  }
  console.log(
    `\n${sum('visits')} visits, ${sum('requests')} requests, ${sum('errors')} errors, ${sum('late')} visits not begun in time.`,
  );
  for (const what of growing) console.log(what);
  return growing.length === 0 && sum('errors') === 0;
}

async function startServer() {
  const sampler = new URL('sampler.mjs', import.meta.url).href;
  const main = fileURLToPath(new URL('../../dist/server/main.js', import.meta.url));
  const child = spawn(process.execPath, ['--expose-gc', '--import', sampler, main], {
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
    env: { PATH: process.env.PATH, ...ground.productEnv(database) },
  });
  children.push(child);
  let said = '';
  const url = await new Promise((resolve, reject) => {
    child.stdout.setEncoding('utf8').on('data', (text) => {
      said = `${said}${text}`.slice(-20_000);
      const found = /http:\/\/127\.0\.0\.1:\d+/.exec(said);
      if (found) resolve(found[0]);
    });
    child.once('exit', (code) => reject(new Error(`The server ended with ${code}:\n${said}`)));
  });
  return {
    url,
    async sample() {
      child.send({});
      const [held] = await once(child, 'message');
      return { ...held, files: (await readdir(`/proc/${child.pid}/fd`)).length };
    },
    /** To be compared in Chromium's DevTools, which says what came to be between the two. */
    async snapshot(name) {
      if (!values.snapshots) return;
      child.send({ snapshot: join(values.snapshots, `${name}.heapsnapshot`) });
      await once(child, 'message');
    },
  };
}

/** @returns how to tell the load to make some */
async function startLoad(url, { people, headers }) {
  const child = fork(fileURLToPath(new URL('load.mjs', import.meta.url)));
  children.push(child);
  const tell = async (job) => {
    child.send(job);
    const [answer] = await once(child, 'message');
    return answer;
  };
  const admin = { 'content-type': 'application/json', authorization: `Bearer ${await ground.mint({})}` };
  const world = {
    people,
    application,
    tenants: Array.from({ length: tenants }, (_, n) => tenantId(n)),
    headers: { ...headers, admin },
  };
  await tell({ url, world });
  return tell;
}

process.once('SIGINT', () => end(130));
process.once('SIGTERM', () => end(143));
try {
  process.exitCode = (await soak()) ? 0 : 1;
} finally {
  await end();
}
