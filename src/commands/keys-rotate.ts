import 'reflect-metadata';
import { databaseSchema } from '../database-schema.ts';
import { type Database, openDatabase } from '../db/connection.ts';
import { assertSchemaIsKnown } from '../db/migrate.ts';
import { sql } from '../db/sql.ts';
import { readSomeEnv } from '../env.ts';
import { checkKeys } from '../keys/check.ts';
import { type Holding, holdingsOf } from '../keys/inventory.ts';
import { dropRecoveryCodes } from '../keys/recovery-codes.ts';
import { countToMove, type Rotation, rotateKeys } from '../keys/rotate.ts';
import { counted, showProgress } from '../seed/progress.ts';
import { systemClock } from '../shared/clock.ts';
import { uuidV7Ids } from '../shared/ids.ts';
import { KeyRing } from '../shared/key-ring.ts';
import { withOwnerDatabase } from './owner-database.ts';
import { CommandRefused, runCommand } from './run-command.ts';

const help = `Seals every secret anew with the first key of ENCRYPTION_KEYS, while servers work.

  npm run keys:rotate -- [--plan] [--drop-recovery-codes]

  --plan                  only tells what each key still keeps, and whether it opens it; exits with 2 while another than the first is needed
  --drop-recovery-codes   also takes away the recovery codes that another key keeps: they can't be sealed anew
  --help                  this text

Exits with 0 when all is done, with 2 when something is left (it is named), with 1 when it could not work.
Recovery codes of another key count as left with --plan and with --drop-recovery-codes.
Whatever ends it in the middle, the same command goes on from there.
`;

await runCommand(
  {
    name: 'keys:rotate',
    help,
    options: {
      plan: { type: 'boolean', default: false },
      'drop-recovery-codes': { type: 'boolean', default: false },
    },
  },
  (values) => run(values.plan, values['drop-recovery-codes']),
);

async function run(isPlan: boolean, dropsCodes: boolean): Promise<void> {
  const env = readSomeEnv(['NODE_ENV', 'DATABASE_URL', 'ENCRYPTION_KEYS', 'CLOCK_OFFSET_SECONDS']);
  const { encryptionKeys } = env;
  if (encryptionKeys === undefined) {
    throw new CommandRefused(
      'ENCRYPTION_KEYS is required: first the key that is to seal, then those that sealed before.',
    );
  }
  const ring = new KeyRing(encryptionKeys);
  const others = encryptionKeys.slice(1).map(({ id }) => id);
  await withOwnerDatabase(async (url) => {
    const database = await openDatabase({ url, schema: databaseSchema, unlimited: true });
    try {
      await assertSchemaIsKnown(database);
      let isDone = true;
      if (!isPlan) {
        isDone = tellRotation(await rotate(database, ring), ring);
        if (dropsCodes) {
          const ids = uuidV7Ids(systemClock(env.clockOffsetSeconds));
          const ofOthers = sql`f.key_id <> ${ring.firstId}`;
          const dropped = await dropRecoveryCodes(database.fork(), ids, ofOthers, 'its key was replaced');
          console.log(`Dropped ${counted(dropped)} recovery codes.`);
        }
      }
      const holdings = await holdingsOf(database.fork());
      const isFree = tellHoldings(holdings, ring, others);
      const held = [...new Set(holdings.map(({ keyId }) => keyId))].filter((id) => ring.has(id));
      const { wrong } = await checkKeys(database.fork(), ring, held);
      for (const { keyId, table } of wrong) {
        console.error(
          `The key ${keyId} of ENCRYPTION_KEYS opens nothing of that id in ${table}: it is another key under the same id. Put the right one back.`,
        );
      }
      if (!isDone || wrong.length > 0 || ((isPlan || dropsCodes) && !isFree)) process.exitCode = 2;
    } finally {
      await database.close();
    }
  });
}

async function rotate(database: Database, ring: KeyRing): Promise<Rotation> {
  const total = await countToMove(database, ring);
  const progress = showProgress(process.stderr, Math.max(total, 1));
  let left = total;
  try {
    return await rotateKeys(database, ring, {
      onRow() {
        // What servers sealed meanwhile comes on top.
        if (left > 0) progress.step();
        left -= 1;
      },
    });
  } finally {
    progress.stop();
  }
}

/** @returns whether all could be moved */
function tellRotation({ moved, inUse, unknownKeys, broken }: Rotation, ring: KeyRing): boolean {
  console.log(`Sealed anew with ${ring.firstId}: ${counted(moved)} rows.`);
  for (const [keyId, count] of unknownKeys) {
    console.error(
      `Left as they are: ${counted(count)} rows of the key ${keyId}, which ENCRYPTION_KEYS does not name.`,
    );
  }
  if (broken.count > 0) {
    const more = broken.count > broken.names.length ? ', and more' : '';
    console.error(
      `Left as they are: ${counted(broken.count)} rows that do not open; they were altered, or their key is another of the same id: ${broken.names.join('; ')}${more}.`,
    );
  }
  if (inUse > 0) console.error(`Left: ${counted(inUse)} rows that were in use all the time; run this again.`);
  return unknownKeys.size === 0 && broken.count === 0 && inUse === 0;
}

/** @returns whether no other key than the first is needed */
function tellHoldings(holdings: readonly Holding[], ring: KeyRing, others: readonly string[]): boolean {
  for (const { keyId, table, what, moves, count } of holdings) {
    const left =
      keyId === ring.firstId ? '' : moves ? '; to be sealed anew' : '; die on use or renewal, or are dropped';
    console.log(`${keyId}: ${counted(count)} ${what} (${table})${left}`);
  }
  const held = new Set(holdings.map(({ keyId }) => keyId));
  for (const id of others) {
    console.log(
      held.has(id) ? `The key ${id} is still needed.` : `The key ${id} may be removed from ENCRYPTION_KEYS.`,
    );
  }
  const unknown = [...held].filter((id) => !ring.has(id));
  for (const id of unknown) console.log(`The key ${id} is needed, and ENCRYPTION_KEYS does not name it.`);
  return unknown.length === 0 && !others.some((id) => held.has(id));
}
