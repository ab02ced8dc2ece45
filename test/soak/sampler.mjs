// Loaded into the server's process before the server (node --expose-gc --import): answers what it holds when asked.
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { writeHeapSnapshot } from 'node:v8';

const delay = monitorEventLoopDelay({ resolution: 10 });
delay.enable();

const mb = (bytes) => bytes / 2 ** 20;

process.on('message', ({ snapshot }) => {
  if (snapshot) {
    process.send({ written: writeHeapSnapshot(snapshot) });
    return;
  }
  // Twice: what the first run finalizes is gone after the second.
  globalThis.gc();
  globalThis.gc();
  const { heapUsed, rss, external } = process.memoryUsage();
  process.send({
    heapMb: mb(heapUsed),
    externalMb: mb(external),
    rssMb: mb(rss),
    resources: process.getActiveResourcesInfo().length,
    // Nanoseconds; the collections above come after this interval.
    delayP99Ms: delay.percentile(99) / 1e6,
  });
  delay.reset();
});
// The server ends when it is told to, not when nobody asks any more.
process.channel.unref();
