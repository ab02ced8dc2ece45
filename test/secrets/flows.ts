import { deleteFactor, newRecoveryCode, redeem, selfOf } from '../factor/agent.ts';
import {
  DeleteAuthFactorDocument,
  EnrollRecoveryCodeDocument,
  EnrollTotpDocument,
  FinishChallengeDocument,
  FinishEnrollmentDocument,
  IntrospectDocument,
  VerifyRecoveryCodeDocument,
  VerifyTotpDocument,
} from '../generated/documents.ts';
import { type TestCaller, type TestServer, uniqueId } from '../setup/harness.ts';
import { faults, withFaults } from '../setup/statement-faults.ts';
import { codeAt } from '../setup/totp.ts';
import { renewed, setPolicy } from '../signin/step-tools.ts';
import {
  beginTotp,
  type EnrolledUser,
  enroll,
  enrolledUser,
  finishChallenge,
  finishEnrollment,
  type SignInWorld,
  start,
  startToken,
  verify,
} from '../signin/user-agent.ts';

/* Everything that users and sign-in services do with secrets, rightly, wrongly and while things fail. */

export interface Stage {
  server: TestServer;
  /** On the same database, without its keys. */
  keyless: TestServer;
  world: SignInWorld;
}

/** What an open step and its user hold, for whoever misplaces it. */
export interface Held {
  mfaToken: string;
  user: EnrolledUser;
  bearer: string;
  assertion: string;
  code: string;
  recoveryCode: string;
}

const code = ({ server }: Stage, secret: string) => codeAt(secret, server.clock.now());

/** Wrong ones, and ones that are none. None of them occurs by itself. */
const wrongCodes = ['481516', '234281', '48151 6', ' 481516', '４８１５１６', '48151623428148151623', ''];
const wrongRecoveryCode = 'WRNG-C0DE-7F3A-9K2M-X4PQ';

export async function enrolling(stage: Stage): Promise<void> {
  const { world } = stage;
  const userId = uniqueId('user');
  const key = { idempotencyKey: uniqueId('key') };
  const dead = await startToken(world, userId, key);
  const mfaToken = await startToken(world, userId, key);
  await start(world, userId, { ...key, accountName: 'another' });
  await enroll(world.browser, { mfaToken: dead });
  const { secret } = await beginTotp(world.browser, { mfaToken });
  await beginTotp(world.browser, { mfaToken });
  await world.browser.call(IntrospectDocument, { mfaToken });
  for (const wrong of wrongCodes.slice(0, 4)) await verify(world.browser, wrong, mfaToken);
  await verify(world.browser, code(stage, secret), mfaToken);
  await finishChallenge(world, mfaToken);
  for (let n = 0; n < 2; n += 1) await finishEnrollment(world, mfaToken);
}

export async function challenged(stage: Stage): Promise<void> {
  const { server, world } = stage;
  const user = await enrolledUser(server, world);
  const mfaToken = await startToken(world, user.id);
  await verify(world.browser, wrongCodes[0] ?? '', mfaToken);
  for (let n = 0; n < 2; n += 1) await verify(world.browser, code(stage, user.secret), mfaToken);
  for (let n = 0; n < 2; n += 1) await finishChallenge(world, mfaToken);
  const again = await startToken(world, user.id);
  for (const wrong of wrongCodes) await verify(world.browser, wrong, again);
}

export async function recovered(stage: Stage): Promise<void> {
  const { server, world } = stage;
  const user = await enrolledUser(server, world);
  const mfaToken = await startToken(world, user.id);
  await redeem(world.browser, mfaToken, wrongRecoveryCode);
  const typed = (user.recoveryCode ?? '').toLowerCase().replaceAll('-', ' ');
  for (let n = 0; n < 2; n += 1) await redeem(world.browser, mfaToken, typed);
  await newRecoveryCode(world.browser, { mfaToken });
  const { secret } = await beginTotp(world.browser, { mfaToken });
  await verify(world.browser, code(stage, secret), mfaToken);
  await finishChallenge(world, mfaToken);
}

