import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  changedParts,
  isChanged,
  rebase,
  startDraft,
  takeStored,
} from '../../src/console/admin/policy/draft.ts';
import { hintsFor, isFine, weakerThan } from '../../src/console/admin/policy/hints.ts';
import type { PolicyValues } from '../../src/console/admin/policy/values.ts';
import { inputOf } from '../../src/console/admin/policy/values.ts';
import { contradictionIn, weaknessOf } from '../../src/policy/effective-policy.ts';
import { policyWrite } from '../../src/policy/policy.input.ts';
import { InvalidInput, parseInput } from '../../src/shared/user-error.type.ts';

/* A policy draft of the console: what is typed is never lost, and what is said before saving is what the server says. */

const anyValues: fc.Arbitrary<PolicyValues> = fc.record({
  totpEnabled: fc.boolean(),
  recoveryCodesEnabled: fc.boolean(),
  enrollment: fc.constantFrom('OPTIONAL' as const, 'REQUIRED' as const),
  gracePeriodDays: fc.oneof(fc.constantFrom(0, 7, 30, 365, 366, -1), fc.integer({ min: 0, max: 400 })),
  issuer: fc.oneof(
    fc.constantFrom(
      '',
      ' ',
      'Harbor',
      ' Harbor ',
      'a:b',
      'شركة',
      'x'.repeat(64),
      'x'.repeat(65),
      '🙂'.repeat(64),
    ),
    fc.string({ unit: 'binary', maxLength: 70 }),
  ),
});

const anyStored = fc.record({
  values: anyValues,
  enabled: fc.boolean(),
  version: fc.integer({ min: 0, max: 9 }),
});

describe('a draft that somebody else was faster than', () => {
  test('keeps what was typed, takes what was not, and names every clash', () => {
    fc.assert(
      fc.property(anyStored, anyStored, anyValues, fc.boolean(), (base, theirs, values, enabled) => {
        const mine = { base, values, enabled };
        const { draft, changes } = rebase(mine, theirs);
        expect(draft.base).toBe(theirs);
        for (const part of [
          'totpEnabled',
          'recoveryCodesEnabled',
          'enrollment',
          'gracePeriodDays',
          'issuer',
        ] as const) {
          const isMine = changedParts(mine).includes(part);
          expect(draft.values[part]).toBe(isMine ? values[part] : theirs.values[part]);
        }
        expect(draft.enabled).toBe(enabled === base.enabled ? theirs.enabled : enabled);
        const clashing = changes.filter(({ clashes }) => clashes).map(({ part }) => part);
        expect(changedParts(draft)).toEqual(expect.arrayContaining(clashing));
        let settled = draft;
        for (const part of changedParts(draft)) settled = takeStored(settled, part);
        expect(isChanged(settled)).toBe(false);
      }),
    );
  });

  test('names nothing where nobody changed anything', () => {
    fc.assert(
      fc.property(anyStored, (stored) => {
        expect(rebase(startDraft(stored), stored)).toEqual({ draft: startDraft(stored), changes: [] });
      }),
    );
  });
});

/** As the server stores them. */
const asStored = (values: PolicyValues) => ({
  ...values,
  gracePeriodDays: Number(values.gracePeriodDays),
  issuer: values.issuer.trim() || null,
});

describe('what is said before saving', () => {
  const all = ['totpEnabled', 'recoveryCodesEnabled', 'enrollment', 'gracePeriodDays', 'issuer'] as const;

  test('is refused exactly where the server refuses', () => {
    fc.assert(
      fc.property(anyValues, (values) => {
        const isRefused = parseInput(policyWrite, { policy: inputOf(values, all) }) instanceof InvalidInput;
        const isContradiction = contradictionIn(asStored(values)) !== null;
        expect(isFine(hintsFor(values))).toBe(!isRefused && !isContradiction);
      }),
      { numRuns: 1_000 },
    );
  });

  test('of an override that must be stricter is refused exactly where the server refuses', () => {
    fc.assert(
      fc.property(
        anyValues,
        anyValues,
        fc.constantFrom('ANY' as const, 'STRICTER_ONLY' as const, 'NONE' as const),
        (values, application, overrideRule) => {
          fc.pre(
            contradictionIn(asStored(values)) === null && contradictionIn(asStored(application)) === null,
          );
          const weakness = weaknessOf(asStored(values), { overrideRule, policy: asStored(application) });
          expect(isFine(weakerThan(values, application, overrideRule))).toBe(weakness === null);
        },
      ),
      { numRuns: 1_000 },
    );
  });
});
