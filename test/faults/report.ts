import type { Tally } from './caller.ts';

export interface Scenario {
  name: string;
  rounds: number;
  tally: Tally;
  /** How often the whole record was recomputed (`audit:verify`): every ten checks, and at the end. */
  verifications: number;
  /** What was broken afterwards. */
  broken: string[];
  /** From the moment when everything was there again to the first acknowledged change, or to the exit; milliseconds. */
  recoveryMs: number[];
}

const median = (list: readonly number[]): number =>
  [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)] ?? 0;

/** Answers that came too late: a matter of the machine, too, which nothing done twice or lost ever is. */
const lateIn = ({ violations }: Tally): number =>
  violations.filter((what) => /^answered after|^not answered/.test(what)).length;

/** The scenarios as a table of docs/reliability.md. */
export function tableOf(scenarios: readonly Scenario[]): string {
  const head = [
    'scenario',
    'rounds',
    'verified',
    'acknowledged',
    'refused',
    'lost',
    'violations',
    'late',
    'recovery, median',
    'slowest',
  ];
  const rows = scenarios.map(({ name, rounds, tally, verifications, broken, recoveryMs }) => [
    name,
    ...[
      rounds,
      verifications,
      tally.acknowledged,
      tally.refused,
      tally.lost,
      tally.violations.length - lateIn(tally) + broken.length,
      lateIn(tally),
    ].map((n) => n.toLocaleString('en')),
    recoveryMs.length === 0 ? '' : `${(median(recoveryMs) / 1000).toFixed(2)} s`,
    recoveryMs.length === 0 ? '' : `${(Math.max(...recoveryMs) / 1000).toFixed(2)} s`,
  ]);
  return [head, head.map((_, n) => (n === 0 ? '---' : '---:')), ...rows]
    .map((row) => `| ${row.join(' | ')} |`)
    .join('\n');
}
