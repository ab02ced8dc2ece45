/*
 * The bearer token of this tab. It is kept for a reload (sessionStorage), never for other tabs or another day.
 */

export interface Session {
  token: string;
  /** Gets a new one without asking anybody, where the issuer gave it. */
  refreshToken: string | null;
}

export type SessionState =
  | { status: 'signedOut' }
  | { status: 'signedIn'; session: Session }
  /** What is on the screen stays; nothing is sent until somebody signs in again. */
  | { status: 'expired' };

const key = 'cufflink.session';

let state: SessionState = restored();
const listeners = new Set<() => void>();

export const sessionState = (): SessionState => state;

export function subscribeSession(changed: () => void): () => void {
  listeners.add(changed);
  return () => listeners.delete(changed);
}

export const currentToken = (): string | null => (state.status === 'signedIn' ? state.session.token : null);

export function signIn(session: Session): void {
  sessionStorage.setItem(key, JSON.stringify(session));
  become({ status: 'signedIn', session });
}

/** Takes drafts and whatever else was kept in this tab along: the next one in it may be somebody else. */
export function signOut(): void {
  sessionStorage.clear();
  become({ status: 'signedOut' });
}

/** The server did not take the token. @param refused the one it did not take; another one may be in place by now */
export function expire(refused: string | null): void {
  if (state.status !== 'signedIn' || state.session.token !== refused) return;
  sessionStorage.removeItem(key);
  become({ status: 'expired' });
}

function become(next: SessionState): void {
  state = next;
  for (const changed of listeners) changed();
}

function restored(): SessionState {
  try {
    const kept: unknown = JSON.parse(sessionStorage.getItem(key) ?? 'null');
    return isSession(kept) ? { status: 'signedIn', session: kept } : { status: 'signedOut' };
  } catch {
    return { status: 'signedOut' };
  }
}

function isSession(kept: unknown): kept is Session {
  if (typeof kept !== 'object' || kept === null) return false;
  const { token, refreshToken } = kept as Partial<Record<keyof Session, unknown>>;
  return typeof token === 'string' && (refreshToken === null || typeof refreshToken === 'string');
}
