import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { generateKeyPair, SignJWT } from 'jose';

/*
 * A small OpenID Connect issuer: everybody is signed in already. It holds clients to PKCE, to their redirect address,
 * and to one use of each code.
 */

export interface OidcIssuer {
  url: string;
  /** Where its token endpoint is: at an origin of its own. */
  tokenOrigin: string;
  /** What the next sign-in gets; refused at the token endpoint where null. */
  accessToken: string | null;
  refreshToken: string | null;
  /** What a refresh token gets. */
  refreshedToken: string | null;
  /** Parameters that browsers came with. */
  asked: URLSearchParams[];
  stop(): Promise<void>;
}

interface Begun {
  clientId: string;
  redirectUri: string;
  challenge: string;
  nonce: string;
}

export async function startOidcIssuer(): Promise<OidcIssuer> {
  const codes = new Map<string, Begun>();
  const { privateKey } = await generateKeyPair('ES256');
  const servers = [0, 1].map(() => createServer((request, response) => void answer(request, response)));
  const [url = '', tokenOrigin = ''] = await Promise.all(
    servers.map(async (server) => {
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
      return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    }),
  );
  const issuer: OidcIssuer = {
    url,
    tokenOrigin,
    accessToken: null,
    refreshToken: null,
    refreshedToken: null,
    asked: [],
    async stop() {
      for (const server of servers) {
        server.closeAllConnections();
        server.close();
      }
    },
  };

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, searchParams } = new URL(request.url ?? '/', url);
    if (pathname === '/authorize') return authorize(searchParams, response);
    response.setHeader('access-control-allow-origin', '*');
    if (pathname === '/token') return token(new URLSearchParams(await bodyOf(request)), response);
    json(response, 200, {
      issuer: url,
      authorization_endpoint: `${url}/authorize`,
      token_endpoint: `${tokenOrigin}/token`,
      jwks_uri: `${url}/jwks`,
      response_types_supported: ['code'],
      id_token_signing_alg_values_supported: ['ES256'],
      code_challenge_methods_supported: ['S256'],
    });
  }

  function authorize(asked: URLSearchParams, response: ServerResponse): void {
    issuer.asked.push(asked);
    const code = randomBytes(16).toString('base64url');
    const redirectUri = asked.get('redirect_uri') ?? '';
    codes.set(code, {
      clientId: asked.get('client_id') ?? '',
      redirectUri,
      challenge: asked.get('code_challenge_method') === 'S256' ? (asked.get('code_challenge') ?? '') : '',
      nonce: asked.get('nonce') ?? '',
    });
    const back = new URL(redirectUri);
    back.searchParams.set('code', code);
    back.searchParams.set('state', asked.get('state') ?? '');
    response.writeHead(302, { location: back.href }).end();
  }

  async function token(form: URLSearchParams, response: ServerResponse): Promise<void> {
    const refuse = () => json(response, 400, { error: 'invalid_grant' });
    if (form.get('grant_type') === 'refresh_token') {
      if (form.get('refresh_token') !== issuer.refreshToken || issuer.refreshedToken === null)
        return refuse();
      return json(response, 200, { access_token: issuer.refreshedToken, token_type: 'Bearer' });
    }
    const begun = codes.get(form.get('code') ?? '');
    codes.delete(form.get('code') ?? '');
    const verifier = form.get('code_verifier') ?? '';
    if (
      issuer.accessToken === null ||
      begun?.clientId !== form.get('client_id') ||
      begun?.redirectUri !== form.get('redirect_uri') ||
      begun.challenge !== createHash('sha256').update(verifier).digest('base64url')
    )
      return refuse();
    json(response, 200, {
      access_token: issuer.accessToken,
      token_type: 'Bearer',
      ...(issuer.refreshToken !== null && { refresh_token: issuer.refreshToken }),
      id_token: await new SignJWT({ nonce: begun.nonce })
        .setProtectedHeader({ alg: 'ES256' })
        .setIssuer(url)
        .setAudience(begun.clientId)
        .setSubject('somebody')
        .setIssuedAt()
        .setExpirationTime('5m')
        .sign(privateKey),
    });
  }
  return issuer;
}

const json = (response: ServerResponse, status: number, body: object): void => {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
};

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}
