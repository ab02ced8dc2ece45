import 'reflect-metadata';
import { databaseSchema } from '../database-schema.ts';
import { migrate } from '../db/migrate.ts';
import { ownerUrl } from './owner-database.ts';
import { CommandRefused, runCommand } from './run-command.ts';

const help = `Brings the schema of DATABASE_URL up to date, and makes the record's partitions for two years ahead.

  npm run migrate

  --help   this text

DATABASE_URL must be that of the tables' owner; DATABASE_DIRECT_URL goes before it. Those that migrate at once do it once.
`;

await runCommand({ name: 'migrate', help, options: {} }, async () => {
  const url = ownerUrl();
  if (url === undefined) {
    throw new CommandRefused('DATABASE_URL is required: the embedded database migrates itself at start.');
  }
  const executed = await migrate(url, databaseSchema);
  console.log(executed.length === 0 ? 'The schema is up to date.' : `Migrated: ${executed.join(', ')}.`);
});
