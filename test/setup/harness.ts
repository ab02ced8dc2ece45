import { randomBytes } from 'node:crypto';
import type { TypedDocumentNode } from '@graphql-typed-document-node/core';
import { type GraphQLFormattedError, print } from 'graphql';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { serverRole } from '../../src/audit/append-only.ts';
import { createAuthenticate } from '../../src/caller/bearer.ts';
import { type Scope, scopes } from '../../src/caller/caller.ts';
import { localKeys } from '../../src/caller/jwks.ts';
import { databaseSchema } from '../../src/database-schema.ts';
import { type Database, type DatabaseOptions, inRole, openDatabase } from '../../src/db/connection.ts';
import { createServer, type Server, type ServerDeps } from '../../src/server.ts';
import { createService } from '../../src/service.ts';
import type { Clock } from '../../src/shared/clock.ts';
import type { Ids } from '../../src/shared/ids.ts';

/*
 * The real server on a real PostgreSQL, called by GraphQL over HTTP. Every test makes an
 * application of its own; nothing is cleaned up and no order matters.
 */

export const issuer = 'https://issuer.test';
export const audience = 'cufflink-test';

/** Real time, until it is moved. */
export class TestClock implements Clock {
  #offsetMs = 0;
  #fixed: Date | null = null;

  now(): Date {
    return this.#fixed ?? new Date(Date.now() + this.#offsetMs);
  }

