import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { webhookRetrySeconds } from '../../src/shared/limits.ts';
import { nextAttemptAt } from '../../src/webhook/retry.ts';

const now = new Date('2026-03-01T12:00:00Z');
const hoursAgo = (hours: number) => new Date(now.getTime() - hours * 3_600_000);
const secondsUntil = (at: Date | null) => (at === null ? null : (at.getTime() - now.getTime()) / 1000);

describe('the wait after a failed attempt', () => {
  test.each([
    [1, 5],
    [2, 300],
    [3, 1_800],
    [4, 7_200],
    [5, 18_000],
    [6, 36_000],
    [7, 36_000],
  ])('number %i in a row is %i s', (failures, seconds) => {
    expect(secondsUntil(nextAttemptAt({ attempts: failures, queuedAt: now }, failures, now, 0.5))).toBe(
      seconds,
    );
  });

  test('stays the longest when an endpoint is down for longer', () => {
    expect(secondsUntil(nextAttemptAt({ attempts: 1, queuedAt: now }, 50, now, 0.5))).toBe(36_000);
  });

  test('is a tenth longer or shorter, at random', () => {
    const waits = [0, 0.25, 0.75, 0.999_999].map((random) =>
      secondsUntil(nextAttemptAt({ attempts: 2, queuedAt: now }, 2, now, random)),
    );
    expect(waits.map((wait) => Math.round(wait ?? 0))).toEqual([270, 285, 315, 330]);
  });

  test('is about 28 h in all', () => {
    expect(webhookRetrySeconds.reduce((sum, wait) => sum + wait, 0) / 3600).toBeCloseTo(27.6, 1);
  });
});

describe('a delivery is dead', () => {
  test('after eight attempts', () => {
    expect(nextAttemptAt({ attempts: 7, queuedAt: now }, 7, now, 0)).not.toBeNull();
    expect(nextAttemptAt({ attempts: 8, queuedAt: now }, 8, now, 0)).toBeNull();
  });

  test('when an attempt fails after it waited for 28 h', () => {
    expect(nextAttemptAt({ attempts: 1, queuedAt: hoursAgo(27.99) }, 1, now, 0)).not.toBeNull();
    expect(nextAttemptAt({ attempts: 1, queuedAt: hoursAgo(28) }, 1, now, 0)).toBeNull();
  });

  test('or tried again later than now, whatever happened', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 20 }),
        fc.integer({ min: 1, max: 1_000 }),
        fc.double({ min: 0, max: 60, noNaN: true }),
        fc.double({ min: 0, max: 0.999, noNaN: true }),
        (attempts, failures, hours, random) => {
          const at = nextAttemptAt({ attempts, queuedAt: hoursAgo(hours) }, failures, now, random);
          return at === null ? attempts > 7 || hours >= 28 : at > now;
        },
      ),
    );
  });
});
