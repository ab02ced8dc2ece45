import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import * as limits from '../../src/shared/limits.ts';
import { startTestServer, type TestCaller, type TestServer, uniqueId } from '../setup/harness.ts';
import { post, type Reply, statementsDuring, times, tokensOf } from './send.ts';

let server: TestServer;
let admin: TestCaller;

beforeAll(async () => {
  server = await startTestServer();
  admin = await server.caller();
});
afterAll(() => server.stop());

interface Operation {
  query: string;
  variables?: Record<string, unknown>;
}

const send = (operation: object): Promise<Reply> =>
  post(server, operation, { authorization: `Bearer ${admin.token}` });

/** A mutation that makes an application and asks `selection` of it. */
const making = (selection: string, rest = '', head = '', root = ''): Operation => ({
  query: `mutation Make($id: ID!${head}) {
    createApplication(input: { id: $id, displayName: "Made" }) { ... on ApplicationPayload { application { ${selection} } } }
    ${root}
  } ${rest}`,
});

async function expectRefused(operation: Operation, code: string, message: RegExp): Promise<void> {
  const id = uniqueId('refused');
  let reply: Reply | undefined;
  const statements = await statementsDuring(server, async () => {
    reply = await send({ ...operation, variables: { id, ...operation.variables } });
  });
  expect(reply?.errors).toEqual([expect.objectContaining({ message: expect.stringMatching(message) })]);
  expect(reply).toMatchObject({ status: 400, errors: [{ extensions: { code } }], data: null });
  expect(statements).toBe(0);
  const { data } = await admin.call<{ application: unknown }, { id: string }>(
    'query ($id: ID!) { application(id: $id) { id } }',
    { id },
  );
  expect(data).toEqual({ application: null });
}

async function expectServed(operation: Operation): Promise<void> {
  const reply = await send({ ...operation, variables: { id: uniqueId('served'), ...operation.variables } });
  expect(reply.errors).toEqual([]);
  expect(reply.status).toBe(200);
}

/** Composite levels below an application, the deepest of them innermost. */
const nested = (levels: number, inner: string): string =>
  levels === 0
    ? inner
    : ['tenants(first: 1)', 'nodes', 'application'].slice(0, levels).join(' { ') +
      ` { ${nested(Math.max(0, levels - 3), inner)} ${'}'.repeat(Math.min(3, levels))}`;

// createApplication and application are two levels, the innermost field is one.
const below = (depth: number): string => nested(depth - 3, '__typename');

/** Pages inside pages: 303 + 300 x `inner`. */
const pages = (outer: string, inner: string): string =>
  `tenants(first: ${outer}) { nodes { application { tenants(first: ${inner}) { nodes { id displayName } } } } }`;

const fewest = { costMax: Math.floor((limits.costMax - 303) / 300) };

const counted: [string, number, RegExp, (n: number) => Operation][] = [
  ['depth', limits.depthMax, /more than 16 levels of fields/, (n) => making(below(n))],
  [
    'depth behind fragments',
    limits.depthMax,
    /more than 16 levels of fields/,
    (n) =>
      making('...A', `fragment A on Application { ... { ...B } } fragment B on Application { ${below(n)} }`),
  ],
  [
    'root width',
    limits.rootFieldsMax,
    /more than 20 root fields/,
    (n) =>
      making(
        'id',
        '',
        '',
        times(n - 1, () => '__typename'),
      ),
  ],
  [
    'root width behind fragments',
    limits.rootFieldsMax,
    /more than 20 root fields/,
    (n) =>
      making(
        'id',
        `fragment R on Mutation { ${times(n - 2, () => '__typename')} }`,
        '',
        '...R ... on Mutation { __typename }',
      ),
  ],
  ['aliases', limits.aliasesMax, /more than 50 aliases/, (n) => making(times(n, (i) => `a${i}: id`))],
  [
    'aliases behind a fragment that is used twice',
    limits.aliasesMax,
    /more than 50 aliases/,
    (n) =>
      making(
        `...A ...A ${n % 2 === 1 ? 'last: id' : ''}`,
        `fragment A on Application { ${times(Math.floor(n / 2), (i) => `a${i}: id`)} }`,
      ),
  ],
  [
    'repeated fields',
    limits.repeatsMax,
    /more than 100 fields that repeat/,
    (n) => making(times(n + 1, () => 'id')),
  ],
  [
    'directives, whether they switch off or on',
    limits.directivesMax,
    /more than 20 directives/,
    (n) => making(times(n, (i) => (i % 2 === 0 ? 'id @include(if: true)' : '... @skip(if: true) { id }'))),
  ],
  [
    'cost by a variable',
    fewest.costMax,
    /more than 25000 of cost/,
    (n) => ({
      ...making(pages('$outer', '$inner'), '', ', $outer: Int!, $inner: Int!'),
      variables: { outer: 100, inner: n },
    }),
  ],
  [
    "cost by a variable's default",
    fewest.costMax,
    /more than 25000 of cost/,
    (n) => making(pages('$outer', '$inner'), '', `, $outer: Int! = 100, $inner: Int! = ${n}`),
  ],
  [
    'cost by literals, behind fragments',
    fewest.costMax,
    /more than 25000 of cost/,
    (n) => making('...P', `fragment P on Application { ... { ${pages('100', String(n))} } }`),
  ],
];

