import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { recoveryCode } from '../../src/factor/recovery-code.ts';
import { KeyRing } from '../../src/shared/key-ring.ts';
import { startTestServer, type TestServer } from '../setup/harness.ts';
import { codeAt } from '../setup/totp.ts';
import {
  beginTotp,
  type EnrolledUser,
  enrolledUser,
  mfaOf,
  type SignInWorld,
  signInWorld,
  startToken,
  verify,
} from '../signin/user-agent.ts';
import {
  countersOf,
  deleteFactor,
  factorRows,
  newRecoveryCode,
  openTokens,
  redeem,
  renewed,
  selfOf,
  tally,
} from './agent.ts';

let server: TestServer;
let world: SignInWorld;
let user: EnrolledUser;
let recovery: string;
beforeAll(async () => {
  server = await startTestServer();
  world = await signInWorld(server);
});
beforeEach(async () => {
  world = await renewed(server, world);
  user = await enrolledUser(server, world);
  recovery = user.recoveryCode as string;
});
afterAll(() => server.stop());

const right = (secret = user.secret) => codeAt(secret, server.clock.now());
const inNewStep = async (code: string) => redeem(world.browser, await startToken(world, user.id), code);
const recoveryRow = async () =>
  (await factorRows(server, world.tenantId, user.id)).find(({ type }) => type === 'RECOVERY_CODE');

describe('a recovery code', () => {
  test('REC-1: redeemed five times at once over as many steps succeeds once, in every round', async () => {
    const self = await selfOf(server, world, user.id);
    for (let round = 0; round < 8; round += 1) {
      const tokens = await openTokens(world, user.id, 5);
      const answers = await Promise.all(tokens.map((token) => redeem(world.browser, token, recovery)));
      expect(tally(answers)).toEqual({ FactorVerified: 1, INVALID_CODE: 4 });
      recovery = await newRecoveryCode(self, { currentCode: right() });
      server.clock.advance(30);
    }
  });

  test('REC-1: redeemed 50 times at once over several steps succeeds once', async () => {
    const tokens = await openTokens(world, user.id, 5);
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, n) =>
        redeem(world.browser, tokens[n % tokens.length] as string, recovery),
      ),
    );
    const { FactorVerified, INVALID_CODE = 0, TOO_MANY_ATTEMPTS = 0 } = tally(answers);
    expect(FactorVerified).toBe(1);
    expect(INVALID_CODE + TOO_MANY_ATTEMPTS).toBe(49);
    expect(await mfaOf(world, user.id)).toMatchObject({ recoveryCodeState: 'USED' });
    const { rows } = await server.database.pool.query(
      "select count(*)::int as steps from mfa_steps where user_id = $1 and satisfied_by = 'recovery'",
      [user.id],
    );
    expect(rows).toEqual([{ steps: 1 }]);
  });

  test('REC-2: dies when it is redeemed', async () => {
    expect(await inNewStep(recovery)).toMatchObject({ __typename: 'FactorVerified' });
    expect(await inNewStep(recovery)).toMatchObject({ code: 'INVALID_CODE' });
    expect(await mfaOf(world, user.id)).toMatchObject({
      recoveryCodeState: 'USED',
      factors: [{ type: 'TOTP' }],
    });
  });

  test('REC-2: dies when a new one is taken', async () => {
    const self = await selfOf(server, world, user.id);
    const issued = await newRecoveryCode(self, { currentCode: right() });
    expect(issued).not.toBe(recovery);
    expect(await inNewStep(recovery)).toMatchObject({ code: 'INVALID_CODE' });
    expect(await inNewStep(issued)).toMatchObject({ __typename: 'FactorVerified' });
  });

  test('REC-2: dies when one is taken in the step that it satisfied itself', async () => {
    const mfaToken = await startToken(world, user.id);
    await redeem(world.browser, mfaToken, recovery);
    const issued = await newRecoveryCode(world.browser, { mfaToken });
    expect(await mfaOf(world, user.id)).toMatchObject({ recoveryCodeState: 'ACTIVE' });
    expect(await inNewStep(recovery)).toMatchObject({ code: 'INVALID_CODE' });
    expect(await inNewStep(issued)).toMatchObject({ __typename: 'FactorVerified' });
  });

  test('REC-2: dies when the authenticator is enrolled anew', async () => {
    const self = await selfOf(server, world, user.id);
    const begun = await beginTotp(self, { currentCode: right() });
    const verified = await verify(self, right(begun.secret));
    expect(await inNewStep(recovery)).toMatchObject({ code: 'INVALID_CODE' });
    const issued = 'recoveryCode' in verified ? (verified.recoveryCode as string) : '';
    expect(await inNewStep(issued)).toMatchObject({ __typename: 'FactorVerified' });
  });

  test('REC-2: lives while an enrollment is only begun', async () => {
    const self = await selfOf(server, world, user.id);
    await beginTotp(self, { currentCode: right() });
    expect(await inNewStep(recovery)).toMatchObject({ __typename: 'FactorVerified' });
  });

  test('REC-2: dies when it is deleted, alone or with the authenticator', async () => {
    const row = await recoveryRow();
    await deleteFactor(world.admin, row?.id ?? '');
    expect(await recoveryRow()).toBeUndefined();
    expect(await inNewStep(recovery)).toMatchObject({ code: 'INVALID_CODE' });
    expect(await mfaOf(world, user.id)).toMatchObject({ state: 'ENROLLED', recoveryCodeState: 'NONE' });

    const second = await enrolledUser(server, world);
    await deleteFactor(world.admin, second.factorId);
    expect(await factorRows(server, world.tenantId, second.id)).toEqual([]);
  });

  test('REC-2: that was redeemed is no factor any more: nobody can name it', async () => {
    const row = await recoveryRow();
    await inNewStep(recovery);
    expect(await deleteFactor(world.admin, row?.id ?? '')).toMatchObject({ code: 'NOT_FOUND' });
  });

  // O, I and L are read as 0 and 1; a code is sure to have both only if many are tried.
  test.each<[string, (code: string) => string]>([
    ['as shown', (code) => code],
    ['in lower case', (code) => code.toLowerCase()],
    ['without hyphens', (code) => code.replaceAll('-', '')],
    ['with spaces', (code) => ` ${code.replaceAll('-', ' ')} `],
    ['with a space after each character', (code) => code.replaceAll('-', '').split('').join(' ')],
    ['with O for 0', (code) => code.replaceAll('0', 'O')],
    ['with o for 0', (code) => code.replaceAll('0', 'o')],
    ['with I for 1', (code) => code.replaceAll('1', 'I')],
    ['with l for 1', (code) => code.replaceAll('1', 'l')],
  ])('REC-2: typed %s is the same code', async (_, typed) => {
    const self = await selfOf(server, world, user.id);
    while (!/0/.test(recovery) || !/1/.test(recovery)) {
      recovery = await newRecoveryCode(self, { currentCode: right() });
      server.clock.advance(30);
    }
    world = await renewed(server, world);
    expect(await inNewStep(typed(recovery))).toMatchObject({ __typename: 'FactorVerified' });
  });

  test.each<[string, (code: string) => string]>([
    ['nothing', () => ''],
    ['hyphens only', () => '----'],
    ['a character too few', (code) => code.slice(0, -1)],
    ['a character too many', (code) => `${code}0`],
    ['twice', (code) => code + code],
    ['a letter that is in no code', (code) => `${code.slice(0, -1)}U`],
    ['full-width characters', (code) => `${code.slice(0, -1)}\uff10`],
    ['a letter that grows in upper case', (code) => `${code.slice(0, -2)}\u00df`],
    ['a newline', (code) => `${code}\n`],
    ['a NUL', (code) => `${code}\u0000`],
    ['10 KB', (code) => code.repeat(440)],
  ])('OTP-3: of %s is a wrong code: counted, and the right one is not spent', async (_, of) => {
    expect(await inNewStep(of(recovery))).toMatchObject({ code: 'INVALID_CODE', attemptsRemaining: 4 });
    expect(await countersOf(server, world.tenantId, user.id)).toMatchObject({ recovery_failures: 1 });
    expect(await inNewStep(recovery)).toMatchObject({ __typename: 'FactorVerified' });
  });

  test('REC-2: is in the table as a keyed digest only, of which nothing can be computed without the key', async () => {
    const row = await recoveryRow();
    expect(row).toMatchObject({ key_id: 'test', spent: '0' });
    expect(row?.secret).toHaveLength(32);
    const { rows } = await server.database.pool.query<{ all: string }>(
      `select (select jsonb_agg(to_jsonb(f)) from auth_factors f where user_id = $1)::text
        || (select jsonb_agg(to_jsonb(e)) from audit_events e where user_id = $1)::text
        || (select jsonb_agg(to_jsonb(u)) from users u where id = $1)::text
        || (select jsonb_agg(to_jsonb(s)) from mfa_steps s where user_id = $1)::text as all`,
      [user.id],
    );
    const stored = rows[0]?.all ?? '';
    expect(stored).toContain(user.factorId);
    for (const text of [recovery, recovery.replaceAll('-', '')]) {
      expect(stored).not.toContain(text);
      expect(stored).not.toContain(Buffer.from(text).toString('hex'));
    }
    expect(server.logs()).not.toContain(recovery);
  });
});

