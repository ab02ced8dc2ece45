import 'reflect-metadata';
import { databaseSchema } from '../database-schema.ts';
import { migrate } from '../db/migrate.ts';
import { readSomeEnv } from '../env.ts';
import { CommandRefused, runCommand } from './run-command.ts';

const help = `Brings the schema of DATABASE_URL up to date, and makes the record's partitions for two years ahead.

  npm run migrate

  --help   this text

DATABASE_URL must be that of the tables' owner. Those that migrate at once do it once.
`;

await runCommand({ name: 'migrate', help, options: {} }, async () => {
  const { databaseUrl } = readSomeEnv(['DATABASE_URL']);
  if (databaseUrl === undefined) {
    throw new CommandRefused('DATABASE_URL is required: the embedded database migrates itself at start.');
  }
  const executed = await migrate(databaseUrl, databaseSchema);
  console.log(executed.length === 0 ? 'The schema is up to date.' : `Migrated: ${executed.join(', ')}.`);
});
