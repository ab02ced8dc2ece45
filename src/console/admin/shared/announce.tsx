import { createContext, type ReactNode, useContext, useEffect, useMemo, useState } from 'react';
import styles from './announce.module.css';

const Announce = createContext<(text: string) => void>(() => {});

const shownMs = 6_000;

/** Says, also to screen readers, that something was done. */
export const useAnnounce = () => useContext(Announce);

export function Announcer({ children }: { children: ReactNode }) {
  const [said, setSaid] = useState<{ text: string } | null>(null);
  // Said again, it is another saying: the object is new.
  const announce = useMemo(() => (text: string) => setSaid({ text }), []);
  useEffect(() => {
    if (said === null) return;
    const timer = setTimeout(() => setSaid(null), shownMs);
    return () => clearTimeout(timer);
  }, [said]);
  return (
    <Announce value={announce}>
      {children}
      <div className={styles.announcement} role="status">
        {said && <div className={styles.announcementText}>{said.text}</div>}
      </div>
    </Announce>
  );
}
