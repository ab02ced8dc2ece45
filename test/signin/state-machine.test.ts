import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { DeleteAuthFactorDocument, VerifyRecoveryCodeDocument } from '../generated/documents.ts';
import { startTestServer, type TestServer, uniqueId } from '../setup/harness.ts';
import { codeAt } from '../setup/totp.ts';
import {
  beginTotp,
  enroll,
  enrolledUser,
  finishChallenge,
  finishEnrollment,
  mfaOf,
  type SignInWorld,
  signInWorld,
  startToken,
  verify,
} from './user-agent.ts';

/*
 * The drawing in src/signin/README.md and the service agree: in every state everything happens that can,
 * through the API, and the row of the step moves as the arrows say.
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
  recoveryCode: string;
}

const code = ({ secret }: Walker) => (secret === '' ? '000000' : codeAt(secret, server.clock.now()));

async function redeem({ mfaToken, recoveryCode }: Walker): Promise<void> {
  await world.browser.call(VerifyRecoveryCodeDocument, { input: { mfaToken, recoveryCode } });
}
async function removeFactor({ userId }: Walker): Promise<void> {
  const { factors } = await mfaOf(world, userId);
  const totp = factors.find(({ type, status }) => type === 'TOTP' && status !== 'PENDING');
  if (totp) await world.admin.call(DeleteAuthFactorDocument, { input: { id: totp.id } });
}
const newStep = async (): Promise<Walker> => {
  const userId = uniqueId('user');
  return { userId, mfaToken: await startToken(world, userId), secret: '', recoveryCode: '' };
};
const newChallenge = async (): Promise<Walker> => {
  const user = await enrolledUser(server, world);
  return {
    userId: user.id,
    mfaToken: await startToken(world, user.id),
    secret: user.secret,
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
/** Enrolls in a step of its own: for the first time, or anew with a code that is still unspent. */
async function enrollElsewhere(step: Walker): Promise<void> {
  const mfaToken = await startToken(world, step.userId);
  const currentCode = step.secret === '' ? undefined : code(step);
  const begun = await enroll(world.browser, { mfaToken, currentCode });
  if (begun.__typename !== 'TotpEnrollment') return;
  await verify(world.browser, codeAt(begun.secret, server.clock.now()), mfaToken);
}
const then = async (made: Promise<Walker>, act: (step: Walker) => Promise<unknown>): Promise<Walker> => {
  const step = await made;
  await act(step);
  return step;
};

/** By state: a step that stands there. */
const states: Record<string, () => Promise<Walker>> = {
  Enrollment: newStep,
  Enrolled: enrolled,
  Challenge: newChallenge,
  Satisfied: satisfied,
  Recovered: recovered,
  Finished: () => then(satisfied(), ({ mfaToken }) => finishChallenge(world, mfaToken)),
  Ended: () => then(newChallenge(), removeFactor),
};

/** All that can happen to a step, done whether or not it can: what is refused leads nowhere. */
const events: Record<string, (step: Walker) => Promise<unknown>> = {
  'a code of what is begun in it': async (step) => {
    const begun = await enroll(world.browser, { mfaToken: step.mfaToken, currentCode: code(step) });
    if (begun.__typename === 'TotpEnrollment') {
      await verify(world.browser, codeAt(begun.secret, server.clock.now()), step.mfaToken);
    }
  },
  'a code of the authenticator': (step) => verify(world.browser, code(step), step.mfaToken),
  'a recovery code': redeem,
  'the finish of an enrollment': ({ mfaToken }) => finishEnrollment(world, mfaToken),
  'the finish of a challenge': ({ mfaToken }) => finishChallenge(world, mfaToken),
  'an enrollment elsewhere': enrollElsewhere,
  'the deletion of the authenticator': removeFactor,
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
const drawn = [...drawing.matchAll(/^ +(\w+) --> (\w+)(?::|$)/gm)].map(([, from, to]) => `${from} --> ${to}`);

describe('the drawing of the MFA step', () => {
  test('a step begins as it says', async () => {
    expect(await stateOf(await newStep())).toBe('Enrollment');
    expect(await stateOf(await newChallenge())).toBe('Challenge');
    const begins = [...drawing.matchAll(/^ +\[\*\] --> (\w+)/gm)].map(([, to]) => to);
    expect(begins).toEqual(['Enrollment', 'Challenge']);
  });

  test('has an arrow for whatever leads from one state to another, and no other', async () => {
    const walked = new Set<string>();
    for (const [from, make] of Object.entries(states)) {
      for (const happen of Object.values(events)) {
        const step = await make();
        expect(await stateOf(step)).toBe(from);
        // The next code is unspent.
        server.clock.advance(30);
        await happen(step);
        const to = await stateOf(step);
        if (to !== from) walked.add(`${from} --> ${to}`);
      }
    }
    expect([...walked].sort()).toEqual([...drawn].sort());
  });

  test('ends in states in which the token is worth nothing', async () => {
    for (const end of ['Finished', 'Ended']) {
      const step = (await states[end]?.()) as Walker;
      expect(await verify(world.browser, '000000', step.mfaToken)).toMatchObject({
        code: 'INVALID_MFA_TOKEN',
      });
      expect(await finishChallenge(world, step.mfaToken)).toMatchObject({ code: 'INVALID_MFA_TOKEN' });
    }
  });
});
