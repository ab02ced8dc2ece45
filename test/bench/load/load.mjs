// The load generator, a process of its own: autocannon with so many connections, one request at a time each.
import autocannon from 'autocannon';
import { flowsOf } from './flows.mjs';

/*
 * Told: { url, connections, seconds, headers, path, bodies } or { …, flow, people }.
 * Answers: { perSecond, p50, p99, answers, failures, sample, seconds, loadCpuSeconds }; milliseconds. `failures` counts what was not
 * answered with 2xx, what has errors in it, and what was not answered at all.
 */
process.on('message', async (job) => {
  try {
    const before = process.cpuUsage();
    const measured = await (job.flow ? measureFlows(job) : measureRequests(job));
    const { user, system } = process.cpuUsage(before);
    process.send({ ...measured, loadCpuSeconds: (user + system) / 1e6 });
  } catch (error) {
    process.send({ problem: String(error.stack ?? error) });
  }
});
process.on('disconnect', () => process.exit());

async function measureRequests({ url, path, headers, connections, seconds, bodies }) {
  const times = [];
  const count = { failures: 0, sample: null };
  let clients = 0;
  const each = Math.floor(bodies.length / connections);
  const result = await autocannon({
    url,
    connections,
    duration: seconds,
    setupClient(client) {
      // Each connection has a part of the questions of its own: no two ask the same at the same time.
      const own = bodies.slice(clients * each, (clients + 1) * each);
      clients += 1;
      client.setRequests(own.map((body) => ({ method: 'POST', path, headers, body })));
      let isRefused = false;
      client.on('headers', ({ statusCode }) => {
        isRefused = statusCode < 200 || statusCode > 299;
      });
      client.on('body', (body) => {
        if (!isRefused && !body.includes('"errors"')) return;
        isRefused = true;
        count.sample ??= body.toString();
      });
      client.on('response', (_status, _bytes, ms) => {
        if (isRefused) count.failures += 1;
        else times.push(ms);
      });
    },
  });
  return summary(times, result, count);
}

async function measureFlows({ url, connections, seconds, flow, headers, people, from }) {
  const times = [];
  const count = { failures: 0, next: from, sample: null };
  const steps = flowsOf[flow];
  const result = await autocannon({
    url,
    connections,
    duration: seconds,
    setupClient(client) {
      const state = {};
      client.setRequests(
        steps.map((step, index) => ({
          method: 'POST',
          path: step.path,
          headers: { ...headers[step.as] },
          setupRequest(request) {
            if (index === 0) {
              state.person = people[count.next % people.length];
              state.began = performance.now();
              count.next += 1;
            }
            const { body, headers: extra } = step.ask(state);
            return { ...request, headers: { ...headers[step.as], ...extra }, body: JSON.stringify(body) };
          },
          onResponse(status, body, _context, answered) {
            const problem = status === 200 ? step.take(state, body, answered) : `HTTP ${status}: ${body}`;
            if (problem) {
              count.failures += 1;
              count.sample ??= `${step.path}: ${problem}`;
            } else if (index === steps.length - 1) times.push(performance.now() - state.began);
          },
        })),
      );
    },
  });
  return { ...summary(times, result, count), next: count.next };
}

function summary(times, result, { failures, sample }) {
  const sorted = Float64Array.from(times).sort();
  const at = (share) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
  return {
    perSecond: sorted.length / result.duration,
    p50: at(0.5),
    p99: at(0.99),
    answers: sorted.length,
    seconds: result.duration,
    failures: failures + result.errors + result.timeouts,
    sample:
      sample ??
      (result.errors > 0 ? `${result.errors} connections broke, ${result.timeouts} timed out` : null),
  };
}
