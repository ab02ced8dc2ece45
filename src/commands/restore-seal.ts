import 'reflect-metadata';
import { databaseSchema } from '../database-schema.ts';
import { openDatabase } from '../db/connection.ts';
import { assertSchemaIsKnown } from '../db/migrate.ts';
import { readSomeEnv } from '../env.ts';
import { planSeal, type Seal, SealRefused, sealRestored } from '../restore/seal.ts';
import { counted } from '../seed/progress.ts';
import { systemClock } from '../shared/clock.ts';
import { uuidV7Ids } from '../shared/ids.ts';
import { withOwnerDatabase } from './owner-database.ts';
import { runCommand } from './run-command.ts';

const help = `Makes a database that was restored from a backup safe to serve from: what may have been used since counts as used.

  npm run restore:seal -- --plan | --yes [--keep-recovery-codes]

  --plan                  only tells what would be done
  --yes                   does it; all servers are stopped, and this is a restored database
  --keep-recovery-codes   no recovery code was redeemed, replaced or removed since the backup
  --help                  this text

DATABASE_URL must be that of the tables' owner; DATABASE_DIRECT_URL goes before it. docs/operations.md says what it can't know.
`;

await runCommand(
  {
    name: 'restore:seal',
    help,
    options: {
      plan: { type: 'boolean', default: false },
      yes: { type: 'boolean', default: false },
      'keep-recovery-codes': { type: 'boolean', default: false },
    },
    refusals: [SealRefused],
  },
  async (values) => {
    if (values.plan === values.yes) {
      throw new SealRefused(
        'Give --plan to see what would be done, or --yes to do it: it ends what is open and takes away recovery codes, which is for a restored database alone.',
      );
    }
    await run(values.plan, values['keep-recovery-codes']);
  },
);

async function run(isPlan: boolean, keepsRecoveryCodes: boolean): Promise<void> {
  const env = readSomeEnv(['NODE_ENV', 'DATABASE_URL', 'CLOCK_OFFSET_SECONDS']);
  const clock = systemClock(env.clockOffsetSeconds);
  const options = { clock, ids: uuidV7Ids(clock), keepsRecoveryCodes };
  const sealed = await withOwnerDatabase(async (url) => {
    // One connection: any other that calls itself so is a server's.
    const database = await openDatabase({
      url,
      schema: databaseSchema,
      unlimited: true,
      poolConnectionsMax: 1,
    });
    try {
      await assertSchemaIsKnown(database);
      return await (isPlan ? planSeal : sealRestored)(database.fork(), options);
    } finally {
      await database.close();
    }
  });
  console.log(lineOf(sealed, isPlan));
}

function lineOf(seal: Seal, isPlan: boolean): string {
  const { authenticators, recoveryCodes, pendingFactors, steps, recorded } = seal;
  const done = [
    `${counted(authenticators)} authenticators take no code of before`,
    `${counted(recoveryCodes)} recovery codes go`,
    `${counted(steps)} open MFA steps end`,
    `${counted(pendingFactors)} authenticators that were begun go`,
    `${counted(recorded)} applications have it in their record`,
  ];
  return `${isPlan ? 'Would seal' : 'Sealed'}: ${done.join(', ')}.`;
}
