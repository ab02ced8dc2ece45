import { fetchSettings } from './settings.ts';
import { currentToken, sessionState, signIn } from './token-store.ts';

let running: Promise<boolean> | null = null;

/**
 * Gets a new token in the place of one that was refused, where the issuer gave the means to.
 * @returns whether there is another one now
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
    const { refresh } = await import('./oidc.ts');
    signIn(await refresh(settings, state.session.refreshToken));
    return true;
  } catch {
    // Refused, or not to be had: somebody signs in again.
    return false;
  }
}