  advance(seconds: number): void {
    if (this.#fixed) this.#fixed = new Date(this.#fixed.getTime() + seconds * 1000);
    else this.#offsetMs += seconds * 1000;
  }

  /** Stops the clock at a moment. */
  fix(at: Date): void {
    this.#fixed = at;
  }
}

export interface TokenOptions {
  sub?: string;
  scopes?: readonly (Scope | string)[];
  applicationId?: string;
  tenantId?: string;
  /** Claims written over the others, e.g. to break them. */
  claims?: Record<string, unknown>;
}

export interface Answer<Data> {
  status: number;
  headers: Headers;
  /** Typed as what the operation answers; null where the request failed as a whole. */
  data: Data;
  errors: GraphQLFormattedError[];
}

/** Whoever calls with one token. */
export interface TestCaller {
  token: string | null;
  call<Data, Variables>(
    document: TypedDocumentNode<Data, Variables> | string,
    variables?: Variables,
  ): Promise<Answer<Data>>;
}

export interface TestServer {
  url: string;
  database: Database;
  clock: TestClock;
  /** Everything logged so far. */
  logs(): string;
  token(options?: TokenOptions): Promise<string>;
  /** A caller with a token of these claims; all scopes and the whole installation unless told. */
  caller(options?: TokenOptions): Promise<TestCaller>;
  /** A caller with a given token, or with none. */
  callerWith(token: string | null): TestCaller;
  stop(): Promise<void>;
}

/** The run's database, as its owner. */
export const databaseUrl = (): string => {
  const url = process.env['CUFFLINK_TEST_DATABASE'];
  if (!url) throw new Error('The tests run by jest, which makes their database first.');
  return url;
};

const signing = generateKeyPair('ES256', { extractable: true });

const assertionKey = generateKeyPair('ES256', { extractable: true }).then(({ privateKey }) =>
  exportJWK(privateKey),
);
/** One key for all servers of a file, as several servers of an installation share theirs. */
const encryptionKey = randomBytes(32);

export const publicUrl = 'https://mfa.test';

/** Of every test's server. */
export const encryptionKeys = [{ id: 'test', key: encryptionKey }];

const testService = async (clock: Clock, redirectOrigins: readonly string[]) =>
  createService({
    clock,
    encryptionKeys,
    assertionKey: await assertionKey,
    publicUrl,
    redirectOrigins,
  });

/** The same database as a server's role sees it: through a pooler where the run has one. */
const pooler = process.env['CUFFLINK_TEST_POOLER'];
const asServer = (): Pick<DatabaseOptions, 'url' | 'directUrl' | 'preparesStatements'> =>
  pooler === undefined
    ? { url: inRole(databaseUrl(), serverRole) }
    : { url: pooler, directUrl: databaseUrl(), preparesStatements: false };

/** Without the limits on time: a machine that is busy must not fail a test of something else. */
const openTestDatabase = (): Promise<Database> =>
  openDatabase({ ...asServer(), schema: databaseSchema, unlimited: true });

/** Starts a server in this process, with a signing key and a clock of the test's own. */
export async function startTestServer({
  clock = new TestClock(),
  ids,
  redirectOrigins = ['https://app.test'],
  ...overrides
}: Partial<ServerDeps> & {
  clock?: TestClock;
  ids?: Ids;
  redirectOrigins?: readonly string[];
} = {}): Promise<TestServer> {
  const { privateKey, publicKey } = await signing;
  const lines: string[] = [];
  const database = overrides.database ?? (await openTestDatabase());
  const keys = localKeys({ keys: [{ ...(await exportJWK(publicKey)), kid: 'test', alg: 'ES256' }] });
  const server: Server = await createServer({
    host: '127.0.0.1',
    port: 0,
    database,
    authenticate: createAuthenticate(
      { issuer, audience, claimApplication: 'application_id', claimTenant: 'tenant_id', claimScope: 'scope' },
      keys,
      clock,
    ),
    service: { ...(await testService(clock, redirectOrigins)), ...(ids && { ids }) },
    introspection: true,
    corsOrigins: ['https://app.test'],
    logLevel: 'info',
    logTo: { write: (line) => lines.push(line) },
    drainSeconds: 0,
    // The tests run in the server's own event loop and hold it up, and so does a machine that is busy;
    // a test of shedding, or of how long a call may take, sets its own.
    eventLoopDelayMsMax: 0,
    answerMsMax: 60_000,
    ...overrides,
  });

  const token = async ({
    sub = 'tester',
    scopes: granted = scopes,
    applicationId,
    tenantId,
    claims,
  }: TokenOptions = {}) => {
    const now = Math.floor(clock.now().getTime() / 1000);
    return new SignJWT({
      iss: issuer,
      aud: audience,
      sub,
      iat: now,
      exp: now + 3600,
      scope: granted.join(' '),
      ...(applicationId !== undefined && { application_id: applicationId }),
      ...(tenantId !== undefined && { tenant_id: tenantId }),
      ...claims,
    })
      .setProtectedHeader({ alg: 'ES256', kid: 'test' })
      .sign(privateKey);
  };
  const callerWith = (bearer: string | null): TestCaller => ({
    token: bearer,
    call: (document, variables) => callGraphQl(server.url, bearer, document, variables),
  });

  return {
    url: server.url,
    database,
    clock,
    logs: () => lines.join(''),
    token,
    callerWith,
    caller: async (options) => callerWith(await token(options)),
    async stop() {
      await server.stop();
      if (!overrides.database) await database.close();
    },
  };
}

/** One GraphQL call over HTTP. */
export async function callGraphQl<Data, Variables>(
  url: string,
  bearer: string | null,
  document: TypedDocumentNode<Data, Variables> | string,
  variables?: Variables,
): Promise<Answer<Data>> {
  const response = await fetch(`${url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...(bearer && { authorization: `Bearer ${bearer}` }) },
    body: JSON.stringify({ query: typeof document === 'string' ? document : print(document), variables }),
  });
  const body = (await response.json()) as { data?: Data; errors?: GraphQLFormattedError[] };
  return {
    status: response.status,
    headers: response.headers,
    data: (body.data ?? null) as Data,
    errors: body.errors ?? [],
  };
}

/** An id that no other test has. */
export const uniqueId = (what: string): string => `${what}-${randomBytes(8).toString('hex')}`;
