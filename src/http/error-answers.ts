import type { FastifyError, FastifyInstance, FastifyReply } from 'fastify';
import {
  ApiError,
  type ErrorCode,
  errorStatus,
  isDatabaseUnavailable,
  unavailable,
} from '../shared/errors.ts';
import { bodyBytesMax } from '../shared/limits.ts';
import { loggable } from './format-error.ts';

declare module 'fastify' {
  interface FastifyReply {
    methodNotAllowed(): FastifyReply;
    unavailable(): FastifyReply;
  }
}

/** What fails before GraphQL is reached is answered in GraphQL's form all the same. */
export function addErrorAnswers(app: FastifyInstance): void {
  app.decorateReply('methodNotAllowed', function (this: FastifyReply) {
    return answer(this, 'METHOD_NOT_ALLOWED', 'Only POST with a JSON body is served here.');
  });
  app.decorateReply('unavailable', function (this: FastifyReply) {
    return answer(this, 'UNAVAILABLE', unavailable().message);
  });
  app.setNotFoundHandler((_request, reply) =>
    reply.code(404).send({ message: 'There is nothing at this address.' }),
  );
  app.setErrorHandler((error: FastifyError, request, reply) => {
    if (error instanceof ApiError) {
      if (error.code === 'UNAUTHENTICATED') reply.header('www-authenticate', 'Bearer');
      if (error.code === 'UNAVAILABLE')
        request.log.warn({ err: loggable(error.originalError) }, 'unavailable');
      return answer(reply, error.code, error.message);
    }
    switch (error.code) {
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
  return reply.code(errorStatus[code]).send({ errors: [{ message, extensions: { code } }] });
}
