import { type ReactNode, useEffect } from 'react';
import styles from './shared.module.css';

/** The one h1 of a page; the browser's title follows it. */
export function PageHeader({
  title,
  documentTitle,
  eyebrow,
  lead,
  actions,
}: {
  title: ReactNode;
  documentTitle: string;
  eyebrow?: ReactNode;
  lead?: ReactNode;
  actions?: ReactNode;
}) {
  useEffect(() => {
    document.title = `${documentTitle} · Cufflink`;
  }, [documentTitle]);
  return (
    <header className={styles.pageHeader}>
      <div className={styles.pageTitle}>
        {eyebrow && <span className={styles.eyebrow}>{eyebrow}</span>}
        <h1>{title}</h1>
        {lead && <p className={styles.lead}>{lead}</p>}
      </div>
      {actions}
    </header>
  );
}
