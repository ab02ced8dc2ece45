import 'reflect-metadata';
import { databaseSchema } from '../database-schema.ts';
import { migrate } from '../db/migrate.ts';
import { sentenceFor } from '../messages.ts';
import { ownerUrl } from './owner-database.ts';

// npm run migrate: brings the schema of DATABASE_URL up to date, past a pooler where DATABASE_DIRECT_URL names one.
try {
  const url = ownerUrl();
  if (url === undefined) {
    console.error('DATABASE_URL is required: the embedded database migrates itself at start.');
    process.exit(1);
  }
  const executed = await migrate(url, databaseSchema);
  console.log(executed.length === 0 ? 'The schema is up to date.' : `Migrated: ${executed.join(', ')}.`);
} catch (error) {
  console.error(sentenceFor(error) ?? error);
  process.exit(1);
}
