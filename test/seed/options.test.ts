import { describe, expect, test } from '@jest/globals';
import { readOptions } from '../../src/seed/options.ts';

describe('what can not be is refused, with every reason at once', () => {
  const tenants = '--tenants must be a whole number from 1 to 1000000.';
  const users = '--users must be a whole number from 0 to 10000000.';
  const applications = '--applications must be a whole number from 1 to 1000.';
  const prefix = '--prefix must be 1 to 32 letters, digits or any of . _ : @ | -.';
  const seed = '--seed must be a whole number from 0 to 4294967295.';

  test.each<[string, string[]]>([
    ['--tenants 0', [tenants]],
    ['--tenants 1000001', [tenants]],
    ['--tenants -1', [tenants]],
    ['--tenants 1e3', [tenants]],
    ['--tenants 1.5', [tenants]],
    ['--tenants 0x10', [tenants]],
    ['--tenants', [tenants]],
    ['--tenants=', [tenants]],
    ['--users 10000001', [users]],
    ['--users many', [users]],
    ['--applications 0', [applications]],
    ['--applications 1001 --tenants 2000', [applications]],
    ['--applications 4 --tenants 3', ['--applications must be at most --tenants, which is 3.']],
    ['--prefix=', [prefix]],
    ['--prefix a/b', [prefix]],
    [`--prefix ${'a'.repeat(33)}`, [prefix]],
    ['--seed 4294967296', [seed]],
    ['--yes=true', ['--yes takes no value.']],
    ['--tenant 5', ['--tenant is no option.', '5 is no option.']],
    ['100', ['100 is no option.']],
    [
      '--tenants 0 --users x --applications 0 --prefix ä --seed x --fast',
      [applications, tenants, users, prefix, seed, '--fast is no option.'],
    ],
  ])('%s', (line, problems) => {
    expect(() => readOptions(line.split(' '))).toThrow(
      `Nothing was seeded:\n${problems.map((problem) => `  - ${problem}`).join('\n')}`,
    );
  });
});

test.each<[string, object]>([
  ['', { applications: 10, tenants: 1000, users: 10_000, prefix: 'seed', seed: 1, yes: false }],
  ['--tenants 3', { applications: 3, tenants: 3, users: 30 }],
  ['--tenants 1000000', { applications: 10, users: 10_000_000 }],
  ['--applications 1000 --tenants 1000 --users 0', { applications: 1000, users: 0 }],
  [
    '--seed 4294967295 --prefix a.b_c:d@e|f-9 --yes',
    { seed: 4_294_967_295, prefix: 'a.b_c:d@e|f-9', yes: true },
  ],
])('what is left out has a default: %s', (line, options) => {
  expect(readOptions(line === '' ? [] : line.split(' '))).toMatchObject(options);
});

test('help goes before everything else', () => {
  expect(readOptions(['--help', '--tenants', '0'])).toBeNull();
});
