import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { dropDatabases } from '../process/databases.ts';
import { type ProductionServer, startProduction } from '../process/production.ts';
import { cleanUp } from '../process/servers.ts';
import { codesOf, post, type Reply, send, times } from './send.ts';

/*
 * The twelve probes of graphql-cop (https://github.com/dolevf/graphql-cop), a scanner of GraphQL
 * servers, asked of a server in production mode, without a token and with one that may read the
 * schema. Each is written anew; the names are the scanner's.
 */

let server: ProductionServer;
let headers: Record<string, string>;

beforeAll(async () => {
  server = await startProduction();
  headers = { authorization: `Bearer ${await server.token({ scope: 'schema:read' })}` };
});
afterAll(async () => {
  await server.stop();
  await cleanUp();
  await dropDatabases();
});

/** What both callers are answered: the one without a token, then the one who may read the schema. */
const asked = async (body: object): Promise<Reply[]> => [
  await post(server, body),
  await post(server, body, headers),
];

/** By both callers alike. */
async function expectRefused(body: object, status: number, code: string): Promise<void> {
  for (const reply of await asked(body)) {
    expect(reply).toMatchObject({ status, data: null });
    expect(new Set(codesOf(reply))).toEqual(new Set([code]));
  }
}

const served = { query: 'query cop { __typename }' };

test('the probed server serves both callers', async () => {
  for (const reply of await asked(served)) {
    expect(reply).toMatchObject({ status: 200, data: { __typename: 'Query' }, errors: [] });
  }
});

describe('denial of service', () => {
  test('GQL-1: alias_overloading: a field under 101 aliases is refused', async () => {
    const query = `query cop { ${times(101, (i) => `alias${i}: __typename`)} }`;
    await expectRefused({ query }, 400, 'LIMIT_EXCEEDED');
  });

  test('GQL-2: batch_query: a list of ten requests is refused', async () => {
    await expectRefused(
      Array.from({ length: 10 }, () => served),
      400,
      'BAD_REQUEST',
    );
  });

  test('GQL-1: circular_query_introspection: types inside fields inside types are refused', async () => {
    const inside = (levels: number): string =>
      levels === 0 ? 'name' : `fields { type { ${inside(levels - 1)} } }`;
    const query = `query cop { __schema { types { ${inside(4)} } } }`;
    await expectRefused({ query }, 400, 'LIMIT_EXCEEDED');
  });

  test('GQL-1: directive_overloading: many directives on a field are refused, with no error for each', async () => {
    const unknown = await asked({ query: `query cop { __typename ${'@aa'.repeat(10)} }` });
    for (const reply of unknown) {
      expect(reply).toMatchObject({ status: 400, data: null });
      expect(reply.errors.length).toBeLessThanOrEqual(6);
    }
    const known = `query cop { __typename ${'@include(if: true) '.repeat(21)} }`;
    await expectRefused({ query: known }, 400, 'LIMIT_EXCEEDED');
  });

  test('GQL-1: field_duplication: a field written 500 times is refused', async () => {
    await expectRefused({ query: `query cop { ${'__typename '.repeat(500)} }` }, 400, 'LIMIT_EXCEEDED');
  });
});

describe('information leakage', () => {
  const traceRequests: Record<string, string>[] = [
    {},
    { 'apollo-federation-include-trace': 'ftv1' },
    { 'x-apollo-tracing': '1' },
  ];

  test('GQL-3: field_suggestions: a misspelt field is not corrected', async () => {
    for (const query of ['query cop { __schema { directive } }', 'query cop { tenan(id: "1") { id } }']) {
      for (const reply of await asked({ query })) {
        expect(codesOf(reply)).toEqual(['GRAPHQL_VALIDATION_FAILED']);
        expect(reply.text).not.toMatch(/did you mean|directives|tenants?"|viewer/i);
      }
    }
  });

  test('GQL-2: detect_graphiql: no address answers a browser with a page to write queries on', async () => {
    for (const path of ['/', '/graphql', '/graphiql', '/playground', '/console', '/altair', '/voyager']) {
      const reply = await send(server, path, { headers: { accept: 'text/html' } });
      expect(reply.text).not.toMatch(/graphiql|graphql-playground|apollo sandbox|altair|voyager/i);
      // The console is a page, and the only one of these that is.
      if (path !== '/') expect(reply.text).not.toContain('<script');
      expect(reply.headers.get('content-security-policy')).toContain("default-src 'none'");
    }
  });

  test('GQL-2: introspection: the schema is read by nobody without the scope', async () => {
    const query = 'query cop { __schema { types { name fields { name } } } }';
    const [anonymous, reader] = await asked({ query });
    expect(anonymous).toMatchObject({ status: 401, data: null });
    expect(anonymous?.text).not.toContain('types');
    const other = await server.token({ scope: 'mfa-policy:read' });
    const refused = await post(server, { query }, { authorization: `Bearer ${other}` });
    expect(refused).toMatchObject({ status: 200, data: null });
    expect(codesOf(refused)).toEqual(['FORBIDDEN']);
    expect(reader).toMatchObject({ status: 200, errors: [] });
  });

  test('GQL-3: trace_mode: an answer carries no trace, asked for or not', async () => {
    for (const more of traceRequests) {
      for (const query of [served.query, 'query cop { nothing }']) {
        const reply = await post(server, { query }, { ...headers, ...more });
        expect(reply.text).not.toMatch(/tracing|ftv1|startOffset|duration/i);
        expect(JSON.parse(reply.text)).not.toHaveProperty('extensions');
      }
    }
  });

  test('GQL-3: unhandled_errors_detection: a broken document is answered without an exception', async () => {
    for (const reply of await asked({ query: 'qwerty cop { abc }' })) {
      expect(reply).toMatchObject({ status: 400, data: null });
      expect(reply.errors).toEqual([
        expect.objectContaining({ extensions: { code: 'GRAPHQL_PARSE_FAILED' } }),
      ]);
      expect(reply.text).not.toMatch(/exception|stacktrace|node_modules|qwerty|\bat /i);
    }
  });
});

describe('cross-site request forgery', () => {
  const preflightFree = { 'apollo-require-preflight': 'yes' };

  test('GQL-2: get_method_support, get_based_mutation: a query and a mutation by GET are refused', async () => {
    for (const query of [served.query, 'mutation cop { __typename }']) {
      for (const more of [{}, headers, preflightFree]) {
        const reply = await send(server, `/graphql?query=${encodeURIComponent(query)}`, { headers: more });
        expect(reply).toMatchObject({ status: 405, data: null });
        expect(codesOf(reply)).toEqual(['METHOD_NOT_ALLOWED']);
      }
    }
  });

  test('GQL-2: post_based_csrf: a URL-encoded form is refused', async () => {
    for (const more of [{}, headers, preflightFree]) {
      const reply = await send(server, '/graphql', {
        method: 'POST',
        headers: { 'content-type': 'application/x-www-form-urlencoded', ...more },
        body: new URLSearchParams(served).toString(),
      });
      expect(reply).toMatchObject({ status: 415, data: null });
      expect(codesOf(reply)).toEqual(['UNSUPPORTED_MEDIA_TYPE']);
    }
  });
});
