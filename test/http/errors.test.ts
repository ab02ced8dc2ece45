import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
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

const send = (body: object | string, headers: Record<string, string> = {}): Promise<Reply> =>
  post(server, body, { authorization: `Bearer ${bearer}`, ...headers });

describe('GQL-3: a message says what is wrong and what would be right, never the value', () => {
  test.each<[string, object | string, string]>([
    [
      'a string in the wrong place',
      { query: `{ viewer "${canary}" }` },
      'Syntax Error: Expected Name, found String.',
    ],
    [
      'a block string in the wrong place',
      { query: `{ viewer """${canary}""" }` },
      'Syntax Error: Expected Name, found BlockString.',
    ],
    ['a name in the wrong place', { query: canary }, 'Syntax Error: Unexpected Name.'],
    [
      'a name where a mark belongs',
      { query: `query (${canary}: Int) { a }` },
      'Syntax Error: Expected "$", found Name.',
    ],
    ['a number in the wrong place', { query: '{ viewer 73573 }' }, 'Syntax Error: Expected Name, found Int.'],
    ['an unended document', { query: '{ viewer' }, 'Syntax Error: Expected Name, found <EOF>.'],
    ['an unended string', { query: `{ a(b: "${canary}` }, 'Syntax Error: Unterminated string.'],
    [
      'a wrong escape',
      { query: `{ a(b: "\\q${canary}") }` },
      'Syntax Error: Invalid character escape sequence.',
    ],
    [
      'a wrong Unicode escape',
      { query: '{ a(b: "\\u{7f3aff}") }' },
      'Syntax Error: Invalid Unicode escape sequence.',
    ],
    ['a wrong character', { query: `{ ? ${canary} }` }, 'Syntax Error: Unexpected character.'],
    ['a wrong quote', { query: `{ a(b: '${canary}') }` }, 'Syntax Error: Unexpected single quote character.'],
    ['a wrong number', { query: `{ a(b: 1.x${canary}) }` }, 'Syntax Error: Invalid number, expected digit.'],
    [
      'an unknown enum literal',
      { query: policyOf(`enrollment: ${canary}`) },
      'Expected a value of the enum MfaEnrollment.',
    ],
    [
      'a string for an enum',
      { query: policyOf(`enrollment: "${canary}"`) },
      'Expected a value of the enum MfaEnrollment.',
    ],
    [
      'a string for a number',
      { query: policyOf(`gracePeriodDays: "${canary}"`) },
      'Expected a value of type Int.',
    ],
    ['a number for text', { query: policyOf('issuer: 73573') }, 'Expected a value of type String.'],
    [
      'an object for text',
      { query: policyOf(`issuer: { a: "${canary}" }`) },
      'Expected a value of type String.',
    ],
    [
      'a string for a toggle',
      { query: policyOf(`totpEnabled: "${canary}"`) },
      'Expected a value of type Boolean.',
    ],
    [
      'text for an input',
      { query: `mutation { createApplication(input: "${canary}") { __typename } }` },
      'Expected a value of type CreateApplicationInput!.',
    ],
    [
      'a null literal',
      { query: 'mutation { createApplication(input: null) { __typename } }' },
      'Expected a value of type CreateApplicationInput!.',
    ],
    [
      'a wrong default',
      { query: `query ($n: Int! = "${canary}") { applications(first: $n) { totalCount } }` },
      'Expected a value of type Int.',
    ],
    [
      'a field that is not there',
      { query: '{ viewer { subjekt } }' },
      'Cannot query field "subjekt" on type "Viewer".',
    ],
    [
      'an argument that is not there',
      { query: '{ tenant(id: "x", idd: 1) { id } }' },
      'Unknown argument "idd" on field "Query.tenant".',
    ],
    [
      'a missing argument',
      { query: '{ tenant { id } }' },
      'Field "tenant" argument "id" of type "ID!" is required, but it was not provided.',
    ],
    [
      'a missing selection',
      { query: '{ viewer }' },
      'Field "viewer" of type "Viewer!" must have a selection of subfields.',
    ],
    [
      'a missing input field',
      { query: 'mutation { createApplication(input: {}) { __typename } }' },
      'Field "CreateApplicationInput.displayName" of required type "String!" was not provided.',
    ],
    [
      'the same name for two fields',
      { query: `{ a: tenant(id: "${canary}") { id } a: tenant(id: "y") { id } }` },
      'Fields "a" conflict because they have differing arguments. Use different aliases on the fields to fetch both if this was intentional.',
    ],
    [
      'a variable left out',
      { query: create },
      'Variable "$input" of type CreateApplicationInput! is required.',
    ],
    [
      'a null variable',
      { query: create, variables: { input: null } },
      'Variable "$input" of type CreateApplicationInput! is required.',
    ],
    [
      'text for an input in a variable',
      { query: create, variables: { input: canary } },
      'Variable "$input" does not fit: expected a value of type CreateApplicationInput!.',
    ],
    [
      'a number for text in a variable',
      { query: create, variables: { input: { displayName: 73573 } } },
      'Variable "$input" does not fit at "displayName": expected a value of type String!.',
    ],
    [
      'an object for text in a variable',
      { query: create, variables: { input: { displayName: { [canary]: canary } } } },
      'Variable "$input" does not fit at "displayName": expected a value of type String!.',
    ],
    [
      'a missing field in a variable',
      { query: create, variables: { input: { id: canary } } },
      'Variable "$input" does not fit: the field "displayName" of CreateApplicationInput is required.',
    ],
    [
      'an unknown field in a variable',
      { query: create, variables: { input: { displayName: 'x', [canary]: canary } } },
      'Variable "$input" does not fit: it has a field that CreateApplicationInput does not define.',
    ],
    [
      'an unknown enum value in a variable',
      { query: write, variables: { input: { applicationId: 'x', policy: { enrollment: canary } } } },
      'Variable "$input" does not fit at "policy.enrollment": expected a value of type MfaEnrollment.',
    ],
    [
      'a null in a list',
      { query: 'query ($ids: [ID!]!) { tenants(ids: $ids) { id } }', variables: { ids: ['x', null] } },
      'Variable "$ids" does not fit at "[1]": expected a value of type ID!.',
    ],
    [
      'an unknown operation',
      { query: 'query A { __typename }', operationName: canary },
      'Name the one operation of the document to run in operationName.',
    ],
    ['broken JSON', `{"query": ${canary}`, 'The body must be a JSON object.'],
    [
      'a key that poisons',
      `{"query": "{ __typename }", "__proto__": "${canary}"}`,
      'The body must be a JSON object.',
    ],
    [
      'a cursor of another list',
      { query: `{ applications(after: "${canary}") { totalCount } }` },
      'after must be a cursor that this list gave, unchanged.',
    ],
  ])('GQL-3: %s', async (_what, body, message) => {
    const reply = await send(body);
    expect(reply.status).toBe(400);
    expect(reply.errors.map((error) => error.message)).toEqual([message]);
    expect(reply.text).not.toContain('73573');
    expectClean(reply);
  });

  test('GQL-3: a schema that nobody may read is not told by suggestions either', async () => {
    for (const query of [
      '{ viewr { subject } }',
      '{ viewer { subjet } }',
      '{ tenant(idd: 1) { id } }',
      'query ($a: ViewerX) { viewer { subject } }',
      '{ ... on Viewe { subject } }',
      'mutation { createApplication(input: { displayNam: "x" }) { __typename } }',
    ]) {
      expect((await send({ query })).text).not.toMatch(/did you mean/i);
    }
  });

  test.each<[string, () => Promise<Reply>]>([
    [
      'headers',
      () =>
        send({ query: '{' }, { 'x-canary': canary, cookie: canary, referer: canary, 'user-agent': canary }),
    ],
    ['a content type', () => send({ query: '{' }, { 'content-type': `text/${canary}` })],
    ['an accept header', () => send({ query: '{ __typename }' }, { accept: `text/${canary}` })],
    ['a token', () => post(server, { query: '{ __typename }' }, { authorization: `Bearer ${canary}` })],
    ['an unusable request id', () => send({ query: '{' }, { 'x-request-id': `${canary} `.repeat(2) })],
    ['unknown keys', () => send({ query: '{', [canary]: canary, extensions: { [canary]: canary } })],
    ['unknown variables', () => send({ query: '{ nothing }', variables: { [canary]: canary } })],
  ])('GQL-3: what %s carry does not come back', async (_what, ask) => {
    const reply = await ask();
    expect(reply.status).toBeGreaterThanOrEqual(400);
    expect(reply.status).toBeLessThan(500);
    expect(JSON.stringify([...reply.headers])).not.toContain(canary);
    expectClean(reply);
  });
});
