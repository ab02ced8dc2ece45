import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { serverAudits } from 'graphql-http';
import { startTestServer, type TestServer } from '../setup/harness.ts';

let server: TestServer;

beforeAll(async () => {
  server = await startTestServer();
});
afterAll(() => server.stop());

const noGet = 'GET is optional in the specification, and refused here (GQL-2).';
const honestStatus =
  'Older clients may expect 200 with application/json; the contract promises 400, so that proxies and logs see the failure.';

/** What we choose to do otherwise: the audit's answer, and why. */
const chosen: Readonly<Record<string, { status: 'notice' | 'warn'; why: string }>> = {
  '5A70': { status: 'notice', why: noGet },
  D6D5: { status: 'notice', why: noGet },
  '6A70': { status: 'notice', why: noGet },
  '572B': { status: 'warn', why: honestStatus },
  FDE2: { status: 'warn', why: honestStatus },
  '7B9B': { status: 'warn', why: honestStatus },
};

const audits = serverAudits({ url: () => `${server.url}/graphql`, fetchFn: fetch });

describe('GQL-4: the audits of GraphQL over HTTP', () => {
  test.each(audits.map((audit) => ({ id: audit.id, name: audit.name, run: () => audit.fn() })))(
    'GQL-4: $id $name',
    async ({ id, run }) => {
      const result = await run();
      expect(result).toMatchObject({ status: chosen[id]?.status ?? 'ok' });
    },
  );

  test('GQL-4: every choice is one of an audit that exists', () => {
    expect(Object.keys(chosen).filter((id) => !audits.some((audit) => audit.id === id))).toEqual([]);
  });
});
