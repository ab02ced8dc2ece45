import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { startTestServer, type TestServer } from '../setup/harness.ts';
import { canary, create, expectClean, policyOf, write } from './canary.ts';
import { post, type Reply } from './send.ts';

let server: TestServer;
let bearer: string;

beforeAll(async () => {
  server = await startTestServer();
  bearer = await server.token();
});
afterAll(() => server.stop());

const send = (body: object | string): Promise<Reply> =>
  post(server, body, { authorization: `Bearer ${bearer}` });

describe('GQL-3: whatever is sent', () => {
  // Pieces that imitate the messages around a value, so that cutting it out by its surroundings fails.
  const bait = fc.constantFrom(
    canary,
    `" at "${canary}"; `,
    `; ${canary} cannot represent`,
    `; Expected type "${canary}"`,
    `${canary} does not exist in "${canary}" enum`,
    `Expected value of type "${canary}"`,
    `\n${canary}`,
    `'${canary}`,
    `\u0000${canary}`,
    `\\u0000${canary}`,
  );
  const text = fc
    .array(fc.oneof(bait, fc.string({ unit: 'binary', maxLength: 5 })), { maxLength: 4 })
    .map((parts) => parts.join(''));
  const json = fc.letrec<{ value: unknown }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 3 },
      text,
      fc.constantFrom(null, true, 1.5, -1, 2 ** 40),
      fc.array(tie('value'), { maxLength: 3 }),
      fc.dictionary(
        fc.oneof(text, fc.constantFrom('displayName', 'id', 'policy', 'enrollment', 'applicationId')),
        tie('value'),
        { maxKeys: 4 },
      ),
    ),
  })).value;

  test('GQL-3: variables do not come back', async () => {
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(create, write), json, json, async (query, input, policy) => {
        const asObject = typeof input === 'object' && input !== null && !Array.isArray(input);
        const variables = { input: asObject ? { applicationId: 'x', ...input, policy } : input };
        const reply = await send({ query, variables });
        expect(reply.status).toBeLessThan(500);
        expectClean(reply);
      }),
      { numRuns: 150 },
    );
  });

  test('GQL-3: literals do not come back', async () => {
    const literal = text.map((value) => JSON.stringify(value));
    const value = fc.oneof(
      literal,
      literal.map((inner) => `[${inner}]`),
      literal.map((inner) => `{ a: ${inner} }`),
      literal.map((inner) => `""${inner}""`),
      fc.constantFrom('$x', '-', '01', '1e', '"', '{', 'null'),
    );
    const place = fc.constantFrom<(inner: string) => string>(
      (inner) => policyOf(`enrollment: ${inner}`),
      (inner) => policyOf(`gracePeriodDays: ${inner}, totpEnabled: ${inner}, issuer: ${inner}`),
      (inner) => `mutation { createApplication(input: ${inner}) { __typename } }`,
      (inner) => `query ($n: Int = ${inner}) { applications(first: $n) { totalCount } }`,
      (inner) => `{ tenants(ids: ${inner}) { id @include(if: ${inner}) } }`,
      (inner) => `{ viewer { subject ${inner} } }`,
      (inner) => `${inner} { viewer { subject } }`,
    );
    await fc.assert(
      fc.asyncProperty(place, value, async (build, inner) => {
        const reply = await send({ query: build(inner) });
        expect(reply.status).toBeLessThan(500);
        expectClean(reply);
      }),
      { numRuns: 200 },
    );
  });

  test('GQL-3: bodies do not come back', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(
          text,
          json.map((value) => JSON.stringify(value)),
        ),
        async (body) => {
          const reply = await send(body);
          expect(reply.status).toBe(400);
          expectClean(reply);
        },
      ),
      { numRuns: 100 },
    );
  });
});
