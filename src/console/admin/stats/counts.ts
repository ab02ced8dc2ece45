import type { ConsoleStatsFragment, MfaState } from '../../generated/documents.ts';
import { states } from '../shared/state.tsx';

export const countOf = (stats: ConsoleStatsFragment, state: MfaState): number =>
  stats[state.toLowerCase() as Lowercase<MfaState>];

/** The states that somebody is in, in the order of the names. */
export const present = (stats: ConsoleStatsFragment): { state: MfaState; count: number }[] =>
  states.map((state) => ({ state, count: countOf(stats, state) })).filter(({ count }) => count > 0);

/** Whole percents; what is little is not nothing, and what is almost all is not all. */
export function percent(count: number, total: number): string {
  if (total === 0 || count === 0) return '0 %';
  const share = (100 * count) / total;
  if (share < 1) return '< 1 %';
  return `${count === total ? 100 : Math.min(99, Math.round(share))} %`;
}

export const people = (count: number): string =>
  count === 1 ? '1 user' : `${count.toLocaleString('en')} users`;
