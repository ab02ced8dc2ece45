import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { dropDatabases, newMigratedDatabase, withClient } from '../process/databases.ts';
import { cleanUp, newFolder, startProcess } from '../process/servers.ts';
import { type Key, newKey, rotate, seed } from './ring.ts';

/* CRY-2: a key that is another under the right id, or is missing, is noticed before users are. */

const right = newKey('2026');
const wrong: Key = { id: right.id, key: randomBytes(32) };
let url: string;
beforeEach(async () => {
  url = await newMigratedDatabase();
  await seed(url, right, 200);
});
afterEach(async () => {
  await cleanUp();
  await dropDatabases();
});

/** What a server that starts with a key logs of keys. */
async function toldBy({ id, key }: Key): Promise<unknown[]> {
  const server = startProcess({
    folder: await newFolder('keys'),
    env: { DATABASE_URL: url, ENCRYPTION_KEYS: `${id}:${key.toString('base64')}` },
  });
  await server.ready();
  server.kill('SIGTERM');
  await server.ended();
  const lines = server
    .stdout()
    .split('\n')
    .filter((line) => line.startsWith('{'));
  return lines.map((line) => JSON.parse(line)).filter(({ msg }) => msg.includes('ENCRYPTION_KEYS'));
}

test('CRY-2: keys:rotate -- --plan names a key that opens nothing of its id, and exits with 2', async () => {
  expect(await rotate(url, [right], '--plan')).toMatchObject({ code: 0, stderr: '' });
  const { code, stderr } = await rotate(url, [wrong], '--plan');
  expect(code).toBe(2);
  expect(stderr).toContain('The key 2026 of ENCRYPTION_KEYS opens nothing of that id in auth_factors');
});

test('CRY-2: one row that was altered is not taken for a wrong key', async () => {
  await withClient(url, (client) =>
    client.query(
      `update auth_factors set secret = '\\x00'::bytea || substr(secret, 2) where type = 'TOTP' and (tenant_id, user_id) =
         (select tenant_id, user_id from auth_factors where type = 'TOTP' limit 1)`,
    ),
  );
  expect(await rotate(url, [right], '--plan')).toMatchObject({ code: 0, stderr: '' });
  expect(await toldBy(right)).toEqual([]);
});

test('CRY-2: a server serves, and warns of a key that opens nothing and of one that is missing', async () => {
  expect(await toldBy(right)).toEqual([]);
  expect(await toldBy(wrong)).toContainEqual(
    expect.objectContaining({ level: 40, key: '2026', table: 'auth_factors' }),
  );
  const told = await toldBy(newKey('2027'));
  expect(told).toEqual([
    expect.objectContaining({ level: 40, key: '2026', msg: expect.stringContaining('lacks') }),
  ]);
});
