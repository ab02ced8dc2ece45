import { env } from 'node:process';
// Outside this repository: from 'cufflink/client'.
import { CallError, createClient, ViewerEffectivePolicyDocument } from '../client/client.ts';

/*
 * A frontend asks what MFA its signed-in user's tenant asks for:
 *
 *   npm start                                    (in another terminal)
 *   CUFFLINK_TOKEN=$(npm run -s token -- user) npm run -s example:policy
 */
const { CUFFLINK_URL: url = 'http://127.0.0.1:4000', CUFFLINK_TOKEN: token = null } = env;
const client = createClient({ url: `${url}/graphql`, token: () => token });

try {
  const { viewer } = await client.call(ViewerEffectivePolicyDocument, {});
  if (viewer.tenant === null) throw new Error('This token is of no tenant; take one of a signed-in user.');
  const { displayName, effectivePolicy: policy } = viewer.tenant;
  console.log(`${viewer.subject} of ${displayName}:`);
  console.log(policy.mfaEnabled ? `  MFA is on; enrollment is ${policy.enrollment}.` : '  MFA is off.');
  console.log(`  The policy is of the ${policy.source === 'TENANT' ? 'tenant' : 'application'} itself.`);
  if (viewer.mfa) console.log(`  The user is ${viewer.mfa.state}.`);
} catch (error) {
  if (!(error instanceof CallError)) throw error;
  // Codes are stable, messages are not; what is passing may be asked again.
  console.error(`${error.code}: ${error.message}${error.isPassing ? ' Try again.' : ''}`);
  process.exitCode = 1;
}
