import { GraphQLError } from 'graphql';

/**
 * The top-level error codes of the API, with the HTTP status of an answer that carries one.
 * FORBIDDEN is per field: the rest of the answer stands.
 */
export const errorStatus = {
  GRAPHQL_PARSE_FAILED: 400,
  GRAPHQL_VALIDATION_FAILED: 400,
  OPERATION_RESOLUTION_FAILURE: 400,
  PERSISTED_QUERY_NOT_SUPPORTED: 400,
  BAD_REQUEST: 400,
  BAD_USER_INPUT: 400,
  /** A document that asks for too much: depth, cost, aliases, directives, tokens, list sizes. */
  LIMIT_EXCEEDED: 400,
  UNAUTHENTICATED: 401,
  FORBIDDEN: 200,
  METHOD_NOT_ALLOWED: 405,
  TOO_LARGE: 413,
  UNSUPPORTED_MEDIA_TYPE: 415,
  /** Something we depend on does not answer; the call may be repeated. */
  UNAVAILABLE: 503,
  /** A fault of ours; never expected. */
  INTERNAL_SERVER_ERROR: 500,
} as const;

export type ErrorCode = keyof typeof errorStatus;

/** An error whose message is written by us and may leave the server. */
export class ApiError extends GraphQLError {
  readonly code: ErrorCode;
  /** For the log alone. */
  reason?: RefusalReason;

  constructor(code: ErrorCode, message: string, cause?: unknown) {
    super(message, {
      extensions: { code },
      originalError: cause instanceof Error ? cause : undefined,
    });
    this.name = 'ApiError';
    this.code = code;
  }
}

/** Why a bearer token is not taken. The caller is not told; docs/operations.md tells operators. */
export type RefusalReason =
  | 'no token'
  | 'malformed'
  | 'wrong algorithm'
  | 'wrong type'
  | 'unknown key'
  | 'bad signature'
  | 'wrong issuer'
  | 'wrong audience'
  | 'expired'
  | 'too old'
  | 'not yet valid'
  | 'missing claim'
  | 'bad claim';

export function unauthenticated(reason: RefusalReason): ApiError {
  const error = new ApiError(
    'UNAUTHENTICATED',
    'A valid bearer token is required: Authorization: Bearer <JWT of the configured issuer>.',
  );
  error.reason = reason;
  return error;
}

export const forbidden = (what: string): ApiError => new ApiError('FORBIDDEN', what);

export const badInput = (message: string): ApiError => new ApiError('BAD_USER_INPUT', message);

export const limitExceeded = (message: string): ApiError => new ApiError('LIMIT_EXCEEDED', message);

export const unavailable = (cause?: unknown): ApiError =>
  new ApiError('UNAVAILABLE', 'The service cannot answer right now; repeat the call shortly.', cause);

/** PostgreSQL's foreign_key_violation: what is referred to was deleted. */
export const isOrphaned = (error: unknown): boolean => (error as { code?: unknown }).code === '23503';

// SQLSTATE classes and codes of a database that is away, overloaded or cutting us off
// (PostgreSQL manual, appendix A). 40xxx are the conflicts a repeated call gets past; so is 23503, a
// tenant or application that was deleted during the call: asked again, it is not found.
const unavailableSqlStates = /^(08...|53...|57P0[1-5]|57014|55P03|25P0[2-4]|25006|40001|40P01|23503|XX000)$/;
const unavailableErrno = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOENT',
]);
// pg and pg-pool throw these without a code.
const unavailableMessages =
  /^(Connection terminated|Client has encountered a connection error|timeout exceeded when trying to connect|Query read timeout|Cannot use a pool after calling end|Client was closed and is not queryable|timeout expired)/;

/** Whether an error says that the database could not be reached or did not answer in time. */
export function isDatabaseUnavailable(error: unknown): boolean {
  for (let cause = error, depth = 0; cause instanceof Error && depth < 5; depth += 1) {
    const code = (cause as { code?: unknown }).code;
    if (typeof code === 'string') {
      if (unavailableSqlStates.test(code) || unavailableErrno.has(code)) return true;
    }
    if (unavailableMessages.test(cause.message)) return true;
    cause = cause.cause ?? (cause as { previous?: unknown }).previous;
  }
  return false;
}
