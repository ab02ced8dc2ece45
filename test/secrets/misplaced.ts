import { once } from 'node:events';
import { connect } from 'node:net';
import type { TestServer } from '../setup/harness.ts';
import type { Held } from './flows.ts';

/* Secrets where they do not belong: in broken bodies, addresses, headers, and in calls of the wrong form. */

type Request = [path: string, init: RequestInit];

const json = { 'content-type': 'application/json' };
const posted = (body: string, headers: Record<string, string> = json): Request => [
  '/graphql',
  { method: 'POST', headers, body },
];
const document =
  'mutation ($input: VerifyTotpAuthFactorChallengeInput!) { verifyTotpAuthFactorChallenge(input: $input) { __typename } }';
const asked = (variables: unknown, query = document, more: object = {}): Request =>
  posted(JSON.stringify({ query, variables, ...more }));

/** Everything that somebody holds, in one text. */
const all = ({ mfaToken, user, bearer, assertion, code, recoveryCode }: Held): string =>
  [mfaToken, user.secret, bearer, assertion, code, recoveryCode].join(' ');

const brokenBodies = (it: Held): Request[] => {
  const input = { mfaToken: it.mfaToken, code: it.code };
  const literal = JSON.stringify(all(it));
  return [
    posted(JSON.stringify({ query: document, variables: { input } }).slice(0, -2)),
    posted(`${all(it)}`),
    posted(JSON.stringify([{ query: document, variables: { input } }])),
    posted(JSON.stringify(all(it))),
    posted(JSON.stringify({ query: document, variables: { input } }), { 'content-type': 'text/plain' }),
    posted(`input=${encodeURIComponent(all(it))}`, { 'content-type': 'application/x-www-form-urlencoded' }),
    posted(JSON.stringify({ query: document, variables: { input }, padding: `${all(it)} `.repeat(200) })),
    asked({ input: all(it) }),
    asked({ input: { ...input, code: { is: it.code } } }),
    asked({ input: { ...input, code: Number(it.code) } }),
    asked({ input: { ...input, recoveryCode: it.recoveryCode } }),
    asked({ input: { ...input, [it.user.secret]: it.code } }),
    asked({ input: [all(it)] }),
    asked({ input: null, code: all(it) }),
    asked(all(it)),
    asked({ input }, document, { operationName: it.mfaToken }),
    asked({ input }, document, { extensions: { persistedQuery: { version: 1, sha256Hash: all(it) } } }),
    asked(
      {},
      `mutation { verifyTotpAuthFactorChallenge(input: { mfaToken: ${literal}, code: "${it.code}" ) }`,
    ),
    asked({}, `mutation { verifyTotpAuthFactorChallenge(input: ${literal}) { __typename } }`),
    asked({}, `mutation { verifyTotpAuthFactorChallenge(input: { code: ${it.code} }) { __typename } }`),
    asked({}, `{ introspectMfaToken(mfaToken: ${literal} }`),
    asked({}, `{ introspectMfaToken(mfaToken: ${it.mfaToken}) { userId } }`),
    asked({}, `# ${all(it)}\n{ nothing }`),
    asked({}, `${all(it)}`),
    asked({}, `{ a: introspectMfaToken(mfaToken: ${literal}) { userId } } "${it.mfaToken}`),
    asked(
      { input },
      `mutation ($input: VerifyTotpAuthFactorChallengeInput!) {
        a: verifyTotpAuthFactorChallenge(input: $input) { __typename }
        b: verifyTotpAuthFactorChallenge(input: { code: "${it.code}", mfaToken: ${literal} }) { __typename } }`,
    ),
  ];
};

const wrongPlaces = (it: Held): Request[] => {
  const query = encodeURIComponent(all(it));
  const { mfaToken } = it;
  const headers: Record<string, string>[] = [
    { authorization: `Bearer ${mfaToken}` },
    { authorization: `Bearer ${it.assertion}` },
    { authorization: `Bearer ${it.bearer}x` },
    { authorization: `Basic ${Buffer.from(all(it)).toString('base64')}` },
    { authorization: all(it) },
    { authorization: `Bearer ${it.bearer}`, 'x-mfa-token': mfaToken, cookie: `token=${mfaToken}` },
    { referer: `https://app.test/?token=${mfaToken}`, 'user-agent': all(it), 'x-forwarded-for': mfaToken },
    { 'x-request-id': all(it), origin: `https://${it.user.secret}.test` },
    { 'apollo-require-preflight': mfaToken, 'x-http-method-override': all(it), accept: 'text/html' },
    { 'content-type': `application/json; token=${it.user.secret}` },
    { 'content-type': `token/${it.user.secret}` },
  ];
  return [
    ...headers.map((more) => posted(JSON.stringify({ query: '{ __typename }' }), { ...json, ...more })),
    ...['GET', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'].map(
      (method): Request => [`/graphql?query=${query}&mfaToken=${mfaToken}`, { method }],
    ),
    ...[
      `/?token=${mfaToken}`,
      `/graphql/${mfaToken}`,
      `/mfa/challenge%23token=${mfaToken}`,
      `/mfa/enroll/${query}`,
      `/metrics?code=${it.code}&token=${mfaToken}`,
      `/health/live?${query}`,
      `/health/nothing/${it.code}?${query}`,
      `/.well-known/jwks.json?token=${mfaToken}`,
      `/%E0%A4%A/${mfaToken}`,
    ].map((path): Request => [path, {}]),
    [`/graphql?token=${mfaToken}`, { method: 'POST', headers: json, body: '{"query":"{ __typename }"}' }],
    [`/nothing/${mfaToken}`, { method: 'POST', headers: json, body: JSON.stringify({ code: it.code }) }],
  ];
};

/** Sends all of it. The answers are in the traffic. */
export async function misplace(server: TestServer, it: Held): Promise<void> {
  for (const [path, init] of [...brokenBodies(it), ...wrongPlaces(it)]) {
    await fetch(`${server.url}${path}`, init).then((response) => response.text());
  }
}

/** Bytes that are no HTTP. @returns what came back */
export async function sendBytes(server: TestServer, bytes: string): Promise<string> {
  const socket = connect(Number(new URL(server.url).port), '127.0.0.1');
  await once(socket, 'connect');
  let answer = '';
  socket.on('data', (chunk) => {
    answer += chunk;
  });
  socket.write(bytes);
  await once(socket, 'close');
  return answer;
}