describe('GQL-1: nothing runs of an operation that asks for too much', () => {
  test.each(counted)('GQL-1: %s: one more than the limit is refused', async (_what, max, message, build) => {
    await expectRefused(build(max + 1), 'LIMIT_EXCEEDED', message);
  });

  test.each(counted)('GQL-1: %s: the limit itself is served', async (_what, max, _message, build) => {
    await expectServed(build(max));
  });

  test('GQL-1: four previews may be asked for in one request, and no fifth', async () => {
    const previews = (count: number) =>
      `{ ${Array.from({ length: count }, (_, n) => `p${n}: previewTenantMfaPolicy(tenantId: "none") { __typename }`).join(' ')} }`;
    const admin = await server.caller();
    expect((await admin.call(previews(4))).errors).toEqual([]);
    expect(await admin.call(previews(5))).toMatchObject({
      status: 400,
      errors: [{ extensions: { code: 'LIMIT_EXCEEDED' }, message: expect.stringMatching(/of cost/) }],
    });
  });

  test('GQL-1: cost counts the default page size of a field that is given none', async () => {
    const page = (inner: string) => `tenants { nodes { application { ${inner} } } }`;
    await expectServed(making(page(page('id'))));
    await expectRefused(making(page(page(page('id')))), 'LIMIT_EXCEEDED', /more than 25000 of cost/);
  });

  test('GQL-1: what @skip and @include switch off counts like the rest', async () => {
    await expectRefused(
      making(`... @skip(if: true) { ${below(limits.depthMax + 1)} }`),
      'LIMIT_EXCEEDED',
      /levels of fields/,
    );
    await expectRefused(
      making(
        `...C @include(if: $no)`,
        `fragment C on Application { ${pages('100', '100')} }`,
        ', $no: Boolean! = false',
      ),
      'LIMIT_EXCEEDED',
      /of cost/,
    );
  });

  test('GQL-1: an operation that is not the one asked for is held to the limits too', async () => {
    const other = `query Other { ${times(limits.rootFieldsMax + 1, () => '__typename')} }`;
    const operation = { ...making('id', other), operationName: 'Make' };
    await expectRefused(operation, 'LIMIT_EXCEEDED', /root fields/);
  });

  test.each([
    ['twice the next', 40, 2],
    ['ten times the next', 5, 10],
  ])('GQL-1: fragments that each spread %s are refused at once', async (_what, depth, width) => {
    const bomb = times(depth, (i) => `fragment F${i} on Application { ${`...F${i + 1} `.repeat(width)} }`);
    const operation = making('...F0', `${bomb} fragment F${depth} on Application { ...F0 }`);
    const startedAt = performance.now();
    await expectRefused(operation, 'LIMIT_EXCEEDED', /more than 2000 fields, fragments written out/);
    expect(performance.now() - startedAt).toBeLessThan(1_000);
  });

  test('GQL-1: a fragment inside itself is a plain mistake', async () => {
    await expectRefused(
      making('...A', 'fragment A on Application { ...B } fragment B on Application { ...A }'),
      'GRAPHQL_VALIDATION_FAILED',
      /Cannot spread fragment "A" within itself via "B"\./,
    );
  });

  test('GQL-1: tokens: 2,000 are served, one more is refused', async () => {
    const document = (pad: number) =>
      `{ _entities(representations: [${times(200, () => '{ __typename: "Tenant", id: "x" }')}]) {
        ${times(pad, () => '... on Tenant { id }')} __typename } ${times(15, () => '__typename')} }`;
    const pad = Math.floor((limits.tokensMax - tokensOf(document(0))) / 6);
    const fitting = document(pad);
    const fill = limits.tokensMax - tokensOf(fitting);
    expect(fill).toBeLessThan(6);
    const exact = fitting.replace(/\}$/, `${times(fill, () => '__typename')} }`);
    expect(tokensOf(exact)).toBe(limits.tokensMax);
    expect((await send({ query: exact })).errors).toEqual([]);
    await expectRefused(
      { query: exact.replace(/\}$/, '__typename }') },
      'LIMIT_EXCEEDED',
      /^The document has more than 2000 tokens/,
    );
  });
});
