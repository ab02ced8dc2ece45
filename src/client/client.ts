import type { DocumentTypeDecoration } from '@graphql-typed-document-node/core';

export * from './generated/documents.ts';

/** An operation as text, with the types of its result and variables. */
export type TypedDocument<Result, Variables> = DocumentTypeDecoration<Result, Variables> & {
  toString(): string;
};

export interface ClientSettings {
  /** Where Cufflink serves GraphQL, e.g. https://mfa.example.com/graphql. */
  url: string | URL;
  /** The bearer token of a call; left out or null where the MFA token alone authorizes. */
  token?: () => string | null | Promise<string | null>;
  /** Milliseconds until an answer counts as missing; 10,000 when left out. */
  timeoutMs?: number;
  /** Told of each answer, e.g. to read its headers. */
  onAnswer?: (answer: Response) => void;
  /** In the place of the platform's. */
  fetch?: typeof fetch;
}

export interface Client {
  /**
   * Sends one operation. Expected failures (a wrong code, a stale version) are members of the result's union, not
   * errors.
   * @throws CallError where there is no whole answer; the reason of `signal` where that gave up
   */
  call<Result, Variables>(
    document: TypedDocument<Result, Variables>,
    variables: Variables,
    options?: { signal?: AbortSignal },
  ): Promise<Result>;
}

/** One of `errors` in an answer. */
export interface ErrorInAnswer {
  message: string;
  path?: readonly (string | number)[];
  extensions?: { code?: string };
}

/**
 * Why a call has no whole answer. `code` is the server's (UNAUTHENTICATED, FORBIDDEN, BAD_USER_INPUT, LIMIT_EXCEEDED,
 * UNAVAILABLE …), or one of ours: NETWORK (the server was not reached, or what answered was not it), TIMEOUT.
 */
export class CallError extends Error {
  override name = 'CallError';
  readonly code: string;
  /** Whether the same call may go well later. A mutation that got lost may have been carried out all the same. */
  readonly isPassing: boolean;
  /** Seconds after which the server wants to be asked again; null where it did not say. */
  readonly retryAfterSeconds: number | null;
  /** Under which the server logged the call; null where it was not reached. */
  readonly requestId: string | null;
  readonly errors: readonly ErrorInAnswer[];

  constructor(
    code: string,
    message: string,
    {
      answer = null,
      errors = [],
      cause,
    }: { answer?: Response | null; errors?: readonly ErrorInAnswer[]; cause?: unknown } = {},
  ) {
    super(message, { cause });
    this.code = code;
    this.isPassing = ['NETWORK', 'TIMEOUT', 'UNAVAILABLE'].includes(code);
    const retryAfter = Number(answer?.headers.get('retry-after') ?? Number.NaN);
    this.retryAfterSeconds = Number.isFinite(retryAfter) ? retryAfter : null;
    this.requestId = answer?.headers.get('x-request-id') ?? null;
    this.errors = errors;
  }
}

/** Calls Cufflink with `fetch`, in browsers and in Node.js. It keeps nothing and repeats nothing. */
export function createClient({
  url,
  token,
  timeoutMs = 10_000,
  onAnswer,
  fetch: send,
}: ClientSettings): Client {
  return {
    async call<Result, Variables>(
      document: TypedDocument<Result, Variables>,
      variables: Variables,
      { signal }: { signal?: AbortSignal } = {},
    ): Promise<Result> {
      const bearer = await token?.();
      const timeout = AbortSignal.timeout(timeoutMs);
      let answer: Response | null = null;
      let body: unknown;
      try {
        answer = await (send ?? fetch)(url, {
          method: 'POST',
          headers: {
            'content-type': 'application/json',
            accept: 'application/json',
            ...(bearer != null && { authorization: `Bearer ${bearer}` }),
          },
          body: JSON.stringify({ query: document.toString(), variables }),
          signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
          // Nothing of the browser's goes along, and nothing stays.
          credentials: 'omit',
          cache: 'no-store',
          redirect: 'error',
          referrerPolicy: 'no-referrer',
        });
        onAnswer?.(answer);
        body = await answer.json();
      } catch (cause) {
        signal?.throwIfAborted();
        if (timeout.aborted) throw new CallError('TIMEOUT', 'There was no answer in time.', { cause });
        throw new CallError('NETWORK', 'The server was not reached.', { answer, cause });
      }
      const { data, errors } = asAnswer(body);
      const [first] = errors;
      if (first !== undefined) {
        throw new CallError(first.extensions?.code ?? 'INTERNAL_SERVER_ERROR', first.message, {
          answer,
          errors,
        });
      }
      if (data == null) throw new CallError('NETWORK', 'What answered was not Cufflink.', { answer });
      // The operation was checked against the schema that the server answers by.
      return data as Result;
    },
  };
}

function asAnswer(body: unknown): { data?: unknown; errors: readonly ErrorInAnswer[] } {
  if (typeof body !== 'object' || body === null) return { errors: [] };
  const { data, errors } = body as { data?: unknown; errors?: unknown };
  return { data, errors: Array.isArray(errors) ? (errors as ErrorInAnswer[]) : [] };
}
