import type { GraphQLFormattedError } from 'graphql';
import { parse } from 'graphql';
import type { TestServer } from '../setup/harness.ts';

/** What came back, before anybody has made sense of it. */
export interface Reply {
  status: number;
  headers: Headers;
  text: string;
  milliseconds: number;
  /** Of this process, which the server runs in: what others do on the machine does not count. */
  cpuMs: number;
  /** Of a GraphQL answer; empty where the body is none. */
  errors: GraphQLFormattedError[];
  data: unknown;
}

/** Sends anything to any address of the server. */
export async function send(server: { url: string }, path: string, init: RequestInit = {}): Promise<Reply> {
  const startedAt = performance.now();
  const cpuBefore = process.cpuUsage();
  const response = await fetch(`${server.url}${path}`, init);
  const text = await response.text();
  const milliseconds = performance.now() - startedAt;
  const { user, system } = process.cpuUsage(cpuBefore);
  const body = text.startsWith('{') ? (JSON.parse(text) as Partial<Reply>) : {};
  return {
    status: response.status,
    headers: response.headers,
    text,
    milliseconds,
    cpuMs: (user + system) / 1_000,
    errors: body.errors ?? [],
    data: body.data ?? null,
  };
}

/** A POST of JSON to /graphql; text is sent as it is. */
export const post = (
  server: { url: string },
  body: object | string,
  headers: Record<string, string> = {},
): Promise<Reply> =>
  send(server, '/graphql', {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });

export const codesOf = ({ errors }: { errors: readonly GraphQLFormattedError[] }): unknown[] =>
  errors.map(({ extensions }) => extensions?.['code']);

/** Tells how often a connection was taken from the pool while `work` ran: no statement runs without one. */
export async function statementsDuring(server: TestServer, work: () => Promise<unknown>): Promise<number> {
  let taken = 0;
  const count = () => {
    taken += 1;
  };
  server.database.pool.on('acquire', count);
  await work();
  server.database.pool.off('acquire', count);
  return taken;
}

/** Lexer tokens of a document, as the parser counts them. */
export function tokensOf(document: string): number {
  let count = 0;
  for (let token = parse(document).loc?.startToken.next; token?.next; token = token.next) count += 1;
  return count;
}

export const times = (n: number, write: (i: number) => string): string =>
  Array.from({ length: n }, (_, i) => write(i)).join(' ');