export async function selfService(stage: Stage): Promise<void> {
  const { server, world } = stage;
  const userId = uniqueId('user');
  const self = await selfOf(server, world, userId);
  const { secret, factor } = await beginTotp(self, {});
  await verify(self, code(stage, secret));
  server.clock.advance(30);
  await newRecoveryCode(self, { currentCode: code(stage, secret) });
  server.clock.advance(30);
  await enroll(self, { currentCode: wrongCodes[1] });
  const second = await beginTotp(self, { currentCode: code(stage, secret) });
  await verify(self, code(stage, second.secret));
  server.clock.advance(30);
  await deleteFactor(self, factor.id, code(stage, second.secret));
  await deleteFactor(self, second.factor.id, wrongCodes[1]);
  await deleteFactor(self, second.factor.id, code(stage, second.secret));
  await setPolicy(world, { totpEnabled: false, recoveryCodesEnabled: false, enrollment: 'OPTIONAL' });
  await verify(self, code(stage, second.secret));
  await setPolicy(world, { totpEnabled: true, recoveryCodesEnabled: true, enrollment: 'REQUIRED' });
}

/** Calls that carry secrets, while each of their statements fails, and on a server without keys. */
export async function failing(stage: Stage): Promise<void> {
  for (const fault of faults) {
    for (let at = 1; at <= 4; at += 1) {
      const { calls } = await prepared(stage);
      for (const call of calls(stage.world.service, stage.world.browser)) {
        await withFaults((n) => (n === at ? fault : null), call);
      }
    }
  }
  const { calls } = await prepared(stage);
  const there = stage.keyless;
  for (const call of calls(there.callerWith(stage.world.service.token), there.callerWith(null))) await call();
}

async function prepared(stage: Stage) {
  const { server } = stage;
  stage.world = await renewed(server, stage.world);
  const { world } = stage;
  const user = await enrolledUser(server, world);
  const self = await selfOf(server, world, user.id);
  const mfaToken = await startToken(world, user.id);
  const newcomer = await startToken(world, uniqueId('user'));
  const { secret } = await beginTotp(world.browser, { mfaToken: newcomer });
  const input = { mfaToken, code: code(stage, user.secret), currentCode: code(stage, user.secret) };
  const calls = (service: TestCaller, browser: TestCaller): (() => Promise<unknown>)[] => [
    () => start({ ...world, service }, user.id, { idempotencyKey: uniqueId('key') }).catch(() => null),
    () => browser.call(EnrollTotpDocument, { input: { mfaToken, currentCode: input.currentCode } }),
    () => browser.call(EnrollRecoveryCodeDocument, { input: { mfaToken, currentCode: input.currentCode } }),
    () => browser.call(VerifyTotpDocument, { input: { mfaToken, code: input.code } }),
    () => browser.call(VerifyTotpDocument, { input: { mfaToken, code: '481516' } }),
    () =>
      browser.call(VerifyRecoveryCodeDocument, {
        input: { mfaToken, recoveryCode: user.recoveryCode ?? '' },
      }),
    () => service.call(FinishChallengeDocument, { input: { mfaToken } }),
    () => browser.call(EnrollTotpDocument, { input: { mfaToken: newcomer } }),
    () => browser.call(VerifyTotpDocument, { input: { mfaToken: newcomer, code: code(stage, secret) } }),
    () => service.call(FinishEnrollmentDocument, { input: { mfaToken: newcomer } }),
    () =>
      self.call(DeleteAuthFactorDocument, { input: { id: user.factorId, currentCode: input.currentCode } }),
  ];
  return { calls };
}

/** A user in an open step, with one of each secret. */
export async function held(stage: Stage): Promise<Held> {
  const { server, world } = stage;
  const user = await enrolledUser(server, world);
  const before = await startToken(world, user.id);
  await verify(world.browser, code(stage, user.secret), before);
  const finished = await finishChallenge(world, before);
  if (finished.__typename !== 'MfaCompleted') throw new Error(`Not finished: ${JSON.stringify(finished)}`);
  server.clock.advance(30);
  return {
    mfaToken: await startToken(world, user.id),
    user,
    bearer: await server.token({ sub: user.id }),
    assertion: finished.assertion,
    code: code(stage, user.secret),
    recoveryCode: user.recoveryCode ?? '',
  };
}
