import { join } from 'node:path';
import { databaseSchema } from '../database-schema.ts';
import { startEmbeddedPostgres } from '../db/embedded.ts';
import { runningEmbeddedUrl } from '../db/embedded-url.ts';
import { migrate } from '../db/migrate.ts';
import { developmentFolder } from '../development.ts';
import { readSomeEnv } from '../env.ts';

/**
 * The address of the database that a command works on, as its owner: past a pooler where there is one.
 * @returns undefined where none is given: then it is the embedded one
 */
export function ownerUrl(): string | undefined {
  const { databaseUrl, databaseDirectUrl } = readSomeEnv(['DATABASE_URL', 'DATABASE_DIRECT_URL']);
  return databaseDirectUrl ?? databaseUrl;
}

/**
 * Gives a command the database it works on, as its owner: that of `ownerUrl`; without one the
 * embedded database, which is started for it, and migrated, where no server of ours is running on it.
 * @param work gets the connection string
 */
export async function withOwnerDatabase<T>(work: (url: string) => Promise<T>): Promise<T> {
  const url = ownerUrl();
  if (url !== undefined) return work(url);
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
