import { queryOptions } from '@tanstack/react-query';
import { CallError } from '../../../client/client.ts';
import { serverUrl } from '../../shared/api.ts';

/** How people sign in here, as the server says. */
export type SignInSettings =
  | { kind: 'oidc'; authority: string; clientId: string; scope: string; audience: string }
  | { kind: 'development'; roles: { name: string; description: string }[] }
  | { kind: 'token' };

export const settingsQuery = () =>
  queryOptions({
    queryKey: ['settings'],
    queryFn: ({ signal }) => fetchSettings(signal),
    staleTime: Number.POSITIVE_INFINITY,
  });

/** @throws CallError */
export async function fetchSettings(signal?: AbortSignal): Promise<SignInSettings> {
  const answer = await json('console/settings.json', { ...(signal && { signal }) });
  if (!isObject(answer) || !isSignIn(answer['signIn'])) throw notUnderstood();
  return answer['signIn'];
}

/** A token for one of the roles that the server offers in development. @throws CallError */
export async function developmentToken(role: string): Promise<string> {
  const answer = await json('console/development-token', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ role }),
  });
  if (!isObject(answer) || typeof answer['token'] !== 'string') throw notUnderstood();
  return answer['token'];
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null;

/** Whether all of the members are texts. */
const hasTexts = (value: Record<string, unknown>, ...names: string[]): boolean =>
  names.every((name) => typeof value[name] === 'string');

/** What the server says is looked at, not taken for granted: it may be of another version, or a proxy's page. */
function isSignIn(value: unknown): value is SignInSettings {
  if (!isObject(value)) return false;
  switch (value['kind']) {
    case 'token':
      return true;
    case 'oidc':
      return hasTexts(value, 'authority', 'clientId', 'scope', 'audience');
    case 'development':
      return (
        Array.isArray(value['roles']) &&
        value['roles'].every((role: unknown) => isObject(role) && hasTexts(role, 'name', 'description'))
      );
    default:
      return false;
  }
}

const notUnderstood = (): CallError =>
  new CallError('UNAVAILABLE', 'The server’s answer is not understood by this page. Load it again.');

/** Routes of this page's own server. */
async function json(path: string, init: RequestInit): Promise<unknown> {
  try {
    const answer = await fetch(serverUrl(path, '.'), { credentials: 'omit', cache: 'no-store', ...init });
    if (answer.ok) return await answer.json();
    if (answer.status === 403)
      throw new CallError('FORBIDDEN', 'The server gives no token to this page.', { answer });
    throw new CallError('UNAVAILABLE', 'The server has no answer now.', { answer });
  } catch (cause) {
    if (cause instanceof CallError) throw cause;
    init.signal?.throwIfAborted();
    throw new CallError('NETWORK', 'The server was not reached.', { cause });
  }
}
