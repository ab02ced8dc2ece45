// The load, a process of its own: visits at a constant rate, however long the answers take.
import { Agent, request } from 'node:http';
import { setPriority } from 'node:os';
import { visitsOf } from './visits.mjs';

/*
 * Told: { url, world } once, then { perSecond, seconds } or { connections, seconds } for as many as are answered.
 * Answers: { visits, perSecond, requests, errors, sample, p50, p99, max, late }; milliseconds of a request. `errors`
 * counts what was not answered, what was answered with 5xx, and what was not what was asked for.
 */

/** Visits in progress; those that come above are counted as late: the rate was not held. */
const inProgressMax = 500;

// What is measured comes first where there are few cores.
setPriority(10);

let visits = [];
let agent;
let url;

process.on('message', async (job) => {
  if (job.world) {
    url = new URL('/graphql', job.url);
    // An idle connection ends here first: what is sent on one that the server just closed is lost.
    agent = new Agent({ keepAlive: true, maxSockets: 64, timeout: 30_000 });
    visits = visitsOf(job.world);
    process.send({});
    return;
  }
  process.send(await measure(job));
});
process.on('disconnect', () => process.exit());

async function measure({ perSecond, connections, seconds }) {
  const seen = { times: [], errors: 0, sample: null, visits: 0, late: 0 };
  const until = performance.now() + seconds * 1000;
  const visit = async () => {
    const { name, make } = drawn();
    await make(
      (headers, body) => ask(seen, headers, body),
      (problem) => failed(seen, `${name}: ${problem}`),
    ).catch((error) => failed(seen, `${name}: ${error.message}`));
    seen.visits += 1;
  };
  if (connections) await Promise.all(Array.from({ length: connections }, () => inTurn(visit, until)));
  else await atRate(visit, until, perSecond, seen);
  const sorted = Float64Array.from(seen.times).sort();
  const at = (share) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
  return {
    visits: seen.visits,
    perSecond: seen.visits / seconds,
    requests: sorted.length,
    errors: seen.errors,
    sample: seen.sample,
    late: seen.late,
    p50: at(0.5),
    p99: at(0.99),
    max: at(1),
  };
}

async function inTurn(visit, until) {
  while (performance.now() < until) await visit();
}

/** Each begins at its time; one that is slow keeps no other waiting. */
async function atRate(visit, until, perSecond, seen) {
  const running = new Set();
  for (let next = performance.now(); next < until; next += 1000 / perSecond) {
    const wait = next - performance.now();
    if (wait > 1) await new Promise((resolve) => setTimeout(resolve, wait));
    if (running.size >= inProgressMax) {
      seen.late += 1;
      continue;
    }
    const one = visit().finally(() => running.delete(one));
    running.add(one);
  }
  await Promise.all(running);
}

function drawn() {
  let draw = Math.random();
  for (const visit of visits) {
    draw -= visit.share;
    if (draw < 0) return visit;
  }
  return visits[0];
}

function failed(seen, what) {
  seen.errors += 1;
  seen.sample ??= what.slice(0, 500);
}

function ask(seen, headers, body) {
  const { promise, resolve, reject } = Promise.withResolvers();
  const began = performance.now();
  const sent = request(url, { method: 'POST', agent, headers, timeout: 10_000 }, (response) => {
    response.setEncoding('utf8');
    let text = '';
    response.on('data', (chunk) => {
      text += chunk;
    });
    response.on('error', reject).on('end', () => {
      seen.times.push(performance.now() - began);
      if (response.statusCode >= 500) reject(new Error(`HTTP ${response.statusCode} ${text}`));
      else resolve(JSON.parse(text));
    });
  });
  sent.on('timeout', () => sent.destroy(new Error('not answered within 10 s'))).on('error', reject);
  sent.end(JSON.stringify(body));
  return promise;
}
