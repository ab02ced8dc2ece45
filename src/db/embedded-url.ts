import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { findPostmaster } from './postmaster.ts';

/** Who owns the embedded database. */
export const superuser = 'cufflink';

/** Says what PG* variables of the shell would say otherwise. */
export const embeddedUrl = (port: number, password: string): string =>
  `postgres://${superuser}:${password}@127.0.0.1:${port}/cufflink?sslmode=disable&options=-c%20client_min_messages%3Dwarning`;

/** Where the embedded database of a folder runs now, as its owner; null while it does not. */
export async function runningEmbeddedUrl(folder: string): Promise<string | null> {
  const postmaster = await findPostmaster(join(folder, 'data'));
  if (postmaster?.status !== 'ready') return null;
  const password = (await readFile(join(folder, 'password'), 'utf8')).trim();
  return embeddedUrl(postmaster.port, password);
}
