import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { startTestServer, TestClock, type TestServer, uniqueId } from '../setup/harness.ts';
import {
  beginTotp,
  finishChallenge,
  finishEnrollment,
  signInWorld,
  startToken,
  verify,
} from '../signin/user-agent.ts';

/*
 * An authenticator that is not ours: OATH Toolkit's `oathtool` (Debian package oathtool). Needs the
 * program, so it runs by `npm run test:interop`.
 */

const run = promisify(execFile);

/** The code that oathtool shows for a secret, as an authenticator app would. */
async function oathtool(secret: string, at: Date, options = ['--totp']): Promise<string> {
  const seconds = Math.floor(at.getTime() / 1000);
  const { stdout } = await run('oathtool', [...options, '--base32', `--now=@${seconds}`, secret]);
  return stdout.trim();
}

let server: TestServer;
beforeAll(async () => {
  // Standing, so that no time step ends between a code and its use.
  const clock = new TestClock();
  clock.fix(new Date());
  server = await startTestServer({ clock });
});
afterAll(() => server.stop());

test('a code of oathtool for the returned secret confirms an enrollment, and the next answers a challenge', async () => {
  const world = await signInWorld(server);
  const userId = uniqueId('user');
  const enrolling = await startToken(world, userId);
  const { secret } = await beginTotp(world.browser, { mfaToken: enrolling });
  const confirmed = await verify(world.browser, await oathtool(secret, server.clock.now()), enrolling);
  expect(confirmed.__typename).toBe('FactorVerified');
  expect((await finishEnrollment(world, enrolling)).__typename).toBe('MfaCompleted');

  server.clock.advance(30);
  const signingIn = await startToken(world, userId);
  const answered = await verify(world.browser, await oathtool(secret, server.clock.now()), signingIn);
  expect(answered.__typename).toBe('FactorVerified');
  expect((await finishChallenge(world, signingIn)).__typename).toBe('MfaCompleted');
});

test('the parameters of the otpauth URI are those that oathtool needs, its defaults', async () => {
  const world = await signInWorld(server);
  const mfaToken = await startToken(world, uniqueId('user'));
  const { secret, otpauthUri } = await beginTotp(world.browser, { mfaToken });
  const said = new URL(otpauthUri).searchParams;
  const now = server.clock.now();
  const options = [
    `--totp=${said.get('algorithm')}`,
    `--digits=${said.get('digits')}`,
    `--time-step-size=${said.get('period')}s`,
  ];
  const code = await oathtool(said.get('secret') ?? '', now, options);
  expect(code).toBe(await oathtool(secret, now));
  expect((await verify(world.browser, code, mfaToken)).__typename).toBe('FactorVerified');
});

test('of the codes of oathtool for steps -3 to +3 just the present one and the one before it are accepted', async () => {
  const world = await signInWorld(server);
  const accepted: number[] = [];
  for (const steps of [-3, -2, -1, 0, 1, 2, 3]) {
    const mfaToken = await startToken(world, uniqueId('user'));
    const { secret } = await beginTotp(world.browser, { mfaToken });
    const at = new Date(server.clock.now().getTime() + steps * 30_000);
    const verified = await verify(world.browser, await oathtool(secret, at), mfaToken);
    if (verified.__typename === 'FactorVerified') accepted.push(steps);
    else expect(verified.__typename).toBe('InvalidCode');
  }
  expect(accepted).toEqual([-1, 0]);
});
