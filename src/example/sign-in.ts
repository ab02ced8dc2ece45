import { env } from 'node:process';
import { createRemoteJWKSet, jwtVerify } from 'jose';
import { authenticatorCode } from './authenticator.ts';

/*
 * A sign-in service in a few dozen lines. It has just checked a password; now it runs the MFA step:
 *
 *   npm start                                    (in another terminal)
 *   CUFFLINK_TOKEN=$(npm run -s token -- sign-in) npm run -s example:sign-in
 *
 * CUFFLINK_URL, APPLICATION, TENANT and USER_ID say where and who; a new user of the demo unless told.
 * ISSUER is the service's PUBLIC_URL.
 */
const {
  CUFFLINK_URL: url = 'http://127.0.0.1:4000',
  CUFFLINK_TOKEN: token,
  ISSUER: issuer = url,
  APPLICATION: applicationId = 'harbor',
  TENANT: tenantId = 'dogwood',
  USER_ID: userId = `user-${Date.now()}`,
} = env;
if (!token) throw new Error('Set CUFFLINK_TOKEN to the bearer token of a sign-in service.');

type Failure = { __typename: string; code: string; message: string };
type Decision = { __typename: 'MfaDecision'; status: string; reason: string; mfaToken: string | null };
type Enrollment = { __typename: 'TotpEnrollment'; secret: string };
type Verified = { __typename: 'FactorVerified'; recoveryCode: string | null };
type Completed = { __typename: 'MfaCompleted'; assertion: string; amr: string[] };

/** Calls one mutation. @param bearer the sign-in service's token; the user's browser has none */
async function call<Answer extends { __typename: string }>(
  mutation: string,
  type: Answer['__typename'],
  fields: string,
  input: object,
  bearer?: string,
): Promise<Answer> {
  const inputType = `${mutation.startsWith('verifyMfa') ? 'VerifyMfa' : mutation[0]?.toUpperCase() + mutation.slice(1)}Input`;
  const query = `mutation ($input: ${inputType}!) {
    answer: ${mutation}(input: $input) { __typename ... on ${type} { ${fields} } ... on UserError { code message } }
  }`;
  const response = await fetch(`${url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...(bearer && { authorization: `Bearer ${bearer}` }) },
    body: JSON.stringify({ query, variables: { input } }),
  });
  const { data, errors } = (await response.json()) as {
    data?: { answer: Answer | Failure };
    errors?: { message: string }[];
  };
  if (!data || errors) throw new Error(errors?.[0]?.message ?? `HTTP ${response.status}`);
  // Expected failures are data: match on the type or the code, never on the message.
  if (data.answer.__typename !== type) throw new Error((data.answer as Failure).message);
  return data.answer as Answer;
}

// 1. The password was right: what does MFA ask of this user?
const decision = await call<Decision>(
  'startMfa',
  'MfaDecision',
  'status reason mfaToken',
  { tenantId, userId, accountName: `${userId}@example.com`, trigger: 'LOGIN' },
  token,
);
console.log(`startMfa: ${decision.status} (${decision.reason})`);
const { mfaToken } = decision;
if (decision.status === 'AUTHENTICATED' || mfaToken === null) {
  // Within the grace period there is a token all the same: the user may enroll early, and need not.
  console.log('Nothing more is asked; the user is signed in.');
} else if (decision.status === 'MFA_CHALLENGE_REQUIRED') {
  console.log(
    'The user has an authenticator already; only it knows the code. Run again with another USER_ID.',
  );
} else {
  // 2. The user's browser carries the step out, with the token alone.
  const { secret } = await call<Enrollment>('enrollTotpAuthFactor', 'TotpEnrollment', 'secret', { mfaToken });
  console.log('The user scans the QR code.');
  const { recoveryCode } = await call<Verified>(
    'verifyTotpAuthFactorChallenge',
    'FactorVerified',
    'recoveryCode',
    {
      mfaToken,
      code: authenticatorCode(secret),
    },
  );
  console.log(
    recoveryCode === null ? 'The code is right.' : 'The code is right; the user keeps a recovery code.',
  );

  // 3. The sign-in service finishes the step, once, and checks what it gets.
  const { assertion } = await call<Completed>(
    'verifyMfaEnrollment',
    'MfaCompleted',
    'assertion amr',
    { mfaToken },
    token,
  );
  const keys = createRemoteJWKSet(new URL(`${url}/.well-known/jwks.json`));
  // It must be of this very sign-in: another user's step, finished in its place, proves nothing.
  const { payload } = await jwtVerify(assertion, keys, {
    typ: 'mfa-assertion+jwt',
    algorithms: ['ES256'],
    issuer,
    audience: applicationId,
    subject: userId,
  });
  if (payload['tenant_id'] !== tenantId) throw new Error('The assertion is of another tenant.');
  console.log(`Signed in: ${payload.sub} of ${payload['tenant_id']} by ${JSON.stringify(payload['amr'])}`);
}
