import type { FastifyInstance, FastifyRequest } from 'fastify';
import { badInput } from '../shared/errors.ts';
import { isLoopback, isLoopbackName } from '../shared/loopback.ts';

/*
 * How people sign in to the console: with the issuer whose bearer tokens the server accepts (OpenID Connect), in
 * development as one of the roles that are printed at the start, or else with a token that they have.
 */

export type ConsoleSignIn =
  | { kind: 'oidc'; authority: string; clientId: string; scope: string; audience: string }
  | {
      kind: 'development';
      roles: readonly { name: string; description: string }[];
      /** @returns a bearer token; null for a role that there is not */
      mint(role: string): Promise<string | null>;
    }
  | { kind: 'token' };

const refusal = {
  errors: [
    {
      message: 'Tokens of development are only for the console in a browser of the same machine.',
      extensions: { code: 'FORBIDDEN' },
    },
  ],
};

export function addConsoleSignIn(app: FastifyInstance, signIn: ConsoleSignIn): void {
  app.get('/console/settings.json', { logLevel: 'warn' }, async (request) => ({
    signIn: settingsFor(signIn, request),
  }));
  if (signIn.kind !== 'development') return;
  app.post('/console/development-token', async (request, reply) => {
    if (!isFromThisMachinesPage(request)) return reply.code(403).send(refusal);
    const role = (request.body as { role?: unknown } | null)?.role;
    const token = typeof role === 'string' ? await signIn.mint(role) : null;
    if (token === null) throw badInput('role must be one of the roles that /console/settings.json lists.');
    return { token };
  });
}

function settingsFor(signIn: ConsoleSignIn, request: FastifyRequest) {
  if (signIn.kind !== 'development') return signIn;
  return isOfThisMachine(request) ? { kind: signIn.kind, roles: signIn.roles } : { kind: 'token' };
}

/**
 * Whether the request came over the loopback interface, straight, and to a name of it. Without the last, a foreign
 * page whose name is led to 127.0.0.1 (DNS rebinding) would be of the same origin. A proxy on this machine may stand
 * for anyone.
 */
function isOfThisMachine({ socket, headers }: FastifyRequest): boolean {
  const hostname = URL.parse(`http://${headers.host}`)?.hostname ?? '';
  return (
    isLoopback(socket.remoteAddress ?? '') &&
    isLoopbackName(hostname) &&
    ['forwarded', 'via', 'x-forwarded-for', 'x-forwarded-host'].every((name) => headers[name] === undefined)
  );
}

/** Likewise, and from a page that this server served: not of another origin, also not one that may call the API. */
function isFromThisMachinesPage(request: FastifyRequest): boolean {
  const { origin, host, 'sec-fetch-site': site } = request.headers;
  return isOfThisMachine(request) && origin === `http://${host}` && (site ?? 'same-origin') === 'same-origin';
}
