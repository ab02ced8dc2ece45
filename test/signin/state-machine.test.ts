import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { DeleteAuthFactorDocument, VerifyRecoveryCodeDocument } from '../generated/documents.ts';
import { startTestServer, type TestServer, uniqueId } from '../setup/harness.ts';
import { codeAt } from '../setup/totp.ts';
import {
  beginTotp,
  enrolledUser,
  finishChallenge,
  finishEnrollment,
  type SignInWorld,
  signInWorld,
  startToken,
  verify,
} from './user-agent.ts';

/*
 * The drawing in src/signin/README.md and the service agree: every arrow is walked through the API,
 * and the row of the step stands where the arrow points.
 */

let server: TestServer;
let world: SignInWorld;
beforeAll(async () => {
  server = await startTestServer();
  world = await signInWorld(server);
});
afterAll(() => server.stop());

/** A step on its way: its user's secret and codes, where there are any. */
interface Walker {
  userId: string;
  mfaToken: string;
  secret: string;
  factorId: string;
  recoveryCode: string;
}

const code = ({ secret }: Walker) => codeAt(secret, server.clock.now());

async function redeem({ mfaToken, recoveryCode }: Walker): Promise<void> {
  await world.browser.call(VerifyRecoveryCodeDocument, { input: { mfaToken, recoveryCode } });
}
async function removeFactor({ factorId }: Walker): Promise<void> {
  await world.admin.call(DeleteAuthFactorDocument, { input: { id: factorId } });
}
const newStep = async (): Promise<Walker> => {
  const userId = uniqueId('user');
  return { userId, mfaToken: await startToken(world, userId), secret: '', factorId: '', recoveryCode: '' };
};
const newChallenge = async (): Promise<Walker> => {
  const user = await enrolledUser(server, world);
  return {
    userId: user.id,
    mfaToken: await startToken(world, user.id),
    secret: user.secret,
    factorId: user.factorId,
    recoveryCode: user.recoveryCode ?? '',
  };
};
const satisfied = async (): Promise<Walker> => {
  const step = await newChallenge();
  await verify(world.browser, code(step), step.mfaToken);
  return step;
};
const recovered = async (): Promise<Walker> => {
  const step = await newChallenge();
  await redeem(step);
  return step;
};
const enrolled = async (): Promise<Walker> => {
  const step = await newStep();
  const { secret } = await beginTotp(world.browser, { mfaToken: step.mfaToken });
  await verify(world.browser, codeAt(secret, server.clock.now()), step.mfaToken);
  return { ...step, secret };
};
/** Enrolls anew in a step of its own, proven by a code of the old authenticator that is still unspent. */
const enrollElsewhere = async ({ userId, secret }: Walker): Promise<void> => {
  server.clock.advance(30);
  const mfaToken = await startToken(world, userId);
  const currentCode = codeAt(secret, server.clock.now());
  const begun = await beginTotp(world.browser, { mfaToken, currentCode });
  await verify(world.browser, codeAt(begun.secret, server.clock.now()), mfaToken);
};
const then = async (made: Promise<Walker>, act: (step: Walker) => Promise<unknown>): Promise<Walker> => {
  const step = await made;
  await act(step);
  return step;
};

/** By arrow: walks it. */
const drivers: Record<string, () => Promise<Walker>> = {
  '[*] --> Enrollment': newStep,
  '[*] --> Challenge': newChallenge,
  'Enrollment --> Enrolled': enrolled,
  'Challenge --> Satisfied': satisfied,
  'Challenge --> Recovered': recovered,
  'Satisfied --> Recovered': () => then(satisfied(), redeem),
  'Satisfied --> Challenge': () => then(satisfied(), enrollElsewhere),
  'Recovered --> Challenge': () => then(recovered(), enrollElsewhere),
  'Enrolled --> Finished': () => then(enrolled(), ({ mfaToken }) => finishEnrollment(world, mfaToken)),
  'Satisfied --> Finished': () => then(satisfied(), ({ mfaToken }) => finishChallenge(world, mfaToken)),
  'Recovered --> Finished': () => then(recovered(), ({ mfaToken }) => finishChallenge(world, mfaToken)),
  'Enrollment --> Ended': () => then(newStep(), ({ userId }) => enrolledUser(server, world, userId)),
  'Challenge --> Ended': () => then(newChallenge(), removeFactor),
  'Satisfied --> Ended': () => then(satisfied(), removeFactor),
};

/** Where the row of a step stands, in the drawing's words. */
async function stateOf({ mfaToken, userId }: Walker): Promise<string> {
  const { rows } = await server.database.pool.query(
    `select purpose, satisfied_by, finished_at, ended_at from mfa_steps
     where tenant_id = $1 and user_id = $2 and token_hash = $3`,
    [world.tenantId, userId, await hashOf(mfaToken)],
  );
  const [row] = rows;
  if (row.finished_at !== null) return 'Finished';
  if (row.ended_at !== null) return 'Ended';
  if (row.satisfied_by === 'recovery') return 'Recovered';
  if (row.satisfied_by === 'otp') return row.purpose === 'ENROLLMENT' ? 'Enrolled' : 'Satisfied';
  return row.purpose === 'ENROLLMENT' ? 'Enrollment' : 'Challenge';
}

async function hashOf(mfaToken: string): Promise<string> {
  const random = new TextEncoder().encode(mfaToken.split('.')[0]);
  return Buffer.from(await crypto.subtle.digest('SHA-256', random)).toString('base64url');
}

const drawing = await readFile(new URL('../../src/signin/README.md', import.meta.url), 'utf8');
const arrows = [...drawing.matchAll(/^ +(\[\*\]|\w+) --> (\[\*\]|\w+)(?::|$)/gm)]
  .map(([, from, to]) => ({ name: `${from} --> ${to}`, to }))
  .filter(({ to }) => to !== '[*]');

describe('the drawing of the MFA step', () => {
  test('has an arrow for every way that is walked here, and no other', () => {
    expect(arrows.map(({ name }) => name).sort()).toEqual(Object.keys(drivers).sort());
  });

  test.each(arrows)('$name is how the service goes', async ({ name, to }) => {
    const step = await drivers[name]?.();
    expect(step && (await stateOf(step))).toBe(to);
  });

  test('ends in states that a token leads out of no more', async () => {
    for (const name of [
      'Enrolled --> Finished',
      'Satisfied --> Finished',
      'Challenge --> Ended',
      'Enrollment --> Ended',
    ]) {
      const step = (await drivers[name]?.()) as Walker;
      expect(await verify(world.browser, '000000', step.mfaToken)).toMatchObject({
        code: 'INVALID_MFA_TOKEN',
      });
      expect(await finishChallenge(world, step.mfaToken)).toMatchObject({ code: 'INVALID_MFA_TOKEN' });
    }
  });
});
