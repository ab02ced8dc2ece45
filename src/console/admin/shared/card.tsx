import { clsx } from 'clsx';
import { type ReactNode, useId } from 'react';
import styles from './shared.module.css';

/** A part of a page under a heading of its own. */
export function Card({
  title,
  lead,
  actions,
  flush = false,
  children,
}: {
  title: ReactNode;
  lead?: ReactNode;
  actions?: ReactNode;
  /** Whether the content reaches the edges, as tables do. */
  flush?: boolean;
  children: ReactNode;
}) {
  const id = useId();
  return (
    <section className={styles.card} aria-labelledby={id}>
      <div className={styles.cardHeader}>
        <div>
          <h2 id={id} className={styles.cardTitle}>
            {title}
          </h2>
          {lead && <p className={styles.cardLead}>{lead}</p>}
        </div>
        {actions}
      </div>
      <div className={clsx(!flush && styles.cardBody)}>{children}</div>
    </section>
  );
}

export function Empty({ title, children }: { title: string; children?: ReactNode }) {
  return (
    <div className={styles.empty}>
      <p className={styles.emptyTitle}>{title}</p>
      {children}
    </div>
  );
}
