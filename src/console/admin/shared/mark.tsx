import { clsx } from 'clsx';
import type { ReactNode } from 'react';
import styles from './shared.module.css';

/** One word beside a name. */
export function Mark({
  strong = false,
  title,
  children,
}: {
  strong?: boolean;
  title?: string;
  children: ReactNode;
}) {
  return (
    <span className={clsx(styles.mark, strong && styles.markStrong)} title={title}>
      {children}
    </span>
  );
}
