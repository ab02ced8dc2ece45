import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { refusalMs } from '../../src/shared/limits.ts';
import { VerifyTotpDocument } from '../generated/documents.ts';
import { startTestServer, type TestCaller, TestClock, type TestServer, uniqueId } from '../setup/harness.ts';
import { codeAt, wrongCode } from '../setup/totp.ts';
import { selfOf } from './step-tools.ts';
import { type EnrolledUser, enrolledUser, type SignInWorld, signInWorld, verify } from './user-agent.ts';

/*
 * OTP-4: what does the time of an answer tell? Every round asks once of each kind, in an order of its
 * own, and everything is made ready before; so whatever slows the machine down slows all kinds alike.
 * Compared are whole distributions (two-sample Kolmogorov-Smirnov). `wrong code again` is `wrong code`
 * with other users: what these two differ by is noise, and held to the same bound.
 */

const rounds = 1_000;
const warmUpRounds = 100;
/** As many rounds are under way at once. */
const lanes = 4;
/** Users of a kind take turns, so that none comes to wait. */
const usersOfKind = 25;
const attemptsOfUser = 4;
/** What two samples of `rounds` from one distribution exceed once in a million comparisons. */
const distanceMax = Math.sqrt(-Math.log(1e-6 / 2) / 2) * Math.sqrt(2 / rounds);

const kinds = ['wrong code', 'wrong code again', 'used code', 'unenrolled user', 'unknown user'] as const;
type Kind = (typeof kinds)[number];

interface Attempt {
  caller: TestCaller;
  code: string;
}

let server: TestServer;
let world: SignInWorld;
const times = {} as Record<Kind, number[]>;
const answers = {} as Record<Kind, object>;

beforeAll(async () => {
  const clock = new TestClock();
  clock.fix(new Date());
  server = await startTestServer({ clock, logLevel: 'warn' });
  world = await signInWorld(server);
  await sample(await attempts());
}, 240_000);
afterAll(() => server.stop());

async function attempts(): Promise<Record<Kind, readonly Attempt[]>> {
  const now = server.clock.now.bind(server.clock);
  const enrolled: { user: EnrolledUser; caller: TestCaller }[] = [];
  for (let n = 0; n < usersOfKind * 3; n += 1) {
    const user = await enrolledUser(server, world);
    enrolled.push({ user, caller: await selfOf(server, world, user.id) });
  }
  // In turns, so that the rows of no kind lie in a place of their own.
  const group = (kind: number) => enrolled.filter((_, n) => n % 3 === kind);
  const wrong = ({ user, caller }: (typeof enrolled)[number]) => ({
    caller,
    code: wrongCode(user.secret, now()),
  });
  const used = group(2).map(({ user, caller }) => ({ caller, code: codeAt(user.secret, now()) }));
  const strangers = (count: number) =>
    Promise.all(Array.from({ length: count }, () => selfOf(server, world, uniqueId('user'))));
  const unenrolled = await strangers(usersOfKind);
  for (const { caller, code } of used) await verify(caller, code);
  for (const caller of unenrolled) await verify(caller, '000000');
  const guess = (caller: TestCaller) => ({ caller, code: '000000' });
  return {
    'wrong code': group(0).map(wrong),
    'wrong code again': group(1).map(wrong),
    'used code': used,
    'unenrolled user': unenrolled.map(guess),
    'unknown user': (await strangers(warmUpRounds + rounds)).map(guess),
  };
}

async function sample(attemptsOf: Record<Kind, readonly Attempt[]>): Promise<void> {
  for (const kind of kinds) times[kind] = [];
  const batch = usersOfKind * attemptsOfUser;
  for (let from = 0; from < warmUpRounds + rounds; from += batch) {
    await forgive();
    let next = from;
    const lane = async () => {
      for (let n = next++; n < from + batch; n = next++) await round(n);
    };
    await Promise.all(Array.from({ length: lanes }, lane));
  }

  async function round(n: number): Promise<void> {
    for (const kind of shuffled(kinds)) {
      const { caller, code } = attemptsOf[kind][n % attemptsOf[kind].length] as Attempt;
      const began = performance.now();
      const { data } = await caller.call(VerifyTotpDocument, { input: { code } });
      if (n < warmUpRounds) continue;
      times[kind].push(performance.now() - began);
      answers[kind] = data.verifyTotpAuthFactorChallenge;
    }
  }
}

/** Lets everybody guess afresh. */
const forgive = () =>
  server.database.pool.query(
    'update users set totp_failures = 0, totp_locked_until = null where tenant_id = $1 and totp_failures > 0',
    [world.tenantId],
  );

const shuffled = <T>(list: readonly T[]): T[] =>
  list
    .map((item) => ({ item, at: Math.random() }))
    .sort((a, b) => a.at - b.at)
    .map(({ item }) => item);

/** The largest distance between the cumulative distributions of two samples: 0 alike, 1 apart. */
function distance(one: readonly number[], other: readonly number[]): number {
  const share = (list: readonly number[], at: number) =>
    list.filter((value) => value <= at).length / list.length;
  return Math.max(...[...one, ...other].map((at) => Math.abs(share(one, at) - share(other, at))));
}

describe('OTP-4: the time of an answer does not tell', () => {
  test.each(kinds.slice(1))('a wrong code from: %s', (kind) => {
    expect(times[kind].length).toBe(rounds);
    expect(distance(times['wrong code'], times[kind])).toBeLessThan(distanceMax);
  });
});

test('OTP-4: every refusal is answered at its time, which the work does not reach', () => {
  // Timers of the platform are exact to a millisecond.
  for (const kind of kinds) expect(Math.min(...times[kind])).toBeGreaterThan(refusalMs - 1);
});

test('OTP-4: nor does its shape', () => {
  const { attemptsRemaining: _, ...shape } = answers['wrong code'] as { attemptsRemaining: number };
  for (const kind of kinds) {
    expect(answers[kind]).toEqual({ ...shape, attemptsRemaining: expect.any(Number) });
  }
});
