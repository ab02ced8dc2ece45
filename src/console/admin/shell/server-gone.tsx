import { useQueryClient } from '@tanstack/react-query';
import { useSyncExternalStore } from 'react';
import { problemOf } from '../api/problem.ts';
import { Notice } from '../shared/notice.tsx';
import styles from './shell.module.css';

/** Says that what is on the screen is not of now, and that somebody is at it. */
export function ServerGone() {
  const cache = useQueryClient().getQueryCache();
  const isGone = useSyncExternalStore(
    (changed) => cache.subscribe(changed),
    () =>
      cache.getAll().some((query) => {
        const { status, error, fetchFailureReason } = query.state;
        const reason = status === 'error' ? error : fetchFailureReason;
        return query.isActive() && reason !== null && problemOf(reason).kind === 'unavailable';
      }),
  );
  if (!isGone) return null;
  return (
    <div className={styles.gone}>
      <Notice tone="warning" live>
        <b>The server can’t be reached.</b> What you see may be old. It is asked again every few seconds;
        nothing you typed is lost.
      </Notice>
    </div>
  );
}
