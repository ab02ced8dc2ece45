import { randomBytes } from 'node:crypto';
import { codeOf, flowsOf } from '../bench/load/flows.mjs';

/*
 * What is asked of the server, in shares of what is asked: whole MFA steps, what applications read, what
 * administrators read and write, and what goes wrong. A visit is one or several requests, one after the other.
 */

const error = '... on UserError { code }';
const documents = {
  policies:
    'query Policies($ids: [ID!]!) { tenants(ids: $ids) { id effectivePolicy { mfaEnabled enrollment issuer version } } }',
  start: `mutation Start($input: StartMfaInput!) { startMfa(input: $input) { ... on MfaDecision { status mfaToken } ${error} } }`,
  enroll: `mutation Enroll($input: EnrollTotpAuthFactorInput!) { enrollTotpAuthFactor(input: $input) { ... on TotpEnrollment { secret qrCode } ${error} } }`,
  confirm: `mutation Confirm($input: VerifyTotpAuthFactorChallengeInput!) { verifyTotpAuthFactorChallenge(input: $input) { ... on FactorVerified { recoveryCode } ${error} } }`,
  write: `mutation Write($input: SetTenantMfaPolicyOverrideInput!) { setTenantMfaPolicyOverride(input: $input) { ... on TenantPayload { tenant { id } } ${error} } }`,
  page: 'query Page($id: ID!, $application: ID!) { tenant(id: $id) { mfaStats { users enrolled } users(first: 20) { nodes { id mfa { state } } } } auditEvents(applicationId: $application, first: 20) { nodes { action at } } }',
};

const isGood = (body) => body.data && !body.errors;

/** @returns the visits: a share of all, and what it does; `ask` answers the body, `fail` says what is wrong */
export const visitsOf = ({ people, tenants, headers, application }) => {
  let turn = 0;
  const some = (list) => list[Math.floor(Math.random() * list.length)];
  const own = () => randomBytes(6).toString('hex');
  return [
    {
      name: 'MFA step',
      share: 0.4,
      async make(ask, fail) {
        const state = { person: people[turn++ % people.length] };
        for (const step of flowsOf.cufflink) {
          const answer = await ask(headers[step.as], step.ask(state).body);
          const problem = step.take(state, JSON.stringify(answer));
          if (problem) return fail(problem);
        }
      },
    },
    {
      name: 'policies of tenants',
      share: 0.3,
      async make(ask, fail) {
        const ids = Array.from({ length: 20 }, () => some(tenants));
        const answer = await ask(headers.admin, { query: documents.policies, variables: { ids } });
        if (!isGood(answer)) fail(JSON.stringify(answer));
      },
    },
    {
      name: 'enrollment of a new user',
      share: 0.1,
      async make(ask, fail) {
        const id = `soak-${own()}`;
        const { tenantId } = some(people);
        const begin = await ask(headers.service, {
          query: documents.start,
          variables: {
            input: { tenantId, userId: id, accountName: id, trigger: 'SIGNUP', idempotencyKey: own() },
          },
        });
        const mfaToken = begin.data?.startMfa.mfaToken;
        // Where enrollment is optional, nobody is asked to.
        if (!mfaToken) return isGood(begin) ? undefined : fail(JSON.stringify(begin));
        const enrolling = await ask(headers.browser, {
          query: documents.enroll,
          variables: { input: { mfaToken } },
        });
        const secret = enrolling.data?.enrollTotpAuthFactor.secret;
        if (!secret) return fail(JSON.stringify(enrolling));
        const code = codeOf(hexOf(secret));
        const confirmed = await ask(headers.browser, {
          query: documents.confirm,
          variables: { input: { mfaToken, code } },
        });
        if (!isGood(confirmed)) fail(JSON.stringify(confirmed));
      },
    },
    {
      name: 'change of a policy',
      share: 0.05,
      async make(ask, fail) {
        const input = {
          tenantId: some(tenants),
          enabled: true,
          policy: { totpEnabled: true, gracePeriodDays: 1 + (turn % 300) },
        };
        const answer = await ask(headers.admin, { query: documents.write, variables: { input } });
        if (!isGood(answer)) fail(JSON.stringify(answer));
      },
    },
    {
      name: "administrator's page",
      share: 0.05,
      async make(ask, fail) {
        const variables = { id: some(people).tenantId, application };
        const answer = await ask(headers.admin, { query: documents.page, variables });
        if (!isGood(answer)) fail(JSON.stringify(answer));
      },
    },
    {
      name: 'what is refused',
      share: 0.1,
      async make(ask, fail) {
        const mfaToken = `${randomBytes(32).toString('base64url')}.dA`;
        const wrongs = [
          [headers.browser, { query: documents.confirm, variables: { input: { mfaToken, code: '000000' } } }],
          [headers.browser, { query: `query Q${own()} { viewer { subject } }` }],
          [headers.admin, { query: `{ nothing${own()} }` }],
          [headers.service, { query: documents.page, variables: { id: some(tenants), application } }],
          [headers.admin, { query: `query Q${own()} { a${own()}: tenant(id: "${own()}") { id } }` }],
          [{ ...headers.browser, authorization: `Bearer ${own()}` }, { query: '{ viewer { subject } }' }],
        ];
        const answer = await ask(...some(wrongs));
        const codes = (answer.errors ?? []).map(({ extensions }) => extensions.code);
        if (codes.includes('INTERNAL_SERVER_ERROR')) fail(JSON.stringify(answer));
      },
    },
  ];
};

/** Base 32 [RFC 4648] as hexadecimal digits. */
function hexOf(secret) {
  const bits = [...secret]
    .map((letter) => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(letter).toString(2).padStart(5, '0'))
    .join('');
  return (bits.match(/.{8}/g) ?? [])
    .map((byte) => Number.parseInt(byte, 2).toString(16).padStart(2, '0'))
    .join('');
}
