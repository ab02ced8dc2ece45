import type { Socket } from 'node:net';
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import {
  ApiError,
  type ErrorCode,
  errorStatus,
  isDatabaseUnavailable,
  unavailable,
} from '../shared/errors.ts';
import { bodyBytesMax, retryAfterSeconds } from '../shared/limits.ts';
import { loggable } from './format-error.ts';

declare module 'fastify' {
  interface FastifyReply {
    methodNotAllowed(): FastifyReply;
  }
}

const nothingHere = { message: 'There is nothing at this address.' };

/** For answers that no hook of ours sees. */
const bareHeaders = {
  'content-type': 'application/json; charset=utf-8',
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'none';frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
};

/** An address that is none, e.g. with a broken escape. */
export function answerBadAddress(_error: FastifyError, _request: FastifyRequest, reply: FastifyReply): void {
  reply.headers(bareHeaders).code(404).send(nothingHere);
}

/** Bytes that are no HTTP, or headers that are too long or too late; there is no request to answer. */
export function answerBadHttp(error: { code?: string }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || socket.destroyed || !socket.writable) return;
  const [status, message] =
    error.code === 'HPE_HEADER_OVERFLOW'
      ? ['431 Request Header Fields Too Large', 'The headers are too large.']
      : error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
        ? ['408 Request Timeout', 'The request took too long to arrive.']
        : ['400 Bad Request', 'This is no HTTP request.'];
  const body = JSON.stringify({ message });
  const headers = Object.entries({
    ...bareHeaders,
    connection: 'close',
    'content-length': String(body.length),
  });
  socket.end(
    `HTTP/1.1 ${status}\r\n${headers.map((header) => header.join(': ')).join('\r\n')}\r\n\r\n${body}`,
  );
}

/** What fails before GraphQL is reached is answered in GraphQL's form all the same. */
export function addErrorAnswers(app: FastifyInstance): void {
  app.decorateReply('methodNotAllowed', function (this: FastifyReply) {
    return answer(this, 'METHOD_NOT_ALLOWED', 'Only POST with a JSON body is served here.');
  });
  app.setNotFoundHandler((_request, reply) => reply.code(404).send(nothingHere));
  app.setErrorHandler((error: FastifyError, request, reply) => {
    if (error instanceof ApiError) {
      if (error.code === 'UNAUTHENTICATED') {
        reply.header('www-authenticate', 'Bearer');
        request.log.debug({ reason: error.reason }, 'unauthenticated');
      }
      if (error.code === 'UNAVAILABLE')
        request.log.warn({ err: loggable(error.originalError) }, 'unavailable');
      return answer(reply, error.code, error.message);
    }
    switch (error.code) {
      case 'FST_ERR_HANDLER_TIMEOUT':
        request.log.warn('answered too late');
        return answer(reply, 'UNAVAILABLE', unavailable().message);
      case 'FST_ERR_CTP_BODY_TOO_LARGE':
        return answer(
          reply,
          'TOO_LARGE',
          `The body is larger than ${bodyBytesMax} bytes. Ask for less, or split it.`,
        );
      case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
        return answer(reply, 'UNSUPPORTED_MEDIA_TYPE', 'Send the request as Content-Type: application/json.');
      default:
    }
    if (error.statusCode !== undefined && error.statusCode < 500) {
      return answer(reply, 'BAD_REQUEST', 'The body must be a JSON object.');
    }
    request.log.error({ err: loggable(error) }, 'unexpected error');
    return isDatabaseUnavailable(error)
      ? answer(reply, 'UNAVAILABLE', unavailable().message)
      : answer(reply, 'INTERNAL_SERVER_ERROR', 'Something went wrong on our side.');
  });
}

function answer(reply: FastifyReply, code: ErrorCode, message: string): FastifyReply {
  if (code === 'UNAVAILABLE') reply.header('retry-after', retryAfterSeconds);
  return reply.code(errorStatus[code]).send({ errors: [{ message, extensions: { code } }] });
}
