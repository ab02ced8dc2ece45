import { expect } from '@jest/globals';
import { errorStatus } from '../../src/shared/errors.ts';
import type { Reply } from './send.ts';

/** What a client sends and must never read again. */
export const canary = 'Canary7f3a';

/** Nothing of ours and nothing of theirs: what must not be in any answer. */
const forbidden =
  /canary7f3a|did you mean|node_modules|\/src\/|\/dist\/|\.[jt]s\b|\bat \w+ \(|select |insert |127\.0\.0\.1|localhost|postgres|mikro|apollo|graphql-js|fastify|kysely|type-graphql|shield\b/i;

/** What is wrong with an answer: words that must not be in any, and errors of another form than ours. */
export function uncleanIn({ text, errors }: Reply): string[] {
  const [word] = forbidden.exec(text) ?? [];
  const odd = errors.filter(
    ({ message, extensions = {} }) =>
      !Object.hasOwn(errorStatus, String(extensions['code'])) ||
      Object.keys(extensions).length !== 1 ||
      message.length <= 10,
  );
  return [...(word === undefined ? [] : [`says ${word}`]), ...odd.map((error) => JSON.stringify(error))];
}

export const expectClean = (reply: Reply): void => expect(uncleanIn(reply)).toEqual([]);

export const create =
  'mutation ($input: CreateApplicationInput!) { createApplication(input: $input) { __typename } }';
export const write =
  'mutation ($input: UpdateApplicationMfaPolicyInput!) { updateApplicationMfaPolicy(input: $input) { __typename } }';
export const policyOf = (value: string) =>
  `mutation { updateApplicationMfaPolicy(input: { applicationId: "x", policy: { ${value} } }) { __typename } }`;
