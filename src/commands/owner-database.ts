import { join } from 'node:path';
import { databaseSchema } from '../database-schema.ts';
import { startEmbeddedPostgres } from '../db/embedded.ts';
import { runningEmbeddedUrl } from '../db/embedded-url.ts';
import { migrate } from '../db/migrate.ts';
import { developmentFolder } from '../development.ts';
import { readSomeEnv } from '../env.ts';

/**
 * Gives a command the database it works on, as its owner: that of DATABASE_URL; without one the
 * embedded database, which is started for it, and migrated, where no server of ours is running on it.
 * @param work gets the connection string
 */
export async function withOwnerDatabase<T>(work: (url: string) => Promise<T>): Promise<T> {
  const { databaseUrl } = readSomeEnv(['DATABASE_URL']);
  if (databaseUrl !== undefined) return work(databaseUrl);
  const folder = join(developmentFolder, 'postgres');
  const running = await runningEmbeddedUrl(folder);
  if (running !== null) return work(running);
  const embedded = await startEmbeddedPostgres(folder);
  try {
    await migrate(embedded.url, databaseSchema);
    return await work(embedded.url);
  } finally {
    await embedded.stop();
  }
}