describe('making recovery codes', () => {
  const place = { tenantId: 't', userId: 'u', id: 'f' };
  const ring = () => new KeyRing([{ id: 'a', key: randomBytes(32) }]);

  test('REC-2: 20 characters of 32, all of them in use: 100 random bits', () => {
    const keyRing = ring();
    const shown = Array.from({ length: 1_000 }, () => recoveryCode.begin(place, keyRing).shown);
    expect(new Set(shown).size).toBe(1_000);
    const characters = shown.flatMap((code) => [...code.replaceAll('-', '')]);
    expect(characters).toHaveLength(20_000);
    expect([...new Set(characters)].sort().join('')).toBe('0123456789ABCDEFGHJKMNPQRSTVWXYZ');
    // 625 of each are expected; six standard deviations are 148.
    const counts = Map.groupBy(characters, (character) => character);
    expect([...counts.values()].filter(({ length }) => Math.abs(length - 625) > 150)).toEqual([]);
  });

  test('REC-2: the digest depends on the key and on whose code it is', () => {
    const keyRing = ring();
    const { kept, shown } = recoveryCode.begin(place, keyRing);
    const verified = (where: typeof place, by: KeyRing) =>
      recoveryCode.verify(shown, { place: where, secret: kept, spent: 0 }, by, new Date());
    expect(verified(place, keyRing)).toBe(1);
    expect(verified({ ...place, userId: 'v' }, keyRing)).toBeNull();
    expect(verified({ ...place, tenantId: 'v' }, keyRing)).toBeNull();
    expect(verified({ ...place, id: 'v' }, keyRing)).toBeNull();
    expect(verified(place, ring())).toBeNull();
  });
});
