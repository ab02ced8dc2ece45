import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { exportJWK, generateKeyPair } from 'jose';
import { placeText } from '../../src/factor/rows.ts';
import { createService } from '../../src/service.ts';
import type { Clock } from '../../src/shared/clock.ts';
import { KeyRing } from '../../src/shared/key-ring.ts';
import { secretPlace } from '../../src/webhook/signing.ts';
import { withClient } from '../process/databases.ts';
import { newFolder, repository, runProcess, startProcess } from '../process/servers.ts';
import { publicUrl } from '../setup/harness.ts';

/* Keys that take turns, and the command that moves secrets from one to the other. */

export interface Key {
  id: string;
  key: Buffer;
}

export const newKey = (id: string): Key => ({ id, key: randomBytes(32) });

const setting = (...keys: Key[]): string =>
  keys.map(({ id, key }) => `${id}:${key.toString('base64')}`).join(',');

const assertionKey = generateKeyPair('ES256', { extractable: true }).then(({ privateKey }) =>
  exportJWK(privateKey),
);

/** What a server with these keys works with; all of a file sign assertions with one key. */
export const serviceWith = async (clock: Clock, ...encryptionKeys: Key[]) =>
  createService({ clock, encryptionKeys, assertionKey: await assertionKey, publicUrl, redirectOrigins: [] });

const command = (name: string, args: readonly string[]): [string, ...string[]] => [
  process.execPath,
  join(repository, `dist/src/commands/${name}.js`),
  ...args,
];

const rotation = async (url: string, keys: readonly Key[], args: readonly string[]) => ({
  folder: await newFolder('keys'),
  env: { DATABASE_URL: url, ENCRYPTION_KEYS: setting(...keys) },
  command: command('keys-rotate', args),
});

/** Runs npm run keys:rotate to its end. */
export const rotate = async (url: string, keys: readonly Key[], ...args: string[]) =>
  runProcess(await rotation(url, keys, args));

/** The same, to be killed. */
export const startRotation = async (url: string, keys: readonly Key[]) =>
  startProcess(await rotation(url, keys, []));

/** Fills a database with made-up users, whose secrets this key seals. */
export async function seed(url: string, key: Key, users: number): Promise<void> {
  const { code, stderr } = await runProcess({
    folder: await newFolder('seed'),
    env: { DATABASE_URL: url, ENCRYPTION_KEYS: setting(key) },
    command: command('seed', ['--tenants', '10', '--users', String(users)]),
  });
  if (code !== 0) throw new Error(stderr);
}

interface Row {
  name: string;
  key_id: string;
  secret: Buffer;
  place: string;
}

/** Every sealed secret of a database, by what it belongs to, opened with the key that it names. */
export const openedSecrets = (
  url: string,
  ...keys: Key[]
): Promise<Map<string, { keyId: string; secret: string }>> =>
  withClient(url, async (client) => {
    const ring = new KeyRing(keys);
    const opened = new Map<string, { keyId: string; secret: string }>();
    for (const table of ['auth_factors', 'pending_auth_factors']) {
      const { rows } = await client.query<Row & { tenant_id: string; user_id: string; id: string }>(
        `select * from ${table} where type = 'TOTP'`,
      );
      for (const { tenant_id: tenantId, user_id: userId, id, key_id: keyId, secret } of rows) {
        const text = ring.open({ keyId, bytes: secret }, placeText({ tenantId, userId, id })).toString('hex');
        opened.set(`${table} ${id}`, { keyId, secret: text });
      }
    }
    const { rows } = await client.query<{
      id: string;
      application_id: string;
      key_id: string;
      secret: Buffer;
      previous_key_id: string | null;
      previous_secret: Buffer | null;
    }>('select * from webhook_endpoints');
    for (const row of rows) {
      const place = secretPlace(row.application_id, row.id);
      for (const [name, keyId, bytes] of [
        ['current', row.key_id, row.secret],
        ['previous', row.previous_key_id, row.previous_secret],
      ] as const) {
        if (keyId === null || bytes === null) continue;
        opened.set(`webhook ${row.id} ${name}`, {
          keyId,
          secret: ring.open({ keyId, bytes }, place).toString('hex'),
        });
      }
    }
    return opened;
  });

/** The secrets without their keys. */
export const plain = (opened: Map<string, { secret: string }>): Map<string, string> =>
  new Map([...opened].map(([name, { secret }]) => [name, secret]));
