import * as oauth from 'oauth4webapi';
import type { SignInSettings } from './settings.ts';
import type { Session } from './token-store.ts';

/*
 * OpenID Connect, authorization code flow with PKCE, as a public client [RFC 9700 section 2.1]. What must match when
 * the issuer sends the browser back waits in this tab.
 */

type Oidc = Extract<SignInSettings, { kind: 'oidc' }>;

interface Begun {
  verifier: string;
  state: string;
  nonce: string;
  /** Where in the console somebody was. */
  hash: string;
}

const key = 'cufflink.oidc';

/** Sends the browser to the issuer. @throws when the issuer can't be asked where to go */
export async function beginSignIn(settings: Oidc): Promise<void> {
  const server = await discover(settings);
  if (!server.authorization_endpoint) throw new Error('The issuer names no authorization endpoint.');
  const begun: Begun = {
    verifier: oauth.generateRandomCodeVerifier(),
    state: oauth.generateRandomState(),
    nonce: oauth.generateRandomNonce(),
    hash: location.hash,
  };
  sessionStorage.setItem(key, JSON.stringify(begun));
  const url = new URL(server.authorization_endpoint);
  const parameters = {
    client_id: settings.clientId,
    redirect_uri: redirectUri(),
    response_type: 'code',
    scope: settings.scope,
    state: begun.state,
    nonce: begun.nonce,
    code_challenge: await oauth.calculatePKCECodeChallenge(begun.verifier),
    code_challenge_method: 'S256',
    // For whom the access token is to be. Issuers that know no such parameter leave it aside [RFC 6749 section 3.1].
    audience: settings.audience,
  };
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value);
  location.assign(url);
}

/**
 * Exchanges the code that the browser came back with.
 * @throws when it is not ours, was used before, or the issuer refuses
 */
export async function finishSignIn(
  settings: Oidc,
  returned: URL,
): Promise<{ session: Session; hash: string }> {
  const kept = sessionStorage.getItem(key);
  sessionStorage.removeItem(key);
  if (kept === null) throw new Error('This sign-in was not begun in this tab, or was finished before.');
  const { verifier, state, nonce, hash } = JSON.parse(kept) as Begun;
  const server = await discover(settings);
  const client = clientOf(settings);
  const parameters = oauth.validateAuthResponse(server, client, returned, state);
  const answer = await oauth.authorizationCodeGrantRequest(
    server,
    client,
    oauth.None(),
    parameters,
    redirectUri(),
    verifier,
    optionsFor(settings),
  );
  const isOpenId = settings.scope.split(' ').includes('openid');
  const tokens = await oauth.processAuthorizationCodeResponse(server, client, answer, {
    ...(isOpenId && { expectedNonce: nonce, requireIdToken: true }),
  });
  return { session: sessionOf(tokens, null), hash };
}

/** A new token, without asking anybody. @throws when the issuer refuses */
export async function refresh(settings: Oidc, refreshToken: string): Promise<Session> {
  const server = await discover(settings);
  const client = clientOf(settings);
  const answer = await oauth.refreshTokenGrantRequest(
    server,
    client,
    oauth.None(),
    refreshToken,
    optionsFor(settings),
  );
  return sessionOf(await oauth.processRefreshTokenResponse(server, client, answer), refreshToken);
}

/** Whether the issuer said no. Anything else may go well later. */
export const isRefusal = (error: unknown): boolean => error instanceof oauth.ResponseBodyError;

const clientOf = ({ clientId }: Oidc): oauth.Client => ({ client_id: clientId });

/** Where the console stands: the page itself, without what is behind ? and #. */
const redirectUri = (): string => `${location.origin}${location.pathname}`;

async function discover(settings: Oidc): Promise<oauth.AuthorizationServer> {
  const issuer = new URL(settings.authority);
  return oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, optionsFor(settings)));
}

/** http is for issuers on this machine only. */
function optionsFor({ authority }: Oidc) {
  const isLocal = ['localhost', '127.0.0.1', '[::1]'].includes(new URL(authority).hostname);
  return { [oauth.allowInsecureRequests]: isLocal, signal: () => AbortSignal.timeout(10_000) };
}

const sessionOf = (tokens: oauth.TokenEndpointResponse, refreshTokenBefore: string | null): Session => ({
  token: tokens.access_token,
  refreshToken: tokens.refresh_token ?? refreshTokenBefore,
});
