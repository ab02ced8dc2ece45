import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { serverRole } from '../../src/audit/append-only.ts';
import { type Database, inRole } from '../../src/db/connection.ts';
import { factorTables } from '../../src/keys/factor-table.ts';
import { keptTables, rotateKeys } from '../../src/keys/rotate.ts';
import { KeyRing } from '../../src/shared/key-ring.ts';
import { redeem, selfOf } from '../factor/agent.ts';
import { CreateWebhookEndpointDocument, RotateWebhookSecretDocument } from '../generated/documents.ts';
import { dropDatabases, newMigratedDatabase, withClient } from '../process/databases.ts';
import { cleanUp, untilTrue } from '../process/servers.ts';
import { holdFactor, openAs } from '../restore/backup.ts';
import { startTestServer, TestClock, type TestServer, uniqueId } from '../setup/harness.ts';
import { isDistributed } from '../setup/nodes.mjs';
import { codeAt } from '../setup/totp.ts';
import {
  beginTotp,
  enrolledUser,
  finishChallenge,
  type SignInWorld,
  signInWorld,
  startToken,
  verify,
} from '../signin/user-agent.ts';
import { type Key, newKey, openedSecrets, plain, rotate, seed, serviceWith, startRotation } from './ring.ts';

const old = newKey('2026');
const young = newKey('2027');
let own: { url: string; server: Database; owner: Database };
let clock: TestClock;
let servers: TestServer[];
beforeEach(async () => {
  const url = await newMigratedDatabase();
  const [server, owner] = await Promise.all([openAs(inRole(url, serverRole)), openAs(url)]);
  own = { url, server, owner };
  clock = new TestClock();
  clock.fix(new Date());
  servers = [];
});
afterEach(async () => {
  for (const server of servers) await server.stop();
  await own.server.close();
  await own.owner.close();
  await cleanUp();
  await dropDatabases();
});

async function serverWith(...keys: Key[]): Promise<TestServer> {
  const service = await serviceWith(clock, ...keys);
  const server = await startTestServer({ clock, service, database: own.server });
  servers.push(server);
  return server;
}

/** The same world, asked of another server. */
const at = (server: TestServer, world: SignInWorld): SignInWorld => ({
  ...world,
  service: server.callerWith(world.service.token),
  browser: server.callerWith(null),
  admin: server.callerWith(world.admin.token),
});

async function signIn(world: SignInWorld, user: { id: string; secret: string }): Promise<unknown> {
  clock.advance(30);
  const mfaToken = await startToken(world, user.id);
  await verify(world.browser, codeAt(user.secret, clock.now()), mfaToken);
  return finishChallenge(world, mfaToken);
}

const completed = { __typename: 'MfaCompleted' };

const keysInUse = (table: string) =>
  withClient(own.url, async (client) => {
    const { rows } = await client.query<{ key_id: string; count: number }>(
      `select key_id, count(*)::int from ${table} group by 1 order by 1`,
    );
    return Object.fromEntries(rows.map(({ key_id, count }) => [key_id, count]));
  });

test('CRY-2: every column that holds what a key keeps is moved', async () => {
  const { rows } = await own.owner.pool.query<{ name: string }>(
    `select distinct table_name as name from information_schema.columns
     where table_schema = 'public' and column_name like '%key_id'`,
  );
  expect(keptTables.map(({ name }) => name).toSorted()).toEqual(rows.map(({ name }) => name).toSorted());
});

