import { median } from './report.mjs';

/**
 * Contestants in turn, A B C A B C …, so that what else the machine does hits all alike.
 * @param run measures one contestant for so many seconds; answers { perSecond, p50, p99, failures }
 * @returns the contestants with their rounds
 */
export async function inTurn(contestants, { rounds, seconds, warmUpSeconds }, run) {
  const measure = async (contestant, duration) => {
    const measured = await run(contestant, duration);
    if (measured.failures > 0) {
      console.error(
        `${contestant.name}: ${measured.failures} failed, e.g. ${measured.sample}\n${contestant.said()}`,
      );
    }
    return measured;
  };
  const series = contestants.map((contestant) => ({ name: contestant.name, rounds: [] }));
  for (const contestant of contestants) await measure(contestant, warmUpSeconds);
  for (let round = 0; round < rounds; round += 1) {
    for (const [n, contestant] of contestants.entries()) {
      series[n].rounds.push(await measure(contestant, seconds));
    }
    process.stderr.write(`  round ${round + 1} of ${rounds}\r`);
  }
  process.stderr.write('\x1b[K');
  return series;
}

/** Ratios of two contestants, taken within each round. */
export function ratioOf(ours, theirs, metric = 'perSecond') {
  const ratios = ours.rounds.map((round, n) => round[metric] / theirs.rounds[n][metric]);
  return { median: median(ratios), min: Math.min(...ratios), max: Math.max(...ratios) };
}
