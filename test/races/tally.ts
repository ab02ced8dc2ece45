/** What may come of the calls of a race. */
export interface RaceRules {
  /** The outcome of whoever wins. */
  won: string;
  winners: number;
  /** Outcomes of calls whose code was looked at. */
  looked: readonly string[];
  looksMax: number;
  /** Outcomes of the others. */
  refused: readonly string[];
}

/**
 * Refused for overload (security.md REL-6), which so many calls at once may be on a small machine.
 * Such a call may have acted all the same; a round whose winner may be among those is undecided.
 */
export const shed = '503 UNAVAILABLE';

/**
 * Five may look before the wait begins. Where one of them is right, it ends the wait, and five more
 * may look: they find the code used.
 */
export const raceRules = {
  'one recovery code': {
    won: 'FactorVerified',
    winners: 1,
    looked: ['FactorVerified', 'InvalidCode'],
    looksMax: 10,
    refused: ['TooManyAttempts'],
  },
  'one TOTP code': {
    won: 'FactorVerified',
    winners: 1,
    looked: ['FactorVerified', 'InvalidCode'],
    looksMax: 10,
    refused: ['TooManyAttempts'],
  },
  guesses: {
    won: 'FactorVerified',
    winners: 0,
    looked: ['InvalidCode'],
    looksMax: 5,
    refused: ['TooManyAttempts'],
  },
  'one finish': { won: 'MfaCompleted', winners: 1, looked: [], looksMax: 0, refused: ['InvalidMfaToken'] },
  'one start': { won: 'alive', winners: 1, looked: [], looksMax: 0, refused: ['MfaDecision'] },
} satisfies Record<string, RaceRules>;

export type RaceName = keyof typeof raceRules;
export type Tallies = Record<RaceName, Tally>;

/** What came of all rounds of a race. */
export class Tally {
  readonly #rules: RaceRules;
  rounds = 0;
  calls = 0;
  seconds = 0;
  /** Rounds with more winners than there may be, with fewer, and looks beyond the limit. */
  secondWinners = 0;
  withoutWinner = 0;
  undecided = 0;
  extraLooks = 0;
  /** Outcomes by how often they came. */
  readonly outcomes = new Map<string, number>();

  constructor(rules: RaceRules) {
    this.#rules = rules;
  }

  /** Adds a round. @returns false for one that is undecided, and counts as none */
  add(outcomes: readonly string[], seconds: number): boolean {
    const { won, winners, looked, looksMax } = this.#rules;
    const wins = outcomes.filter((outcome) => outcome === won).length;
    const looks = outcomes.filter((outcome) => looked.includes(outcome)).length;
    const isUndecided = wins < winners && outcomes.includes(shed);
    if (isUndecided) this.undecided += 1;
    else this.rounds += 1;
    this.calls += outcomes.length;
    this.seconds += seconds;
    if (wins > winners) this.secondWinners += 1;
    if (wins < winners && !isUndecided) this.withoutWinner += 1;
    this.extraLooks += Math.max(0, looks - looksMax);
    for (const outcome of outcomes) this.outcomes.set(outcome, this.count(outcome) + 1);
    return !isUndecided;
  }

  count(outcome: string): number {
    return this.outcomes.get(outcome) ?? 0;
  }

  /** Outcomes that have no business in this race. */
  unexpected(): string[] {
    const { won, looked, refused } = this.#rules;
    return [...this.outcomes.keys()].filter(
      (outcome) => ![won, ...looked, ...refused, shed].includes(outcome),
    );
  }
}

export const newTallies = (): Tallies =>
  Object.fromEntries(Object.entries(raceRules).map(([name, rules]) => [name, new Tally(rules)])) as Tallies;

/** A table to read: one line for each race. */
export function tableOf(tallies: Tallies): string {
  const head = [
    'race',
    'rounds',
    'calls',
    'second winners',
    'no winner',
    'looks too many',
    'undecided',
    'calls shed (503)',
    'unexpected',
    'seconds',
  ];
  const lines = Object.entries(tallies).map(([name, tally]) =>
    [
      name,
      tally.rounds,
      tally.calls,
      tally.secondWinners,
      tally.withoutWinner,
      tally.extraLooks,
      tally.undecided,
      tally.count(shed),
      tally.unexpected().reduce((sum, outcome) => sum + tally.count(outcome), 0),
      tally.seconds.toFixed(1),
    ].map(String),
  );
  const rows = [head, ...lines];
  const widths = head.map((_, column) => Math.max(...rows.map((row) => (row[column] ?? '').length)));
  return rows
    .map((row) =>
      row.map((cell, n) => (n === 0 ? cell.padEnd(widths[n] ?? 0) : cell.padStart(widths[n] ?? 0))),
    )
    .map((row) => row.join('  '))
    .join('\n');
}
