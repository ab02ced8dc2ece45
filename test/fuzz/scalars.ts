import type { Random, ScalarOf } from '../setup/random-operation.ts';
import { codeAt } from '../setup/totp.ts';
import type { FuzzGround } from './ground.ts';

/* What is given to arguments and fields of inputs: what means something, what means something elsewhere, and what is hostile. */

const pick = <T>(random: Random, from: readonly T[]): T => from[random(from.length)] as T;

const hostileTexts = [
  '',
  ' ',
  '\u0000',
  'a\u0000b',
  '\ud800',
  '\udfff\ud800',
  'a\u202eb',
  '\u2028\u2029\ufeff',
  'x'.repeat(256),
  '\u{1f600}'.repeat(200),
  'é'.repeat(2_000),
  "'; drop table users; --",
  '" or ""="',
  '\\x00\\',
  '%_%\\',
  '{{7*7}}<%= 7 %>',
  '<script>alert(1)</script>',
  '__proto__',
  'constructor',
  'toString',
  'null',
  'undefined',
  'NaN',
  '../../../../etc/passwd',
  '123456',
  '１２３４５６',
  '000000 ',
  '-1',
  '9'.repeat(400),
  'A'.repeat(43),
  `${'A'.repeat(43)}.dA`,
  '00000000-0000-0000-0000-000000000000',
  'eyJhbGciOiJub25lIn0.e30.',
];
const hostileNumbers = [0, -1, 2 ** 31 - 1, -(2 ** 31), 2 ** 31, 2 ** 53, 1.5, 1e300, -0];
const moments = [
  '1970-01-01T00:00:00Z',
  '0001-01-01T00:00:00Z',
  '9999-12-31T23:59:59.999Z',
  '+275760-09-13T00:00:00Z',
  '-271821-04-20T00:00:00Z',
  '2026-13-45T00:00:00Z',
  '2026-02-30T25:61:61+99:99',
  '2026-01-01',
  'now',
  '',
  0,
  1e18,
];
const otherKinds = [null, true, 7, 1.5, '7', [], {}, [['x']], { id: 'x' }, { __proto__: null }];

export const scalarOf =
  ({ known, codeSecrets }: FuzzGround): ScalarOf =>
  (type, name, random) => {
    const choice = random(20);
    if (choice === 19) return pick(random, otherKinds);
    switch (type) {
      case 'Boolean':
        return random(2) === 0;
      case 'Int':
      case 'Float':
        return choice < 14 ? pick(random, known[name] ?? [1, 2, 10]) : pick(random, hostileNumbers);
      case 'DateTime':
        return choice < 12
          ? new Date(Date.now() + (random(2_000_000) - 500_000) * 1000).toISOString()
          : pick(random, moments);
      case '_Any':
        return representation(known, random);
      default:
        if (choice < 13) return textOf(known, codeSecrets, name, random);
        return choice < 15 ? pick(random, Object.values(known).flat()) : pick(random, hostileTexts);
    }
  };

function textOf(
  known: FuzzGround['known'],
  secrets: readonly string[],
  name: string,
  random: Random,
): unknown {
  if (name === 'code' || name === 'currentCode') return codeAt(pick(random, secrets), new Date());
  return pick(random, known[name] ?? hostileTexts);
}

function representation(known: FuzzGround['known'], random: Random): unknown {
  const __typename = pick(random, ['Application', 'Tenant', 'User', 'User', 'Query', 'MfaPolicy', 'x', 7]);
  const id = pick(random, random(4) === 0 ? otherKinds : (known['id'] ?? []));
  return { __typename, id, ...(random(2) === 0 && { tenantId: pick(random, known['tenantId'] ?? []) }) };
}
