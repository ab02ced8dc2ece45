import { ApolloServerErrorCode } from '@apollo/server/errors';
import { GraphQLError, type GraphQLFormattedError } from 'graphql';
import type { Log } from '../caller/context.ts';
import {
  ApiError,
  badInput,
  type ErrorCode,
  isDatabaseUnavailable,
  limitExceeded,
  unavailable,
} from '../shared/errors.ts';
import { tokensMax } from '../shared/limits.ts';

/*
 * What may leave the server (security.md GQL-3). An allow-list: messages of our own, and those of
 * graphql-js with every value taken out. Everything else is logged and masked.
 */

/** Turns whatever was thrown into what the client sees. */
export function maskError(formatted: GraphQLFormattedError, thrown: unknown): GraphQLFormattedError {
  const { locations, path } = formatted;
  const { code, message } = codeAndMessage(formatted, thrown);
  return { message, ...(locations && { locations }), ...(path && { path }), extensions: { code } };
}

function codeAndMessage(
  { message, extensions }: GraphQLFormattedError,
  thrown: unknown,
): { code: ErrorCode; message: string } {
  const own = ownError(thrown);
  if (own !== null) return own;
  if (isDatabaseUnavailable(rootCause(thrown))) return unavailable();
  switch (extensions?.['code']) {
    case ApolloServerErrorCode.GRAPHQL_PARSE_FAILED:
      // graphql-js itself says "more that".
      return /contains more tha[nt] \d+ tokens/.test(message)
        ? limitExceeded(`The document has more than ${tokensMax} tokens. Ask for less, or split it.`)
        : { code: 'GRAPHQL_PARSE_FAILED', message: parseMessage(message) };
    case ApolloServerErrorCode.GRAPHQL_VALIDATION_FAILED:
      return /^Maximum introspection depth exceeded/.test(message)
        ? limitExceeded(
            'The introspection nests its lists too deeply; the standard introspection query fits.',
          )
        : { code: 'GRAPHQL_VALIDATION_FAILED', message: validationMessage(message) };
    case ApolloServerErrorCode.BAD_USER_INPUT:
      return badInput('A variable does not fit its type.');
    case ApolloServerErrorCode.OPERATION_RESOLUTION_FAILURE:
      return {
        code: 'OPERATION_RESOLUTION_FAILURE',
        message: 'Name the one operation of the document to run in operationName.',
      };
    case ApolloServerErrorCode.PERSISTED_QUERY_NOT_SUPPORTED:
      return {
        code: 'PERSISTED_QUERY_NOT_SUPPORTED',
        message: 'Persisted queries are not served; send the document itself as `query`.',
      };
    case ApolloServerErrorCode.BAD_REQUEST:
      return {
        code: 'BAD_REQUEST',
        message:
          'The request must be one JSON object with `query` as text and, optionally, `variables` as an object and `operationName` as text, and accept JSON as the answer.',
      };
    default:
      return {
        code: 'INTERNAL_SERVER_ERROR',
        message: 'Something went wrong on our side; it is logged under the x-request-id of this answer.',
      };
  }
}

/** Writes down what is not the client's doing. */
export function logError(thrown: unknown, log: Log): void {
  const own = ownError(thrown);
  if (own !== null) {
    if (own.code === 'UNAVAILABLE') log.warn({ err: loggable(own.originalError) }, 'unavailable');
    return;
  }
  const cause = rootCause(thrown);
  if (isDatabaseUnavailable(cause)) log.warn({ err: loggable(cause) }, 'database unavailable');
  // What Apollo gave a code is about the request; the rest of graphql-js' errors, about our answer.
  else if (!(cause instanceof GraphQLError) || codeOf(thrown) === undefined) {
    log.error({ err: loggable(cause), path: pathOf(thrown) }, 'unexpected error');
  }
}

const codeOf = (thrown: unknown): unknown =>
  thrown instanceof GraphQLError ? thrown.extensions['code'] : undefined;

/** Where in the answer: names of the document, and positions. */
const pathOf = (thrown: unknown): string | undefined =>
  thrown instanceof GraphQLError ? thrown.path?.join('.') : undefined;

