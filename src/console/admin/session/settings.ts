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
  const { signIn } = answer as { signIn: SignInSettings };
  return signIn;
}

/** A token for one of the roles that the server offers in development. @throws CallError */
export async function developmentToken(role: string): Promise<string> {
  const answer = await json('console/development-token', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ role }),
  });
  return (answer as { token: string }).token;
}

/** Routes of this page's own server, of the same version; their answers are as it writes them. */
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