describe('CRY-2: npm run keys:rotate', () => {
  test('CRY-2: seals anew what is active, begun, or a webhook secret, current and previous, and opens the same', async () => {
    const server = await serverWith(old);
    const world = await signInWorld(server);
    const user = await enrolledUser(server, world);
    await beginTotp(world.browser, { mfaToken: await startToken(world, uniqueId('user')) });
    const { data } = await world.admin.call(CreateWebhookEndpointDocument, {
      input: { applicationId: world.applicationId, url: 'https://example.com/hooks' },
    });
    const made = data.createWebhookEndpoint;
    if (made.__typename !== 'WebhookSecretPayload') throw new Error(made.__typename);
    await world.admin.call(RotateWebhookSecretDocument, { input: { id: made.endpoint.id } });
    const before = await openedSecrets(own.url, old);
    expect(before.size).toBe(4);

    const planned = await rotate(own.url, [young, old], '--plan');
    expect(planned).toMatchObject({
      code: 2,
      stdout: expect.stringContaining('The key 2026 is still needed.'),
    });
    expect(await openedSecrets(own.url, old)).toEqual(before);

    const { code, stdout } = await rotate(own.url, [young, old]);
    expect(stdout).toContain('Sealed anew with 2027: 3 rows.');
    expect(code).toBe(0);
    const after = await openedSecrets(own.url, young);
    expect(plain(after)).toEqual(plain(before));
    expect(await signIn(at(await serverWith(young), world), user)).toMatchObject(completed);
  });

  test('CRY-2: servers with either order of the keys answer codes all the while, and afterwards without the old key', async () => {
    const [first, second] = [await serverWith(old, young), await serverWith(young, old)];
    const world = await signInWorld(first);
    const user = await enrolledUser(first, world);
    await seed(own.url, old, 1_000);
    // In small batches, so that it takes a while.
    const rotation = rotateKeys(own.owner, new KeyRing([young, old]), { batchRows: 5 });
    const over = rotation.then(() => true);
    const answers: unknown[] = [];
    do {
      for (const server of [first, second]) answers.push(await signIn(at(server, world), user));
      // Another user enrolls meanwhile, with a server that still seals with the old key.
      await enrolledUser(first, world);
      // Bearer tokens last an hour, of which each round takes 90 s.
    } while (answers.length < 50 && !(await Promise.race([over, sleep(0, false)])));
    expect(await rotation).toMatchObject({ inUse: 0, broken: { count: 0 } });
    expect(answers.length).toBeGreaterThan(2);
    expect(answers).toEqual(answers.map(() => expect.objectContaining(completed)));
    // What the old key sealed after it was passed by.
    await rotateKeys(own.owner, new KeyRing([young, old]));
    expect([...(await openedSecrets(own.url, young)).values()].every(({ keyId }) => keyId === '2027')).toBe(
      true,
    );
    expect(await signIn(at(await serverWith(young), world), user)).toMatchObject(completed);
  });

  test('CRY-2: killed at any moment, each row is under one key or the other, and the next run goes on', async () => {
    await seed(own.url, old, 6_000);
    const before = plain(await openedSecrets(own.url, old));
    const moved = async () => (await keysInUse('auth_factors'))['2027'] ?? 0;
    let stopped = 0;
    for (let kills = 0; kills < 2; kills += 1) {
      const since = await moved();
      const rotation = await startRotation(own.url, [young, old]);
      let isOver = false;
      void rotation.ended().then(() => {
        isOver = true;
      });
      await untilTrue(async () => isOver || (await moved()) > since);
      if (!isOver) {
        rotation.kill('SIGKILL');
        stopped += 1;
      }
      await rotation.ended();
      expect(plain(await openedSecrets(own.url, young, old))).toEqual(before);
    }
    expect(stopped).toBeGreaterThan(0);
    // Two at once do no harm.
    const both = await Promise.all([rotate(own.url, [young, old]), rotate(own.url, [young, old])]);
    expect(both).toEqual([expect.objectContaining({ code: 0 }), expect.objectContaining({ code: 0 })]);
    expect(plain(await openedSecrets(own.url, young))).toEqual(before);
  });

  test('CRY-2: a row that another holds is waited for, and one that was replaced is left as it is', async () => {
    const server = await serverWith(old);
    const world = await signInWorld(server);
    const user = await enrolledUser(server, world);
    await withClient(own.url, async (holder) => {
      await holder.query('begin');
      await holder.query('update auth_factors set secret = $1 where user_id = $2', [
        Buffer.from('replaced'),
        user.id,
      ]);
      const rotation = rotate(own.url, [young, old]);
      await sleep(1_500);
      await holder.query('commit');
      const { code, stderr } = await rotation;
      expect(stderr).toContain('rows that do not open');
      expect(code).toBe(2);
      const { rows } = await holder.query(
        "select key_id, secret from auth_factors where type = 'TOTP' and user_id = $1",
        [user.id],
      );
      expect(rows).toEqual([{ key_id: '2026', secret: Buffer.from('replaced') }]);
    });
  });

  // On several nodes a table that all of them have is locked as a whole: there it is waited for.
  test('CRY-2: a webhook secret that another holds is passed over, not waited for', async () => {
    const world = await signInWorld(await serverWith(old));
    await world.admin.call(CreateWebhookEndpointDocument, {
      input: { applicationId: world.applicationId, url: 'https://example.com/hooks' },
    });
    const table = keptTables.find(({ name }) => name === 'webhook_endpoints');
    const ring = new KeyRing([young, old]);
    const [row] = (await table?.page(own.owner.fork(), young.id, null, 10)) ?? [];
    if (!table || !row) throw new Error('nothing was read');
    const write = () => table.write(own.owner.fork(), row.group, [{ row, moved: table.moved(row, ring) }]);
    const [meanwhile, afterwards] = await withClient(own.url, async (holder) => {
      await holder.query('begin; select from webhook_endpoints for update');
      const written = write();
      const first = await Promise.race([written, sleep(5_000, 'waited')]);
      await holder.query('rollback');
      return [first, (await written) + (await write())];
    });
    expect(meanwhile).toBe(isDistributed ? 'waited' : 0);
    expect(afterwards).toBe(1);
  });

  test('CRY-2: a factor that was replaced after it was read is not written over', async () => {
    const server = await serverWith(old);
    const world = await signInWorld(server);
    const user = await enrolledUser(server, world);
    const [table] = factorTables;
    const ring = new KeyRing([young, old]);
    const [read] = (await table?.page(own.owner.fork(), young.id, null, 10)) ?? [];
    if (!table || !read) throw new Error('nothing was read');

    const self = await selfOf(server, world, user.id);
    const { secret } = await beginTotp(self, { currentCode: codeAt(user.secret, clock.now()) });
    expect(await verify(self, codeAt(secret, clock.now()))).toMatchObject({ __typename: 'FactorVerified' });
    clock.advance(30);
    const written = await table.write(own.owner.fork(), read.group, [
      { row: read, moved: table.moved(read, ring) },
    ]);
    expect(written).toBe(0);
    expect(await signIn(world, { id: user.id, secret })).toMatchObject(completed);
  });

  test('CRY-2: a key that it lacks and a row that was altered are named, left as they are, and the others go on', async () => {
    const lost = newKey('lost');
    const server = await serverWith(lost);
    const world = await signInWorld(server);
    await enrolledUser(server, world);
    const other = at(await serverWith(old), world);
    const known = await enrolledUser(server, other);
    const altered = await enrolledUser(server, other);
    const alter =
      'update auth_factors set secret = set_byte(secret, 20, get_byte(secret, 20) # 1) where id = $1';
    await own.owner.pool.query(alter, [altered.factorId]);

    const { code, stderr } = await rotate(own.url, [young, old]);
    expect(stderr).toContain('1 rows of the key lost, which ENCRYPTION_KEYS does not name');
    expect(stderr).toContain(
      `1 rows that do not open; they were altered, or their key is another of the same id: auth_factors ${altered.factorId} (tenant ${world.tenantId}, user ${altered.id}).`,
    );
    expect(stderr).not.toContain(lost.key.toString('base64'));
    expect(code).toBe(2);
    await own.owner.pool.query(alter, [altered.factorId]);
    const after = await openedSecrets(own.url, lost, young, old);
    expect([...after.values()].map(({ keyId }) => keyId).toSorted()).toEqual(['2026', '2027', 'lost']);
    expect(await rotate(own.url, [young], '--plan')).toMatchObject({
      code: 2,
      stdout: expect.stringContaining('The key lost is needed, and ENCRYPTION_KEYS does not name it.'),
    });
    expect(await signIn(at(await serverWith(young), world), known)).toMatchObject(completed);
  });

  test('asks for the keys', async () => {
    expect(await rotate(own.url, [])).toMatchObject({
      code: 1,
      stderr: 'ENCRYPTION_KEYS is required: first the key that is to seal, then those that sealed before.\n',
    });
  });
});

