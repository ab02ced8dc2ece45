import { readFile } from 'node:fs/promises';
import { describe, expect, test } from '@jest/globals';
import * as all from '../../src/shared/limits.ts';

const read = (path: string) => readFile(new URL(`../../${path}`, import.meta.url), 'utf8');

const limits = new Map<string, unknown>(Object.entries(all));

/** Sections of src/shared/limits.ts, all of whose limits an operator may want to look up. */
const sections = ['time', 'read replicas', 'what a request may ask', 'overload', 'stopping'];

/** Limits of those sections, by name. */
async function limitsOfSections(): Promise<Map<string, unknown>> {
  const text = await read('src/shared/limits.ts');
  const named = text.split(/^\/\/ --- /m).filter((part) => sections.some((name) => part.startsWith(name)));
  expect(named).toHaveLength(sections.length);
  const names = named.flatMap((part) => [...part.matchAll(/^export const (\w+)/gm)].map(([, name]) => name));
  return new Map(names.map((name) => [name as string, limits.get(name as string)]));
}

/** Rows of the tables of limits: name, value, what the caller sees. */
const rows = async () =>
  [
    ...(await read('docs/operations.md')).matchAll(/^\| `(\w+)` +\| ([\d,]+)[^|]*\|([^|]+)\|([^|]+)\|$/gm),
  ].map(([, name, value, source, seen]) => ({
    name: name as string,
    value: Number(value?.replaceAll(',', '')),
    source: source?.trim(),
    seen: seen?.trim(),
  }));

describe('the tables of limits in docs/operations.md', () => {
  test('name every limit on time, requests, load and stopping once, and no other', async () => {
    const names = (await rows()).map(({ name }) => name);
    expect(names.toSorted()).toEqual([...(await limitsOfSections()).keys()].toSorted());
  });

  test('tell the values that hold, each with its source and what the caller sees', async () => {
    const known = await limitsOfSections();
    for (const { name, value, source, seen } of await rows()) {
      expect(`${name} ${value}`).toBe(`${name} ${known.get(name)}`);
      expect(source).not.toBe('');
      expect(seen).not.toBe('');
    }
  });

  test('limits on time end in the order in which their tables say: PostgreSQL, the driver, the answer', () => {
    const order = [all.lockTimeoutMs, all.statementTimeoutMs, all.queryTimeoutMs, all.answerMsMax, 3_000];
    expect(order).toEqual(order.toSorted((a, b) => a - b));
    expect(all.drainSeconds).toBeLessThan(all.stopSecondsMax);
    expect(all.stopSecondsMax).toBeLessThan(10);
  });
});
