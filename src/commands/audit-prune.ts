import 'reflect-metadata';
import { MonthInUse, pruneRecord } from '../audit/prune.ts';
import { databaseSchema } from '../database-schema.ts';
import { openDatabase } from '../db/connection.ts';
import { assertSchemaIsKnown } from '../db/migrate.ts';
import { withOwnerDatabase } from './owner-database.ts';
import { CommandRefused, runCommand } from './run-command.ts';

const help = `Deletes the audit record before a month, and keeps that it was done.

  npm run audit:prune -- --before 2026-01 [--plan]

  --before MONTH   the first month that stays, in UTC
  --plan           only tells what would go
  --help           this text

DATABASE_URL must be that of the tables' owner, and DATABASE_DIRECT_URL goes before it; a server's role can't delete from the record.
`;

await runCommand(
  {
    name: 'audit:prune',
    help,
    options: { before: { type: 'string' }, plan: { type: 'boolean', default: false } },
    refusals: [MonthInUse],
  },
  async (values) => {
    const now = new Date();
    const before = monthOf(values.before, now);
    const { partitions, otherEvents, seals } = await withOwnerDatabase(async (url) => {
      const database = await openDatabase({ url, schema: databaseSchema, unlimited: true });
      try {
        await assertSchemaIsKnown(database);
        return await pruneRecord(database.fork(), before, now, values.plan);
      } finally {
        await database.close();
      }
    });
    const months = partitions.length === 0 ? 'no month' : partitions.join(', ');
    console.log(
      `${values.plan ? 'Would delete' : 'Deleted'} before ${before.toISOString()}: ${months}, ${otherEvents} other events, ${seals} seals.`,
    );
  },
);

/** A day may be given too, if it is a month's first. */
function monthOf(text: string | undefined, now: Date): Date {
  const month = new Date(`${/^\d{4}-\d{2}$/.test(text ?? '') ? `${text}-01` : text}T00:00:00.000Z`);
  if (Number.isNaN(month.getTime()) || month.getUTCDate() !== 1) {
    throw new CommandRefused('--before must be a month, such as 2026-01: the first one that stays.');
  }
  if (month > now) throw new CommandRefused('--before must not be in the future: the present month stays.');
  return month;
}
