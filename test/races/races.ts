import {
  RaceFinishDocument,
  RaceIntrospectDocument,
  RaceRedeemDocument,
  RaceStartDocument,
  RaceVerifyDocument,
} from '../generated/documents.ts';
import { type Answer, uniqueId } from '../setup/harness.ts';
import type { Cluster } from './cluster.ts';
import { nextCode, type Party, type RaceWorld, wrongCodes } from './party.ts';
import { type RaceName, shed, type Tallies } from './tally.ts';

/*
 * The races. Each sends all its calls at once, to all servers, and says what came of it.
 */

export interface Track {
  cluster: Cluster;
  world: RaceWorld;
  tallies: Tallies;
}

type Result = { __typename: string; attemptsRemaining?: number; mfaToken?: string | null } | null;

/** A round whose winner is not known; see `shed`. */
export class Undecided extends Error {}

/** The type of a result; for anything else, HTTP status and code. */
const outcomeOf = ({ status, data, errors }: Answer<{ result: Result } | null>): string =>
  errors.length > 0
    ? `${status} ${errors.map(({ extensions }) => extensions?.['code']).join()}`
    : (data?.result?.__typename ?? 'null');

async function race<Data extends { result: Result }>(
  tallies: Tallies,
  name: RaceName,
  calls: readonly (() => Promise<Answer<Data>>)[],
): Promise<{ outcomes: string[]; answers: Answer<Data>[] }> {
  const startedAt = performance.now();
  const answers = await Promise.all(calls.map((call) => call()));
  const outcomes = answers.map(outcomeOf);
  const isDecided = tallies[name].add(outcomes, (performance.now() - startedAt) / 1000);
  if (!isDecided) throw new Undecided();
  return { outcomes, answers };
}

/** The token of whoever won. */
function winnerOf(name: RaceName, { tokens }: Party, outcomes: readonly string[], won: string): string {
  const token = tokens[outcomes.indexOf(won)];
  if (token === undefined) throw new Error(`${name}: nobody won: ${[...new Set(outcomes)].join(', ')}`);
  return token;
}

/** One recovery code, redeemed on every token at once. @returns the winner's token */
export async function redeemOne({ world, tallies }: Track, party: Party): Promise<string> {
  const { recoveryCode } = party;
  const calls = party.tokens.map(
    (mfaToken) => () => world.racing.browser.call(RaceRedeemDocument, { input: { mfaToken, recoveryCode } }),
  );
  const { outcomes } = await race(tallies, 'one recovery code', calls);
  return winnerOf('one recovery code', party, outcomes, 'FactorVerified');
}

/** One TOTP code, used on every token at once. @returns the winner's token */
export async function useOne({ world, tallies }: Track, party: Party): Promise<string> {
  const code = nextCode(party);
  const calls = party.tokens.map(
    (mfaToken) => () => world.racing.browser.call(RaceVerifyDocument, { input: { mfaToken, code } }),
  );
  const { outcomes } = await race(tallies, 'one TOTP code', calls);
  return winnerOf('one TOTP code', party, outcomes, 'FactorVerified');
}

/** Wrong codes only, on all tokens at once: five are looked at. Then the right one, which is not. */
export async function guess(
  { cluster, world, tallies }: Track,
  party: Party,
  guesses: number,
): Promise<void> {
  const calls = wrongCodes(party, guesses).map((code, n) => {
    const mfaToken = party.tokens[n % party.tokens.length];
    return () => world.racing.browser.call(RaceVerifyDocument, { input: { mfaToken, code } });
  });
  const { outcomes, answers } = await race(tallies, 'guesses', calls);
  const left = answers.flatMap(({ data }) =>
    data?.result.__typename === 'InvalidCode' ? [data.result.attemptsRemaining] : [],
  );
  // A server with too much to do may refuse one after it looked.
  const expected = outcomes.includes(shed) ? [...new Set(left)] : [0, 1, 2, 3, 4];
  if (left.toSorted().join() !== expected.toSorted().join()) throw new Error(`guesses: ${left} left`);
  const counters = await cluster.rows<{ failures: number }>(
    'select totp_failures as failures from users where id = $1',
    [party.userId],
  );
  if (counters[0]?.failures !== 5) throw new Error(`guesses: counted ${JSON.stringify(counters)}`);
  const right = await world.browser.call(RaceVerifyDocument, {
    input: { mfaToken: party.tokens[0], code: nextCode(party) },
  });
  if (outcomeOf(right) !== 'TooManyAttempts') throw new Error(`guesses: then ${outcomeOf(right)}`);
}

/** One satisfied step, finished by as many calls at once as the party has tokens. */
export async function finishOne({ world, tallies }: Track, party: Party, mfaToken: string): Promise<void> {
  const calls = party.tokens.map(
    () => () => world.racing.service.call(RaceFinishDocument, { input: { mfaToken } }),
  );
  await race(tallies, 'one finish', calls);
}

/** One start, repeated under one key at once, likewise. @returns the one token that lives in the end */
export async function startOne({ world, tallies }: Track, { userId, tokens }: Party): Promise<string> {
  const input = {
    tenantId: world.tenantId,
    userId,
    accountName: userId,
    trigger: 'LOGIN' as const,
    idempotencyKey: uniqueId('key'),
  };
  const startedAt = performance.now();
  const answers = await Promise.all(
    tokens.map(() => world.racing.service.call(RaceStartDocument, { input })),
  );
  const seconds = (performance.now() - startedAt) / 1000;
  const started = answers.map(({ data }) =>
    data?.result.__typename === 'MfaDecision' ? data.result.mfaToken : null,
  );
  const lives = await Promise.all(
    started.map(async (mfaToken) => {
      if (mfaToken === null) return false;
      const { data } = await world.browser.call(RaceIntrospectDocument, { mfaToken });
      return data.result !== null;
    }),
  );
  const outcomes = answers.map((answer, n) => (lives[n] ? 'alive' : outcomeOf(answer)));
  if (!tallies['one start'].add(outcomes, seconds)) throw new Undecided();
  const living = started[lives.indexOf(true)];
  if (living == null) throw new Error('one start: no token lives');
  return living;
}
