import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { startCluster } from './cluster.ts';
import { bind, makeParty, type Party, raceWorld } from './party.ts';
import { finishOne, guess, redeemOne, startOne, type Track, Undecided, useOne } from './races.ts';
import { newTallies, type RaceName, shed, type Tallies, tableOf } from './tally.ts';

/*
 * One-time things under load: three server processes, one PostgreSQL. A few rounds in `npm test`;
 * `npm run test:races` runs the long form and prints what it saw.
 */

const isLong = process.env['RACES'] === 'long';
const rounds = isLong ? 1000 : 4;
/** Every how many rounds there is one of guesses. */
const guessEvery = isLong ? 5 : 2;
const guests = 50;
const guesses = 500;
/** A party's tokens live for five minutes. */
const roundsOfParty = isLong ? 25 : rounds;

let track: Track;
beforeAll(
  async () => {
    const cluster = await startCluster(3);
    track = { cluster, world: await raceWorld(cluster), tallies: newTallies() };
    for (let done = 0; done < rounds; done = track.tallies['one start'].rounds) {
      await celebrate(done, Math.min(done + roundsOfParty, rounds));
      if (isLong) process.stderr.write(`${track.tallies['one start'].rounds} of ${rounds} rounds\n`);
    }
    if (isLong) process.stderr.write(`\n${tableOf(track.tallies)}\n\n`);
  },
  isLong ? 7_200_000 : 300_000,
);
afterAll(() => track?.cluster.stop(), 30_000);

const guarantees: [string, RaceName][] = [
  ['REC-1: of 50 parallel redemptions of one recovery code one succeeds', 'one recovery code'],
  ['OTP-1: of 50 parallel uses of one TOTP code, each in a step of its own, one succeeds', 'one TOTP code'],
  ['THR-1: of 500 parallel guesses 5 are looked at', 'guesses'],
  ['STEP-1: of 50 parallel finishes of one step one answers an assertion', 'one finish'],
  ['of 50 parallel starts under one idempotency key one step comes, and one token that lives', 'one start'],
];
test.each(guarantees)('%s', (_guarantee, race) => {
  const tally = track.tallies[race];
  expect(tally.rounds).toBeGreaterThan(0);
  expect({ ...tally, unexpected: tally.unexpected() }).toMatchObject({
    secondWinners: 0,
    withoutWinner: 0,
    extraLooks: 0,
    unexpected: [],
  });
});

test('REL-4: no server logged a fault in all of that', () => {
  expect(track.cluster.errors()).toEqual([]);
});

/** Rounds with one user. Every race leaves behind what the next one starts from. */
async function celebrate(from: number, to: number): Promise<void> {
  const { world } = track;
  const party = await makeParty(world, guests);
  const before = counts(track.tallies);
  try {
    for (let round = from; round < to; round += 1) {
      Object.assign(party, await bind(world, await redeemOne(track, party)));
      if (round % guessEvery === 0) {
        await guess(track, party, guesses);
        Object.assign(party, await bind(world, await redeemOne(track, party)));
      }
      const verified = await useOne(track, party);
      await finishOne(track, party, verified);
      party.tokens[party.tokens.indexOf(verified)] = await startOne(track, party);
    }
  } catch (error) {
    // Nobody knows who won, so there is nothing to go on from: another user, another try.
    if (error instanceof Undecided) return;
    throw error;
  }
  await compareWithRecord(party, before);
}

const counts = (tallies: Tallies) => ({
  redeemed: tallies['one recovery code'].rounds,
  used: tallies['one TOTP code'].rounds,
  started: tallies['one start'].rounds,
  failed: total(tallies, 'InvalidCode'),
  shed: total(tallies, shed),
});

const total = (tallies: Tallies, outcome: string): number =>
  Object.values(tallies).reduce((sum, tally) => sum + tally.count(outcome), 0);

/** The record tells the same as the answers. */
async function compareWithRecord({ userId }: Party, before: ReturnType<typeof counts>): Promise<void> {
  const rows = await track.cluster.rows<{ action: string; count: number }>(
    "select action, count(*)::int as count from audit_events where user_id = $1 and not detail ? 'refusedFor' group by action",
    [userId],
  );
  const recorded = Object.fromEntries(rows.map(({ action, count }) => [action, count]));
  const now = counts(track.tallies);
  const redeemed = now.redeemed - before.redeemed;
  expect(recorded).toMatchObject({
    'recovery_code.used': redeemed,
    'auth_factor.enrolled': redeemed + 1,
    'recovery_code.issued': redeemed + 1,
    'mfa_challenge.completed': now.used - before.used,
    'mfa_step.started': 1 + guests + now.started - before.started,
  });
  // A call refused for overload may have come as far as that.
  const failed = now.failed - before.failed;
  expect(recorded['mfa_challenge.failed']).toBeGreaterThanOrEqual(failed);
  expect(recorded['mfa_challenge.failed']).toBeLessThanOrEqual(failed + now.shed - before.shed);
}
