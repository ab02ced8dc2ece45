import { createHmac } from 'node:crypto';

/*
 * The MFA step, from the accepted first factor to the proof of the second, as its caller and the user's browser
 * make it. `ask` gives the next request, `take` reads its answer and says what is wrong with it.
 */

const graphql = (query) => ({
  path: '/graphql',
  body: (input) => ({ query, variables: { input } }),
});

const start = graphql(
  'mutation Start($input: StartMfaInput!) { startMfa(input: $input) { ... on MfaDecision { status mfaToken } ... on UserError { code } } }',
);
const verify = graphql(
  'mutation Verify($input: VerifyTotpAuthFactorChallengeInput!) { verifyTotpAuthFactorChallenge(input: $input) { ... on FactorVerified { factor { id } } ... on UserError { code } } }',
);
const finish = graphql(
  'mutation Finish($input: VerifyMfaInput!) { verifyMfaChallenge(input: $input) { ... on MfaCompleted { assertion userId } ... on UserError { code } } }',
);

export const flowsOf = {
  cufflink: [
    {
      path: start.path,
      as: 'service',
      ask: ({ person }) => ({
        body: start.body({
          tenantId: person.tenantId,
          userId: person.id,
          accountName: person.email,
          trigger: 'LOGIN',
        }),
      }),
      take(state, body) {
        state.token = JSON.parse(body).data?.startMfa?.mfaToken;
        return state.token ? null : body;
      },
    },
    {
      path: verify.path,
      as: 'browser',
      ask: ({ person, token }) => ({ body: verify.body({ mfaToken: token, code: codeOf(person.secret) }) }),
      take: (_state, body) => (JSON.parse(body).data?.verifyTotpAuthFactorChallenge?.factor ? null : body),
    },
    {
      path: finish.path,
      as: 'service',
      ask: ({ token }) => ({ body: finish.body({ mfaToken: token }) }),
      take: (state, body) =>
        JSON.parse(body).data?.verifyMfaChallenge?.userId === state.person.id ? null : body,
    },
  ],
  'better-auth': [
    {
      path: '/api/auth/sign-in/email',
      as: 'browser',
      ask: ({ person }) => ({ body: { email: person.email, password: 'benchmark' } }),
      take(state, body, headers) {
        state.cookie = cookieOf(headers, 'two_factor');
        return JSON.parse(body).twoFactorRedirect && state.cookie ? null : body;
      },
    },
    {
      path: '/api/auth/two-factor/verify-totp',
      as: 'browser',
      ask: ({ person, cookie }) => ({ body: { code: codeOf(person.secret) }, headers: { cookie } }),
      take: (state, body, headers) =>
        JSON.parse(body).user?.id === state.person.id && cookieOf(headers, 'session_token') ? null : body,
    },
  ],
};

/** The pair that is to be sent back, of the cookie whose name ends so. */
function cookieOf(headers, name) {
  const [, lines] = Object.entries(headers).find(([key]) => key.toLowerCase() === 'set-cookie') ?? [];
  return [lines ?? []]
    .flat()
    .map((line) => line.split(';', 1)[0])
    .find((pair) => pair.split('=', 1)[0].endsWith(name) && !pair.endsWith('='));
}

/** The code of now [RFC 6238], of a secret in hexadecimal digits. */
export function codeOf(secret) {
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30_000)));
  const digest = createHmac('sha1', Buffer.from(secret, 'hex')).update(counter).digest();
  const offset = digest[digest.length - 1] & 15;
  return String((digest.readUInt32BE(offset) & 0x7fffffff) % 1_000_000).padStart(6, '0');
}
