import { IconAlertTriangle, IconInfoCircle, IconLock } from '@tabler/icons-react';
import { clsx } from 'clsx';
import type { ReactNode } from 'react';
import styles from './notice.module.css';

type Tone = 'info' | 'warning' | 'danger' | 'locked';

const looks = {
  info: { className: styles.noticeInfo, Icon: IconInfoCircle },
  warning: { className: styles.noticeWarning, Icon: IconAlertTriangle },
  danger: { className: styles.noticeDanger, Icon: IconAlertTriangle },
  locked: { className: undefined, Icon: IconLock },
};

/** Something to know before going on. @param live whether it appears while somebody is at work, and is read out */
export function Notice({
  tone = 'info',
  live = false,
  children,
}: {
  tone?: Tone;
  live?: boolean;
  children: ReactNode;
}) {
  const { className, Icon } = looks[tone];
  return (
    <div className={clsx(styles.notice, className)} role={live ? 'alert' : undefined}>
      <Icon size={18} stroke={1.8} aria-hidden />
      <div className={styles.noticeBody}>{children}</div>
    </div>
  );
}