describe('CRY-2: recovery codes, of which only digests are kept,', () => {
  test('CRY-2: are taken while the old key is there; the plan tells how many need it', async () => {
    const server = await serverWith(old);
    const world = await signInWorld(server);
    const user = await enrolledUser(server, world);
    const later = await enrolledUser(server, world);
    await rotateKeys(own.owner, new KeyRing([young, old]));
    const plan = () => rotate(own.url, [young, old], '--plan');
    expect(await plan()).toMatchObject({
      code: 2,
      stdout: expect.stringContaining('2026: 2 recovery codes (auth_factors); die on use or renewal'),
    });

    const both = at(await serverWith(young, old), world);
    const mfaToken = await startToken(both, user.id);
    expect(await redeem(both.browser, mfaToken, user.recoveryCode ?? '')).toMatchObject({
      __typename: 'FactorVerified',
    });
    expect(await finishChallenge(both, mfaToken)).toMatchObject(completed);
    // What was redeemed needs no key any more.
    await rotateKeys(own.owner, new KeyRing([young, old]));
    expect(await plan()).toMatchObject({
      code: 2,
      stdout: expect.stringContaining('2026: 1 recovery codes'),
    });
    const without = at(await serverWith(young), world);
    const again = await startToken(without, user.id);
    expect(await redeem(without.browser, again, user.recoveryCode ?? '')).toMatchObject({
      code: 'INVALID_CODE',
    });
    expect(await signIn(without, later)).toMatchObject(completed);
  });

  test('CRY-2: one that is in use stays, and --drop-recovery-codes says so by its exit', async () => {
    await enrolledUser(await serverWith(old), await signInWorld(await serverWith(old)));
    await withClient(own.url, async (holder) => {
      await holder.query('begin');
      await holdFactor(holder, 'RECOVERY_CODE');
      const { code, stdout } = await rotate(own.url, [young, old], '--drop-recovery-codes');
      expect(stdout).toContain('Dropped 0 recovery codes.');
      expect(stdout).toContain('The key 2026 is still needed.');
      expect(code).toBe(2);
    });
    expect(await rotate(own.url, [young, old], '--drop-recovery-codes')).toMatchObject({ code: 0 });
  });

  test('CRY-2: go with --drop-recovery-codes, each with an event; then the old key may be removed', async () => {
    const server = await serverWith(old);
    const world = await signInWorld(server);
    const user = await enrolledUser(server, world);
    const { code, stdout } = await rotate(own.url, [young, old], '--drop-recovery-codes');
    expect(stdout).toContain('Dropped 1 recovery codes.');
    expect(stdout).toContain('The key 2026 may be removed from ENCRYPTION_KEYS.');
    expect(code).toBe(0);
    expect(await rotate(own.url, [young, old], '--plan')).toMatchObject({ code: 0 });

    const { rows } = await own.owner.pool.query(
      "select user_id, actor, detail from audit_events where action = 'auth_factor.removed'",
    );
    expect(rows).toEqual([
      {
        user_id: user.id,
        actor: 'cufflink',
        detail: { type: 'RECOVERY_CODE', factorId: expect.any(String), because: 'its key was replaced' },
      },
    ]);
    expect(await signIn(at(await serverWith(young), world), user)).toMatchObject(completed);
  });
});
