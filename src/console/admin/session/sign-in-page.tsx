import { useEffect } from 'react';
import icon from '../../shared/icon.svg';
import { Notice } from '../shared/notice.tsx';
import { SchemeSwitch } from '../shell/scheme-switch.tsx';
import styles from './sign-in.module.css';
import { SignInWays } from './sign-in-ways.tsx';

/** @param problem why somebody is here again */
export function SignInPage({ problem }: { problem: string | null }) {
  useEffect(() => {
    document.title = 'Sign in · Cufflink';
  }, []);
  return (
    <main className={styles.page}>
      <div className={styles.card}>
        <div className={styles.head}>
          <img src={icon} alt="" />
          <div>
            <h1>Cufflink</h1>
            <p className={styles.muted}>MFA policies of applications and tenants</p>
          </div>
        </div>
        {problem && (
          <Notice tone="danger" live>
            {problem}
          </Notice>
        )}
        <SignInWays />
      </div>
      <SchemeSwitch />
    </main>
  );
}
