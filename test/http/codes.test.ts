import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { startTestServer, type TestServer } from '../setup/harness.ts';

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
});
afterAll(() => server.stop());

const verify = (alias: string) =>
  `${alias}: verifyTotpAuthFactorChallenge(input: { mfaToken: "t", code: $code }) { __typename }`;
const redeem =
  'verifyRecoveryCodeAuthFactorChallenge(input: { mfaToken: "t", recoveryCode: $code }) { __typename }';

describe('THR-2: one request carries one guess', () => {
  test.each([
    ['aliases', `mutation ($code: String!) { ${verify('a')} ${verify('b')} }`],
    ['an alias beside the plain field', `mutation ($code: String!) { ${verify('a')} ${redeem} }`],
    [
      'fragments',
      `mutation ($code: String!) { ...F ...G } fragment F on Mutation { ${verify('a')} } fragment G on Mutation { ... { ${verify('b')} } }`,
    ],
    [
      'a code to enroll with beside one to verify',
      `mutation ($code: String!) { enrollTotpAuthFactor(input: { currentCode: $code }) { __typename } ${verify('a')} }`,
    ],
    [
      'deleting',
      `mutation ($code: String!) { a: deleteAuthFactor(input: { id: "1", currentCode: $code }) { __typename } b: deleteAuthFactor(input: { id: "2", currentCode: $code }) { __typename } }`,
    ],
    [
      'whole inputs as variables',
      `mutation ($a: VerifyTotpAuthFactorChallengeInput! = { code: "1" }, $code: String!) { a: verifyTotpAuthFactorChallenge(input: $a) { __typename } ${verify('b')} }`,
    ],
  ])('%s do not make it two', async (_name, document) => {
    const { status, errors } = await server.callerWith(null).call(document, { code: '123456' });
    expect({ status, codes: errors.map(({ extensions }) => extensions?.['code']) }).toEqual({
      status: 400,
      codes: ['LIMIT_EXCEEDED'],
    });
  });

  test('a list of requests is refused', async () => {
    const one = { query: `mutation ($code: String!) { ${verify('a')} }`, variables: { code: '123456' } };
    const response = await fetch(`${server.url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify([one, one]),
    });
    expect(response.status).toBe(400);
  });

  test('one guess is answered', async () => {
    const { data } = await server
      .callerWith(null)
      .call<Record<string, unknown>, object>(`mutation ($code: String!) { ${verify('a')} }`, {
        code: '123456',
      });
    expect(data).toEqual({ a: { __typename: 'InvalidMfaToken' } });
  });
});
