import { parseArgs } from 'node:util';
import * as z from 'zod';
import { seedApplicationsMax, seedPrefixCharsMax, seedTenantsMax, seedUsersMax } from '../shared/limits.ts';

/** What is seeded. */
export interface SeedOptions {
  applications: number;
  tenants: number;
  users: number;
  /** Begins every id. */
  prefix: string;
  /** The same number makes the same data. */
  seed: number;
}

export interface SeedCommand extends SeedOptions {
  yes: boolean;
}

/** What was asked for can't be done; `problems` has a line for each reason. */
export class SeedRefused extends Error {
  override name = 'SeedRefused';

  constructor(problems: readonly string[]) {
    super(`Nothing was seeded:\n${problems.map((problem) => `  - ${problem}`).join('\n')}`);
  }
}

const seedMax = 2 ** 32 - 1;

export const help = `Fills the database with made-up applications, tenants and users, for trying things at scale.

  npm run -s seed -- [options]

  --applications NUMBER  1 to ${seedApplicationsMax} (10, or one per tenant where there are fewer)
  --tenants NUMBER       1 to ${seedTenantsMax} (1000)
  --users NUMBER         0 to ${seedUsersMax} (ten per tenant)
  --prefix TEXT          begins every id: 1 to ${seedPrefixCharsMax} letters, digits or any of . _ : @ | - (seed)
  --seed NUMBER          0 to ${seedMax}; the same number makes the same data (1)
  --yes                  also in production
  --help                 this text

It works on the database of DATABASE_URL, as the owner of its tables, or else on the embedded one, running or
not. All is written, or nothing. Names that are taken are refused: give each data set a prefix of its own.

Ids are PREFIX-a0001 (applications), PREFIX-t0000001 (tenants) and PREFIX-u00000001 (users). Users are in every
state: enrolled, waiting, disabled, with recovery codes, begun enrollments, grace and exemptions that run or are
over, never asked. Moments are counted back from now. The secrets of their authenticators are random, whatever
--seed says, and sealed with the first of ENCRYPTION_KEYS (without the setting, the key of development), so that
they open in a server with the same settings. Per application the record has one event, which names the seed.
`;

/**
 * Reads the command line.
 * @returns null where help is asked for
 * @throws SeedRefused naming every problem at once
 */
export function readOptions(args: readonly string[]): SeedCommand | null {
  const { values, positionals } = parseArgs({
    args: [...args],
    // Else the first mistake would hide the others.
    strict: false,
    allowPositionals: true,
    options: {
      applications: { type: 'string' },
      tenants: { type: 'string' },
      users: { type: 'string' },
      prefix: { type: 'string' },
      seed: { type: 'string' },
      yes: { type: 'boolean' },
      help: { type: 'boolean' },
    },
  });
  if (values['help'] === true) return null;
  const parsed = shape.safeParse(values);
  const problems = [
    ...(parsed.error?.issues ?? []).flatMap(sentencesOf),
    ...positionals.map((text) => `${text} is no option.`),
  ];
  if (!parsed.success || problems.length > 0) throw new SeedRefused(problems);
  const { tenants, yes, prefix, seed } = parsed.data;
  const { applications = Math.min(10, tenants), users = Math.min(10 * tenants, seedUsersMax) } = parsed.data;
  if (applications > tenants) {
    throw new SeedRefused([`--applications must be at most --tenants, which is ${tenants}.`]);
  }
  return { applications, tenants, users, prefix, seed, yes };
}

const text = (error: string) => z.string({ error });

/** Digits only: coercion would read blanks as 0, and hexadecimal. */
function wholeNumber(min: number, max: number) {
  const error = `must be a whole number from ${min} to ${max}`;
  return text(error)
    .regex(/^\d{1,12}$/, { error })
    .transform(Number)
    .refine((number) => number >= min && number <= max, { error });
}

const prefixError = `must be 1 to ${seedPrefixCharsMax} letters, digits or any of . _ : @ | -`;
const switchError = { error: 'takes no value' };

const shape = z.strictObject({
  applications: wholeNumber(1, seedApplicationsMax).optional(),
  tenants: wholeNumber(1, seedTenantsMax).default(1_000),
  users: wholeNumber(0, seedUsersMax).optional(),
  prefix: text(prefixError)
    .regex(new RegExp(`^[A-Za-z0-9._:@|-]{1,${seedPrefixCharsMax}}$`), { error: prefixError })
    .default('seed'),
  seed: wholeNumber(0, seedMax).default(1),
  yes: z.boolean(switchError).default(false),
  help: z.literal(true, switchError).optional(),
});

function sentencesOf(issue: z.core.$ZodIssue): string[] {
  return issue.code === 'unrecognized_keys'
    ? issue.keys.map((name) => `--${name} is no option.`)
    : [`--${String(issue.path[0])} ${issue.message}.`];
}
