import { env } from 'node:process';
// Outside this repository: from 'cufflink/client'.
import {
  CallError,
  createClient,
  EnrollTotpAuthFactorDocument,
  VerifyTotpAuthFactorChallengeDocument,
} from '../client/client.ts';
import { authenticatorCode } from './authenticator.ts';

/*
 * A signed-in user sets an authenticator up by themselves, in the account settings of a frontend:
 *
 *   npm start                                    (in another terminal)
 *   CUFFLINK_TOKEN=$(npm run -s token -- user) npm run -s example:self-enrollment
 */
const { CUFFLINK_URL: url = 'http://127.0.0.1:4000', CUFFLINK_TOKEN: token = null } = env;
const client = createClient({ url: `${url}/graphql`, token: () => token });

/** @returns the recovery code; null where the policy gives none @throws CallError */
async function enroll(): Promise<{ recoveryCode: string | null } | { refused: string }> {
  // 1. Begin. Who has an authenticator already must prove it: currentCode.
  const { enrollTotpAuthFactor: begun } = await client.call(EnrollTotpAuthFactorDocument, { input: {} });
  // Expected failures are members of the result, and the compiler knows them all.
  switch (begun.__typename) {
    case 'TotpEnrollment':
      break;
    case 'StepUpRequired':
      return { refused: 'There is an authenticator already; its current code is needed to replace it.' };
    case 'FactorNotAllowed':
      return { refused: 'The policy has authenticators switched off.' };
    case 'TooManyAttempts':
      return { refused: `Too many wrong codes; again at ${begun.retryAt}.` };
    default:
      return { refused: begun.message };
  }
  // 2. Show begun.qrCode as an image, and begun.secret to who can't scan. Then the user types a code.
  console.log(`The user scans ${begun.otpauthUri.replace(/secret=[^&]+/, 'secret=…')}`);
  const { verifyTotpAuthFactorChallenge: verified } = await client.call(
    VerifyTotpAuthFactorChallengeDocument,
    {
      input: { code: authenticatorCode(begun.secret) },
    },
  );
  if (verified.__typename === 'FactorVerified') return verified;
  return {
    refused:
      verified.__typename === 'InvalidCode'
        ? `The code is wrong; ${verified.attemptsRemaining} attempts are left.`
        : verified.message,
  };
}

try {
  const result = await enroll();
  if ('refused' in result) {
    console.log(result.refused);
  } else {
    // 3. Shown this once: the user must save it before going on.
    console.log(result.recoveryCode ? 'Enrolled; the user saves the recovery code.' : 'Enrolled.');
  }
} catch (error) {
  if (!(error instanceof CallError)) throw error;
  console.error(`${error.code}: ${error.message}`);
  process.exitCode = 1;
}
