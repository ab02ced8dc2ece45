import { cpuSecondsOf } from './processes.mjs';
import { median } from './report.mjs';

/** Uncounted seconds before each slice: connections and caches of whoever waited are as cold as they got. */
const leadInSeconds = 1;

const warmUpAnswers = 2_000;
const warmUpsMax = 4;

/**
 * Contestants in turn, A B C A B C …, so that what else the machine does hits all alike.
 * @param run measures one contestant for so many seconds; answers { perSecond, p50, p99, failures, sample }
 * @returns the contestants with their rounds
 */
export async function inTurn(contestants, { rounds, seconds, warmUpSeconds }, run) {
  const measure = async (contestant, when, duration) => {
    const before = await cpuSecondsOf(contestant.pid);
    const measured = await run(contestant, duration);
    measured.cpuMs = (1000 * ((await cpuSecondsOf(contestant.pid)) - before)) / measured.answers;
    measured.loadBusy = measured.loadCpuSeconds / measured.seconds;
    if (measured.failures > 0) {
      console.error(`  ${contestant.name}, ${when}: ${measured.failures} failed, e.g. ${measured.sample}`);
    }
    return measured;
  };
  const series = contestants.map((contestant) => ({ name: contestant.name, rounds: [] }));
  for (const contestant of contestants) {
    // By count, too: on a busy machine a few seconds are few answers, and V8 has compiled little.
    for (let answers = 0, n = 0; answers < warmUpAnswers && n < warmUpsMax; n += 1) {
      answers += (await measure(contestant, 'warming up', warmUpSeconds)).answers;
    }
  }
  for (let round = 1; round <= rounds; round += 1) {
    for (const [n, contestant] of contestants.entries()) {
      await measure(contestant, 'warming up', leadInSeconds);
      const measured = await measure(contestant, `round ${round}`, seconds);
      if (measured.answers === 0)
        throw new Error(`${contestant.name} answered nothing in ${seconds} s: ask for longer --seconds.`);
      series[n].rounds.push(measured);
    }
    if (process.stderr.isTTY) process.stderr.write(`\x1b[K  round ${round} of ${rounds}\r`);
  }
  return series;
}

/** Ratios of two contestants, taken within each round. */
export function ratioOf(ours, theirs, metric = 'perSecond') {
  const ratios = ours.rounds.map((round, n) => round[metric] / theirs.rounds[n][metric]);
  return { median: median(ratios), min: Math.min(...ratios), max: Math.max(...ratios) };
}
