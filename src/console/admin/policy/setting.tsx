import { type ReactNode, useId } from 'react';
import styles from './policy.module.css';

/** What a control needs to be named, explained and corrected by what stands around it. */
export interface ControlProps {
  'aria-labelledby': string;
  'aria-describedby': string;
  'aria-invalid'?: true;
}

/** One setting: its name and what it does, its control, and what is wrong with it. */
export function SettingRow({
  name,
  explanation,
  mark,
  beside,
  error,
  control,
}: {
  name: string;
  explanation: ReactNode;
  mark?: ReactNode;
  /** What the application says. */
  beside?: ReactNode;
  error?: string | undefined;
  control: (props: ControlProps) => ReactNode;
}) {
  const id = useId();
  const props: ControlProps = {
    'aria-labelledby': `${id}-name`,
    'aria-describedby': error ? `${id}-error ${id}-text` : `${id}-text`,
    ...(error && { 'aria-invalid': true }),
  };
  return (
    <div className={styles.setting}>
      <div>
        <div className={styles.nameLine}>
          <span className={styles.settingName} id={`${id}-name`}>
            {name}
          </span>
          {mark}
        </div>
        <p className={styles.explanation} id={`${id}-text`}>
          {explanation}
        </p>
      </div>
      <div className={styles.control}>
        {control(props)}
        {error && (
          <p className={styles.error} id={`${id}-error`} role="alert">
            {error}
          </p>
        )}
        {beside !== undefined && <div className={styles.beside}>{beside}</div>}
      </div>
    </div>
  );
}
