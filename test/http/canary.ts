import { expect } from '@jest/globals';
import { errorStatus } from '../../src/shared/errors.ts';
import type { Reply } from './send.ts';

/** What a client sends and must never read again. */
export const canary = 'Canary7f3a';

/** Nothing of ours and nothing of theirs: what must not be in any answer. */
const forbidden =
  /canary7f3a|did you mean|node_modules|\/src\/|\/dist\/|\.[jt]s\b|\bat \w+ \(|select |insert |127\.0\.0\.1|localhost|postgres|mikro|apollo|graphql-js|fastify|kysely|type-graphql|shield/i;

export function expectClean(reply: Reply): void {
  expect(reply.text).not.toMatch(forbidden);
  for (const error of reply.errors) {
    expect(Object.keys(errorStatus)).toContain(error.extensions?.['code']);
    expect(Object.keys(error.extensions ?? {})).toEqual(['code']);
    expect(error.message.length).toBeGreaterThan(10);
  }
}

export const create =
  'mutation ($input: CreateApplicationInput!) { createApplication(input: $input) { __typename } }';
export const write =
  'mutation ($input: UpdateApplicationMfaPolicyInput!) { updateApplicationMfaPolicy(input: $input) { __typename } }';
export const policyOf = (value: string) =>
  `mutation { updateApplicationMfaPolicy(input: { applicationId: "x", policy: { ${value} } }) { __typename } }`;
