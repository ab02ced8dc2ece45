/** One thing that an event says: what it was before, where it tells of a change, and what it is now. */
export interface Line {
  name: string;
  before: string | null;
  now: string;
}

/**
 * An event's detail for people. It is JSON text of ours: a member is a value, or before and after in a list of two.
 * Whatever else it may be one day is shown as it is.
 */
export function linesOf(detail: string): Line[] {
  const parsed = parse(detail);
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed))
    return detail === '' ? [] : [{ name: '', before: null, now: detail }];
  return Object.entries(parsed).flatMap(([name, value]) => lines(spoken(name), value));
}

/** What is inside a thing is named after it. */
function lines(name: string, value: unknown): Line[] {
  if (Array.isArray(value) && value.length === 2)
    return [{ name, before: shown(value[0]), now: shown(value[1]) }];
  if (typeof value === 'object' && value !== null && !Array.isArray(value))
    return Object.entries(value).map(([inner, one]) => ({
      name: `${name} ${spoken(inner)}`,
      before: null,
      now: shown(one),
    }));
  return [{ name, before: null, now: shown(value) }];
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** gracePeriodDays -> grace period days */
const spoken = (name: string): string => name.replace(/([a-z])([A-Z])/g, '$1 $2').toLowerCase();

function shown(value: unknown): string {
  if (value === null) return 'none';
  if (value === true) return 'on';
  if (value === false) return 'off';
  return typeof value === 'string' || typeof value === 'number' ? String(value) : JSON.stringify(value);
}
