import { randomBytes } from 'node:crypto';
import { readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from '@jest/globals';
import { readSomeEnv } from '../../src/env.ts';
import { encryptionKeyCommand } from '../../src/env-values.ts';
import { assertionKeyCommand } from '../../src/shared/assertion-keys.ts';
import { newClone } from '../process/clone.ts';
import { cleanUp, newFolder, repository, runProcess } from '../process/servers.ts';

/* What the documents say of settings is run as it stands there. */

afterEach(cleanUp);

const read = (path: string) => readFile(join(repository, path), 'utf8');
const sh = async (command: string, folder?: string) =>
  runProcess({ folder: folder ?? (await newFolder()), command: ['sh', '-c', command] });

/** Refused for each setting but those of the file. */
const refusedFor = (...names: string[]) =>
  `The settings can't be used:\n${names.map((name) => `  - ${name}.\n`).join('')}`;
const missing = ['DATABASE_URL', 'JWT_ISSUER', 'JWT_AUDIENCE', 'JWT_JWKS_URL', 'PUBLIC_URL'].map(
  (name) => `${name} is required in production`,
);

async function writeEnvFile(folder: string): Promise<void> {
  const { stdout } = await sh(assertionKeyCommand);
  const key = randomBytes(32).toString('base64');
  const lines = ['NODE_ENV=production', `ENCRYPTION_KEYS=k1:${key}`, `ASSERTION_KEY=${stdout}`];
  await writeFile(join(folder, '.env'), lines.join('\n'));
}

describe('how keys are made', () => {
  test('stands, word for word, in README, docs/operations.md and .env.example', async () => {
    for (const path of ['README.md', 'docs/operations.md', '.env.example'])
      expect({ path, text: await read(path) }).toEqual({
        path,
        text: expect.stringContaining(assertionKeyCommand),
      });
    for (const path of ['README.md', '.env.example'])
      expect(await read(path)).toContain(encryptionKeyCommand);
    expect(() => readSomeEnv(['ASSERTION_KEY'], { ASSERTION_KEY: 'x' })).toThrow(assertionKeyCommand);
    expect(() => readSomeEnv(['ENCRYPTION_KEYS'], { ENCRYPTION_KEYS: 'x' })).toThrow(encryptionKeyCommand);
  });

  test('prints an ASSERTION_KEY as the server takes it, another each time', async () => {
    const printed = [await sh(assertionKeyCommand), await sh(assertionKeyCommand)];
    const keys = printed.map(({ code, stdout, stderr }) => {
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
      expect(stdout).toMatch(/^\S+\n$/);
      return readSomeEnv(['NODE_ENV', 'ASSERTION_KEY'], {
        NODE_ENV: 'production',
        ASSERTION_KEY: stdout.trim(),
      }).assertionKey;
    });
    expect(keys[0]).toMatchObject({ kty: 'EC', crv: 'P-256', d: expect.stringMatching(/^[\w-]{43}$/) });
    expect(keys[0]).not.toEqual(keys[1]);
  });
});

describe("the README's way to use .env", () => {
  const line = async (ends: RegExp): Promise<string> => {
    const lines = (await read('README.md')).match(/^ {4}\S*node --env-file=\.env .*$/gm) ?? [];
    const found = lines.find((each) => ends.test(each));
    if (found === undefined) throw new Error(`README has no line of ${ends}.`);
    return found.trim();
  };

  test('hands the file to the server, JSON and all', async () => {
    const folder = await newFolder();
    await writeEnvFile(folder);
    for (const name of ['dist', 'node_modules']) await symlink(join(repository, name), join(folder, name));
    const { code, stderr } = await sh(await line(/main\.js$/), folder);
    expect({ code, stderr }).toEqual({ code: 1, stderr: refusedFor(...missing) });
  });

  test('hands the file to npm start', async () => {
    const folder = await newClone();
    await writeEnvFile(folder);
    const { code, stderr } = await sh(await line(/npm\)" start$/), folder);
    expect({ code, stderr }).toEqual({ code: 1, stderr: refusedFor(...missing) });
  });

  test('is not to read it into a shell, which strips the quotes of the JSON', async () => {
    const folder = await newFolder();
    await writeEnvFile(folder);
    const main = join(repository, 'dist/server/main.js');
    const { stderr } = await sh(`set -a; . ./.env; exec ${process.execPath} ${main}`, folder);
    expect(stderr).toContain('  - ASSERTION_KEY must be a private P-256 key as a JWK');
  });
});