/** Finds an error of ours under the wrappers that graphql-js puts around it. */
function ownError(thrown: unknown): ApiError | null {
  for (let error = thrown, depth = 0; error instanceof Error && depth < 5; depth += 1) {
    if (error instanceof ApiError) return error;
    error = error instanceof GraphQLError ? error.originalError : undefined;
  }
  return null;
}

function rootCause(thrown: unknown): unknown {
  let error = thrown;
  while (error instanceof GraphQLError && error.originalError) error = error.originalError;
  return error;
}

/**
 * A database error's message and detail can carry values of a row, its name, code and stack's frames
 * can't; graphql-js' messages repeat a value behind a colon.
 */
export function loggable(error: unknown): object {
  if (!(error instanceof Error)) return { type: typeof error };
  const { code, constraint, table, routine } = error as unknown as Record<string, unknown>;
  const frames = error.stack
    ?.split('\n')
    .filter((line) => /^\s+at /.test(line))
    .join('\n');
  const isDatabases = typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code);
  return {
    type: error.name,
    message: isDatabases
      ? undefined
      : error instanceof GraphQLError
        ? error.message.replace(/:.*/s, '')
        : error.message,
    code,
    constraint,
    table,
    routine,
    stack: frames,
  };
}

// --- graphql-js' messages, without values --------------------------------------------------------

const token = '(?:Name|Int|Float|String|BlockString|<EOF>|"[^"]{1,8}")';
const expectation = new RegExp(`^Syntax Error: (?:Expected (${token}), found|Unexpected) (${token})`);

/** A syntax error names what was found; of a name, string, number or character only its kind may leave. */
function parseMessage(message: string): string {
  const [, expected, found] = expectation.exec(message) ?? [];
  if (expected !== undefined) return `Syntax Error: Expected ${expected}, found ${found}.`;
  if (found !== undefined) return `Syntax Error: Unexpected ${found}.`;
  // Of the lexer: words of its own, then what was found in quotes, brackets or behind a colon.
  const words = /^Syntax Error: [\w ,-]+/.exec(message)?.[0].replace(/ (?:but got)?$/, '');
  return `${words?.trimEnd() ?? 'Syntax Error'}.`;
}

/**
 * Validation errors that leave as they are: they name types, fields, arguments, fragments and
 * variables of the document. Those that can repeat a literal are told anew by `literalMessage`.
 */
const validationMessages: readonly RegExp[] = [
  /^Cannot query field "\w+" on type "\w+"\./,
  /^Unknown (argument|directive|fragment|type) "@?\w+"/,
  /^Field "\w+" (of type "[\w![\]]+" must have|must not have|argument "\w+" of type)/,
  /^Field "[\w.]+" (of required type "[\w![\]]+" was not provided|is not defined by type)/,
  /^Fields "\w+" conflict because/,
  /^Variable "\$\w+" (is not defined|is never used|of type|cannot be|is of type)/,
  /^Fragment "\w+" (is never used|cannot be spread|cannot condition)/,
  /^Fragment cannot (be spread|condition)/,
  /^Cannot spread fragment "\w+"/,
  /^There can be only one/,
  /^This anonymous operation must be the only/,
  /^Directive "@\w+"/,
  /^The directive "@\w+"/,
  /^The \w+ definition is not executable/,
  /^Schema is not configured/,
  /^Too many validation errors/,
];

function validationMessage(message: string): string {
  const plain = message.replace(/ ?Did you mean .*$/s, '');
  if (validationMessages.some((pattern) => pattern.test(plain))) return plain;
  return literalMessage(plain) ?? 'The document does not fit the schema.';
}

/** A literal of the wrong type: says which type was expected, in the schema's words. */
function literalMessage(message: string): string | null {
  const type =
    /^Expected value of type "([\w![\]]+)"/.exec(message)?.[1] ??
    /^(\w+) cannot represent/.exec(message)?.[1];
  if (type !== undefined) return `Expected a value of type ${type}.`;
  const enumeration =
    /^Enum "(\w+)" cannot represent/.exec(message)?.[1] ??
    /^Value "\w*" does not exist in "(\w+)" enum/.exec(message)?.[1];
  return enumeration === undefined ? null : `Expected a value of the enum ${enumeration}.`;
}
