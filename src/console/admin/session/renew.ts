import { CallError } from '../../../client/client.ts';
import { fetchSettings } from './settings.ts';
import { currentToken, sessionState, signIn } from './token-store.ts';

let running: Promise<boolean> | null = null;

/**
 * Gets a new token in the place of one that was refused, where the issuer gave the means to.
 * @returns whether there is another one now
 * @throws CallError where the issuer was not reached: the session goes on, and it is tried again
 */
export function renew(refused: string | null): Promise<boolean> {
  if (currentToken() !== refused) return Promise.resolve(currentToken() !== null);
  running ??= renewed().finally(() => {
    running = null;
  });
  return running;
}

async function renewed(): Promise<boolean> {
  const state = sessionState();
  if (state.status !== 'signedIn' || state.session.refreshToken === null) return false;
  try {
    const settings = await fetchSettings();
    if (settings.kind !== 'oidc') return false;
    const { isRefusal, refresh } = await import('./oidc.ts');
    const session = await refresh(settings, state.session.refreshToken).catch((error: unknown) => {
      if (isRefusal(error)) return null;
      throw error;
    });
    if (session !== null) signIn(session);
    return session !== null;
  } catch (cause) {
    throw new CallError('NETWORK', 'The sign-in could not be renewed now.', { cause });
  }
}
