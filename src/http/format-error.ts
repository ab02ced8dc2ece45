import { ApolloServerErrorCode } from '@apollo/server/errors';
import { GraphQLError, type GraphQLFormattedError } from 'graphql';
import type { Log } from '../caller/context.ts';
import { ApiError, type ErrorCode, isDatabaseUnavailable, unavailable } from '../shared/errors.ts';
import { tokensMax } from '../shared/limits.ts';

/*
 * What may leave the server (security.md GQL-3). An allow-list: messages of our own, and those of
 * graphql-js with every value taken out. Everything else is logged and masked.
 */

/** Turns whatever was thrown into what the client sees. */
export function maskError(formatted: GraphQLFormattedError, thrown: unknown): GraphQLFormattedError {
  const place = {
    ...(formatted.locations && { locations: formatted.locations }),
    ...(formatted.path && { path: formatted.path }),
  };
  const answer = (code: ErrorCode, message: string) => ({ message, ...place, extensions: { code } });

  const own = ownError(thrown);
  if (own !== null) return answer(own.code, own.message);
  if (isDatabaseUnavailable(rootCause(thrown))) return answer('UNAVAILABLE', unavailable().message);
  switch (formatted.extensions?.['code']) {
    case ApolloServerErrorCode.GRAPHQL_PARSE_FAILED:
      return /contains more than \d+ tokens/.test(formatted.message)
        ? answer(
            'LIMIT_EXCEEDED',
            `The document has more than ${tokensMax} tokens. Ask for less, or split it.`,
          )
        : answer('GRAPHQL_PARSE_FAILED', parseMessage(formatted.message));
    case ApolloServerErrorCode.GRAPHQL_VALIDATION_FAILED:
      return answer('GRAPHQL_VALIDATION_FAILED', validationMessage(formatted.message));
    case ApolloServerErrorCode.BAD_USER_INPUT:
      return answer('BAD_USER_INPUT', inputMessage(formatted.message));
    case ApolloServerErrorCode.OPERATION_RESOLUTION_FAILURE:
      return answer(
        'OPERATION_RESOLUTION_FAILURE',
        'Name the one operation of the document to run in operationName.',
      );
    case ApolloServerErrorCode.BAD_REQUEST:
      return answer(
        'BAD_REQUEST',
        'The request must be one JSON object with `query` as text and, optionally, `variables` as an object and `operationName` as text.',
      );
    default:
      return answer(
        'INTERNAL_SERVER_ERROR',
        'Something went wrong on our side; it is logged under the x-request-id of this answer.',
      );
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
  // What graphql-js itself throws is about the document.
  else if (!(cause instanceof GraphQLError)) log.error({ err: loggable(cause) }, 'unexpected error');
}

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

/** A database error's message and detail can carry values of a row; its name, code and stack's frames can't. */
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
    message: isDatabases ? undefined : error.message,
    code,
    constraint,
    table,
    routine,
    stack: frames,
  };
}

// --- graphql-js' messages, without values --------------------------------------------------------

/** Syntax errors name what was found; a string, number or character found is a value. */
function parseMessage(message: string): string {
  return message
    .replace(/\b(String|BlockString|Int|Float|Name) ".*$/s, '$1.')
    .replace(/\b(character|sequence|got): .*$/s, '$1.');
}

/** Validation errors name types, fields and arguments of the document; literals are values. */
const validationMessages: readonly RegExp[] = [
  /^Cannot query field "\w+" on type "\w+"/,
  /^Unknown (argument|directive|fragment|type) "@?\w+"/,
  /^Field "[\w.]+" (of type|must not have|must have|argument|of required type|is not defined|conflict)/,
  /^Fields "\w+" conflict/,
  /^Variable "\$\w+" (is not defined|is never used|of type|cannot be|of required type)/,
  /^Fragment "\w+" (is never used|cannot be spread|cannot condition)/,
  /^Fragment cannot (be spread|condition)/,
  /^Cannot spread fragment "\w+"/,
  /^There can be only one/,
  /^This anonymous operation must be the only/,
  /^Directive "@\w+"/,
  /^The directive "@\w+"/,
  /^Argument "\w+"/,
  /^Subscription/,
  /^Schema is not configured/,
  /^Maximum introspection depth exceeded/,
  /^Too many validation errors/,
];

function validationMessage(message: string): string {
  const plain = message.replace(/ ?Did you mean .*$/s, '');
  const literal = literalMessage(plain);
  if (literal !== null) return literal;
  return validationMessages.some((pattern) => pattern.test(plain)) && !/found /.test(plain)
    ? plain
    : 'The document does not fit the schema.';
}

/** A literal or variable of the wrong type: says which type was expected. */
function literalMessage(message: string): string | null {
  const scalar = /(?:^|; )(\w+) (?:cannot represent|must be)/.exec(message);
  if (scalar) return `Expected a value of type ${scalar[1]}.`;
  const expected = /(?:^|; )Expected (?:value of |non-nullable )?type "([\w![\]]+)"/.exec(message);
  if (expected) return `Expected a value of type ${expected[1]}.`;
  const enumeration = /does not exist in "(\w+)" enum/.exec(message);
  if (enumeration) return `Expected a value of the enum ${enumeration[1]}.`;
  return null;
}

/** Variables that do not fit: names the variable, the place in it, and what belongs there. */
function inputMessage(message: string): string {
  const missing =
    /^Variable "(\$\w+)" of (?:required|non-null) type "([\w![\]]+)" (?:was not provided|must not be null)/.exec(
      message,
    );
  if (missing) return `Variable "${missing[1]}" of type ${missing[2]} is required.`;
  const variable = /^Variable "(\$\w+)" got invalid value/.exec(message)?.[1];
  if (variable === undefined) return literalMessage(message) ?? 'An argument has the wrong type.';
  const place = /" at "([\w.[\]]{1,200})"; |\S at "([\w.[\]]{1,200})"; /.exec(message);
  const at = place ? ` at "${place[1] ?? place[2]}"` : '';
  const field =
    /; (Field "\w+" (?:of required type "[\w![\]]+" was not provided|is not defined by type "\w+"))/.exec(
      message,
    );
  const reason = field ? `${field[1]}.` : (literalMessage(message) ?? 'it has the wrong type.');
  return `Variable "${variable}" does not fit${at}: ${reason}`;
}
