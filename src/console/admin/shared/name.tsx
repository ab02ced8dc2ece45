import styles from './shared.module.css';

/** A name that somebody gave: any script, any direction, any length. The whole of it is its title. */
export function Name({ children, strong = false }: { children: string; strong?: boolean }) {
  return (
    <span
      className={styles.name}
      dir="auto"
      title={children}
      style={strong ? { fontWeight: 600 } : undefined}
    >
      {children}
    </span>
  );
}

/** An id, which people compare letter by letter. */
export function Id({ children }: { children: string }) {
  return (
    <span className={`${styles.name} ${styles.mono}`} dir="auto" title={children}>
      {children}
    </span>
  );
}
