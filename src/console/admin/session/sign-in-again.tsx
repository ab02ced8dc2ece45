import { Button } from '@mantine/core';
import { Dialog } from '../shared/dialog.tsx';
import styles from './sign-in.module.css';
import { SignInWays } from './sign-in-ways.tsx';
import { signOut } from './token-store.ts';

/** The token has ended while somebody was at work. The page stays behind the dialog as it is, with what was typed. */
export function SignInAgain() {
  return (
    <Dialog title="Your sign-in has ended" opened onClose={() => {}} dismissible={false}>
      <div className={styles.form}>
        <p className={styles.muted}>
          Sign in again to go on. The page stays as it is, with everything you typed.
        </p>
        <SignInWays />
        <Button variant="subtle" size="xs" onClick={signOut}>
          Leave without it
        </Button>
      </div>
    </Dialog>
  );
}
