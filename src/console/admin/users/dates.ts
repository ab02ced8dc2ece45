import { exemptionDaysMax } from '../../../shared/limits.ts';

/** Days as date fields have them: 2026-01-31, in the reader's time zone. */
export interface Dates {
  first: string;
  usual: string;
  last: string;
}

/** What an exemption may end with: today, at most 365 days ahead; a week is usual. */
export function exemptionDates(now: Date): Dates {
  return { first: dayFrom(now, 0), usual: dayFrom(now, 7), last: dayFrom(now, exemptionDaysMax - 1) };
}

function dayFrom(now: Date, days: number): string {
  const day = new Date(now.getFullYear(), now.getMonth(), now.getDate() + days);
  const two = (part: number) => String(part).padStart(2, '0');
  return `${day.getFullYear()}-${two(day.getMonth() + 1)}-${two(day.getDate())}`;
}

/** The last moment of a day in the reader's time zone. */
export const endOfDay = (day: string): string => new Date(`${day}T23:59:59.999`).toISOString();
