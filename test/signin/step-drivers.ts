import { type TestServer, uniqueId } from '../setup/harness.ts';
import { codeAt, wrongCode } from '../setup/totp.ts';
import { deleteFactor, enrollElsewhere, redeem, renewed, selfOf, setPolicy, stepOf } from './step-tools.ts';
import {
  beginTotp,
  enroll,
  finishChallenge,
  finishEnrollment,
  mfaOf,
  type SignInWorld,
  signInWorld,
  startToken,
  verify,
} from './user-agent.ts';

/** A user and one step of theirs, the one that is looked at. */
export interface Driven {
  server: TestServer;
  world: SignInWorld;
  userId: string;
  /** The secret and recovery code of the active authenticator, if there is one. */
  secret: string | null;
  recoveryCode: string | null;
  mfaToken: string;
  idempotencyKey: string;
}

/** The state of the step, as it is stored, in the words of the drawing. */
export async function stateOf({ server, mfaToken }: Driven): Promise<string> {
  const step = await stepOf(server, mfaToken);
  if (step.finished_at !== null) return 'Finished';
  // A deletion marks steps that had expired before, too.
  if (step.ended_at !== null && step.ended_at < step.expires_at) return 'Ended';
  if (step.expires_at <= server.clock.now()) return 'Expired';
  if (step.purpose === 'ENROLLMENT') return step.satisfied_by === null ? 'EnrollmentOpen' : 'EnrollmentSatisfied';
  if (step.satisfied_by === null) return 'ChallengeOpen';
  return step.satisfied_by === 'otp' ? 'ChallengeSatisfied' : 'Recovered';
}

const code = ({ server }: Driven, secret: string) => codeAt(secret, server.clock.now());

/** The next code is an unspent one. */
function nextCode(driven: Driven): string | undefined {
  driven.server.clock.advance(30);
  return driven.secret === null ? undefined : code(driven, driven.secret);
}

/** Confirms a new authenticator, where one can be begun. */
async function confirm(driven: Driven): Promise<void> {
  const { world, mfaToken } = driven;
  const begun = await enroll(world.browser, { mfaToken, currentCode: nextCode(driven) });
  if (begun.__typename !== 'TotpEnrollment') return;
  const verified = await verify(world.browser, code(driven, begun.secret), mfaToken);
  if (verified.__typename !== 'FactorVerified') throw new Error(`Not confirmed: ${JSON.stringify(verified)}`);
  Object.assign(driven, { secret: begun.secret, recoveryCode: verified.recoveryCode });
}

async function enrollAnewElsewhere(driven: Driven): Promise<void> {
  const { server, world, userId } = driven;
  const currentCode = nextCode(driven);
  if (currentCode === undefined) {
    driven.secret = await enrollElsewhere(server, world, userId);
    return;
  }
  const self = await selfOf(server, world, userId);
  const { secret } = await beginTotp(self, { currentCode });
  const verified = await verify(self, code(driven, secret));
  if (verified.__typename !== 'FactorVerified') throw new Error(`Not enrolled: ${JSON.stringify(verified)}`);
  driven.secret = secret;
}

async function deleteAuthenticator({ world, userId }: Driven): Promise<void> {
  const { factors } = await mfaOf(world, userId);
  const active = factors.find(({ type, status }) => type === 'TOTP' && status === 'ACTIVE');
  if (active) await deleteFactor(world, active.id);
}

/** What can happen to a step, each through the API. */
export const events: Record<string, (driven: Driven) => Promise<unknown>> = {
  'new authenticator confirmed': confirm,
  'TOTP code accepted': (driven) => verify(driven.world.browser, nextCode(driven) ?? '000000', driven.mfaToken),
  'recovery code accepted': ({ world, mfaToken, recoveryCode }) => redeem(world.browser, mfaToken, recoveryCode),
  verifyMfaEnrollment: ({ world, mfaToken }) => finishEnrollment(world, mfaToken),
  verifyMfaChallenge: ({ world, mfaToken }) => finishChallenge(world, mfaToken),
  'enrolled elsewhere': enrollAnewElsewhere,
  'authenticator deleted': deleteAuthenticator,
  async 'time passes'(driven) {
    driven.server.clock.advance(600);
    driven.world = await renewed(driven.server, driven.world);
  },
};

/** What moves no step, whatever its state. */
export const idleEvents: typeof events = {
  async 'a wrong code'({ server, world, mfaToken, secret }) {
    await verify(world.browser, secret === null ? '000000' : wrongCode(secret, server.clock.now()), mfaToken);
    await redeem(world.browser, mfaToken, '0000-0000-0000-0000-0000');
  },
  'an authenticator begun': ({ world, mfaToken }) => enroll(world.browser, { mfaToken }),
  async 'a policy that changes'(driven) {
    const { world, mfaToken } = driven;
    await setPolicy(world, { totpEnabled: false, recoveryCodesEnabled: false, enrollment: 'OPTIONAL' });
    await finishChallenge(world, mfaToken);
    await finishEnrollment(world, mfaToken);
    await setPolicy(world, { totpEnabled: true, recoveryCodesEnabled: true, enrollment: 'REQUIRED' });
  },
  async 'startMfa repeated'(driven) {
    const { idempotencyKey } = driven;
    driven.mfaToken = await startToken(driven.world, driven.userId, { idempotencyKey });
  },
  'another step started': ({ world, userId }) => startToken(world, userId),
};

/** A new user with a step: of enrolling, or, once enrolled, of a challenge. */
async function begin(server: TestServer, world: SignInWorld, isEnrolled: boolean): Promise<Driven> {
  const [userId, idempotencyKey] = [uniqueId('user'), uniqueId('key')];
  const driven: Driven = { server, world, userId, secret: null, recoveryCode: null, mfaToken: '', idempotencyKey };
  if (isEnrolled) {
    driven.mfaToken = await startToken(world, userId);
    await confirm(driven);
  }
  driven.mfaToken = await startToken(world, userId, { idempotencyKey });
  return driven;
}

/** How each state is reached: enrolled or not, then by which events. */
const ways: Record<string, [isEnrolled: boolean, ...events: string[]]> = {
  EnrollmentOpen: [false],
  EnrollmentSatisfied: [false, 'new authenticator confirmed'],
  ChallengeOpen: [true],
  ChallengeSatisfied: [true, 'TOTP code accepted'],
  Recovered: [true, 'recovery code accepted'],
  Finished: [true, 'TOTP code accepted', 'verifyMfaChallenge'],
  Ended: [false, 'enrolled elsewhere'],
  Expired: [true, 'TOTP code accepted', 'time passes'],
};

export const reachableStates = Object.keys(ways);

/** A step in a state. */
export async function inState(server: TestServer, state: string): Promise<Driven> {
  const [isEnrolled, ...way] = ways[state] ?? [false];
  const driven = await begin(server, await signInWorld(server), isEnrolled);
  for (const event of way) await events[event]?.(driven);
  const reached = await stateOf(driven);
  if (reached !== state) throw new Error(`${state} was not reached, but ${reached}.`);
  return driven;
}
