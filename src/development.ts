import { createECDH, hkdfSync, randomBytes } from 'node:crypto';
import { link, mkdir, readFile, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { JWK } from 'jose';

/** Where `npm start` keeps its database and seed when it is given no database. */
export const developmentFolder = '.cufflink';

/** Keys for development, all derived from one seed. */
export interface DevelopmentKeys {
  /** Signs bearer tokens. */
  bearer: JWK;
  /** Signs assertions. */
  assertion: JWK;
  /** Seals secrets. */
  encryption: { id: string; key: Buffer };
}

/**
 * The keys of development.
 *
 * Beside the embedded database a seed in its folder makes them all. With DATABASE_URL the folder is
 * not touched: what seals and signs is made from the connection string, so that every server on that
 * database has the same keys, also after a restart; what bearer tokens are signed with lives as long
 * as the process, since a connection string without a password could be guessed.
 */
export async function developmentKeys(
  folder: string,
  databaseUrl: string | undefined,
): Promise<DevelopmentKeys> {
  const seed = databaseUrl ?? (await ensureSeed(folder));
  return {
    bearer: bearerKey(databaseUrl === undefined ? seed : randomBytes(32).toString('base64url')),
    assertion: p256Key(seed, 'assertion'),
    encryption: { id: 'development', key: derive(seed, 'encryption', 32) },
  };
}

/** The key of a folder that signs bearer tokens; null where no embedded database was started yet. */
export async function readBearerKey(folder: string): Promise<JWK | null> {
  const seed = await readSeed(folder);
  return seed === null ? null : bearerKey(seed);
}

const bearerKey = (seed: string): JWK => ({
  ...p256Key(seed, 'bearer'),
  kid: 'development',
  alg: 'ES256',
  use: 'sig',
});

const derive = (seed: string, use: string, bytes: number): Buffer =>
  Buffer.from(hkdfSync('sha256', seed, 'cufflink development', use, bytes));

/** The order of P-256 [SEC 2 section 2.4.2]. */
const order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;

/** A private key from 48 derived bytes: so many more than 32 that the reduction leaves no bias [FIPS 186-5 A.2.1]. */
function p256Key(seed: string, use: string): JWK {
  const d = (BigInt(`0x${derive(seed, use, 48).toString('hex')}`) % (order - 1n)) + 1n;
  const ecdh = createECDH('prime256v1');
  ecdh.setPrivateKey(d.toString(16).padStart(64, '0'), 'hex');
  const point = ecdh.getPublicKey();
  return {
    kty: 'EC',
    crv: 'P-256',
    x: point.subarray(1, 33).toString('base64url'),
    y: point.subarray(33).toString('base64url'),
    d: Buffer.from(d.toString(16).padStart(64, '0'), 'hex').toString('base64url'),
  };
}

const seedFile = (folder: string): string => join(folder, 'seed');

/** @returns null where there is none yet @throws for one that is broken: a new one would open nothing */
async function readSeed(folder: string): Promise<string | null> {
  const seed = await readFile(seedFile(folder), 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw error;
  });
  if (seed !== null && !/^[\w-]{43}$/.test(seed)) throw new Error(`${seedFile(folder)} is broken.`);
  return seed;
}

/** Written beside and linked into place: whoever comes second reads the first one's, whole. */
export async function ensureSeed(folder: string): Promise<string> {
  const seed = await readSeed(folder);
  if (seed !== null) return seed;
  const file = seedFile(folder);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const draft = `${file}.${randomBytes(6).toString('hex')}`;
  await writeFile(draft, randomBytes(32).toString('base64url'), { mode: 0o600, flag: 'wx' });
  await link(draft, file).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error;
  });
  await unlink(draft);
  return readFile(file, 'utf8');
}
