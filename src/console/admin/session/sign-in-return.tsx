import { useEffect, useRef } from 'react';
import { Lines } from '../shared/loaded.tsx';
import { finishSignIn } from './oidc.ts';
import { fetchSettings } from './settings.ts';
import styles from './sign-in.module.css';
import { signIn } from './token-store.ts';

/** The way back from the issuer: the code becomes a token, and leaves the address and the history at once. */
export default function SignInReturn({ onDone }: { onDone: (problem: string | null) => void }) {
  const started = useRef(false);
  useEffect(() => {
    if (started.current) return;
    started.current = true;
    const returned = new URL(location.href);
    history.replaceState(null, '', location.pathname);
    finish(returned).then(
      () => onDone(null),
      () => onDone('The sign-in was not finished: it was refused, given up, or too old. Sign in again.'),
    );
  }, [onDone]);
  return (
    <main className={styles.page}>
      <div className={styles.card}>
        <h1 className={styles.muted}>Signing in…</h1>
        <Lines count={3} />
      </div>
    </main>
  );
}

async function finish(returned: URL): Promise<void> {
  const settings = await fetchSettings();
  if (settings.kind !== 'oidc') throw new Error('Nobody was sent to an issuer from here.');
  const { session, hash } = await finishSignIn(settings, returned);
  history.replaceState(null, '', `${location.pathname}${hash}`);
  signIn(session);
}
