import { cpus, loadavg, totalmem } from 'node:os';

/* Tables for people; `results` holds the same for --json. */

export const median = (numbers) => {
  const sorted = [...numbers].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
};

export function machine() {
  const [{ model }] = cpus();
  return {
    at: new Date().toISOString(),
    cores: cpus().length,
    model,
    memoryGb: Math.round(totalmem() / 2 ** 30),
    load: loadavg()[0],
    node: process.version,
  };
}

/**
 * Prints a question: one line per contestant, and what our server is to theirs. `CPU ms` is what the server's
 * process took of a core for one answer, `load` how busy the generator was: near 100 % it is what limits.
 * @param ratios by the name of the contestant: { median, min, max }; `ratioName` says of what
 */
export function printSeries(question, series, ratios, ratioName = 'ours / theirs') {
  const lines = [
    ['', 'per second', 'spread', 'p50 ms', 'p99 ms', 'CPU ms', 'load', 'failed', ratioName, 'spread'],
  ];
  for (const { name, rounds } of series) {
    const rates = rounds.map(({ perSecond }) => perSecond);
    const ratio = ratios[name];
    lines.push([
      name,
      whole(median(rates)),
      `${whole(Math.min(...rates))}–${whole(Math.max(...rates))}`,
      median(rounds.map(({ p50 }) => p50)).toFixed(1),
      median(rounds.map(({ p99 }) => p99)).toFixed(1),
      median(rounds.map(({ cpuMs }) => cpuMs)).toFixed(2),
      `${whole(100 * median(rounds.map(({ loadBusy }) => loadBusy)))} %`,
      String(failuresOf({ rounds })),
      ratio ? ratio.median.toFixed(2) : '',
      ratio ? `${ratio.min.toFixed(2)}–${ratio.max.toFixed(2)}` : '',
    ]);
  }
  console.log(`\n${question}\n`);
  printTable(lines);
}

export const failuresOf = ({ rounds }) => rounds.reduce((sum, { failures }) => sum + failures, 0);

/** @param lines the first is the head */
export function printTable(lines) {
  const widths = lines[0].map((_cell, column) => Math.max(...lines.map((line) => line[column].length)));
  const print = (line) =>
    console.log(
      `  ${line.map((cell, n) => (n === 0 ? cell.padEnd(widths[n]) : cell.padStart(widths[n]))).join('  ')}`,
    );
  for (const line of lines) print(line);
}

/**
 * A goal and whether it was met. What had failures counts for nothing.
 * @param goal { what, value, atLeast } or { what, value, atMost }; `isVoid` where there were failures
 */
export function judged({ what, value, atLeast, atMost, isVoid = false }) {
  const isMet = !isVoid && (atLeast === undefined ? value <= atMost : value >= atLeast);
  return { what, value, atLeast, atMost, isVoid, isMet };
}

export function printGoals(goals) {
  console.log('\nGoals\n');
  printTable([
    ['', 'goal', 'measured', 'met'],
    ...goals.map(({ what, value, atLeast, atMost, isVoid, isMet }) => [
      what,
      atLeast === undefined ? `<= ${atMost}` : `>= ${atLeast}`,
      value.toFixed(2),
      isVoid ? 'void: requests failed' : isMet ? 'yes' : 'NO',
    ]),
  ]);
}

const whole = (number) => number.toFixed(0);
