import { access } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { databaseSchema } from '../database-schema.ts';
import { startEmbeddedPostgres } from '../db/embedded.ts';
import { EmbeddedPostgresError } from '../db/embedded-error.ts';
import { runningEmbeddedUrl } from '../db/embedded-url.ts';
import { migrate } from '../db/migrate.ts';
import { developmentFolder } from '../development.ts';
import { readSomeEnv } from '../env.ts';

/**
 * The address of the database that a command works on, as its owner: past a pooler where there is one.
 * @returns undefined where none is given: then it is the embedded one
 * @throws EnvError in production without DATABASE_URL
 */
export function ownerUrl(): string | undefined {
  const { databaseUrl, databaseDirectUrl } = readSomeEnv(['NODE_ENV', 'DATABASE_URL', 'DATABASE_DIRECT_URL']);
  return databaseDirectUrl ?? databaseUrl;
}

/**
 * Gives a command the database it works on, as its owner: that of `ownerUrl`; without one the
 * embedded database, which is started for it, and migrated, where no server of ours is running on it.
 * Which one it is, is said: an answer about another database than was meant must not look like the right one.
 * @param work gets the connection string
 * @param absent what becomes of an embedded database that is not there
 * @throws EmbeddedPostgresError, and what `ownerUrl` throws
 */
export async function withOwnerDatabase<T>(
  work: (url: string) => Promise<T>,
  absent: 'refused' | 'made' = 'refused',
): Promise<T> {
  const url = ownerUrl();
  if (url !== undefined) return work(url);
  const folder = resolve(developmentFolder, 'postgres');
  if (absent === 'refused' && !(await isThere(join(folder, 'data')))) {
    throw new EmbeddedPostgresError(
      `DATABASE_URL is not given, and there is no embedded database in ${folder}; set DATABASE_URL to that of the tables' owner, or run this in the folder where npm start made one.`,
    );
  }
  console.error(`DATABASE_URL is not given: this is about the embedded database in ${folder}.`);
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

/** Whoever may not look will be told by what opens it. */
const isThere = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    (error: NodeJS.ErrnoException) => error.code !== 'ENOENT',
  );
