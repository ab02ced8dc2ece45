import { randomBytes } from 'node:crypto';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { JWK } from 'jose';
import { newSigningKey } from './caller/development-issuer.ts';

/** Where `npm start` keeps its database and keys when it is given none. */
export const developmentFolder = '.cufflink';

/** Reads the signing key of a folder, or null. */
export async function readSigningKey(folder: string): Promise<JWK | null> {
  const text = await readFile(signingKeyFile(folder), 'utf8').catch(() => null);
  return text === null ? null : (JSON.parse(text) as JWK);
}

/** The signing key of a folder; made at first use. */
export async function ensureSigningKey(folder: string): Promise<JWK> {
  return (await readSigningKey(folder)) ?? (await writeOnce(signingKeyFile(folder), await newSigningKey()));
}

const signingKeyFile = (folder: string): string => join(folder, 'signing-key.json');

/** Written beside and moved into place: whoever reads it reads all of it. */
async function writeOnce<T extends object>(file: string, value: T): Promise<T> {
  await mkdir(join(file, '..'), { recursive: true, mode: 0o700 });
  const draft = `${file}.${randomBytes(6).toString('hex')}`;
  await writeFile(draft, JSON.stringify(value), { mode: 0o600, flag: 'wx' });
  await rename(draft, file);
  return value;
}
