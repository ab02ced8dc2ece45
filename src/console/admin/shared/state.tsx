import type { MfaState } from '../../generated/documents.ts';
import styles from './shared.module.css';

/** In the order in which they are shown, with what they are called. */
export const stateNames: Record<MfaState, string> = {
  ENROLLED: 'Enrolled',
  OPTIONAL: 'Optional',
  PENDING: 'Pending',
  OVERDUE: 'Overdue',
  EXEMPT: 'Exempt',
  DISABLED: 'MFA off',
};

export const stateMeanings: Record<MfaState, string> = {
  ENROLLED: 'Asked for a code at each sign-in.',
  OPTIONAL: 'Not enrolled, and not asked to.',
  PENDING: 'Must enroll, still within the grace period.',
  OVERDUE: 'Must enroll at the next sign-in.',
  EXEMPT: 'Excused from enrolling for a time.',
  DISABLED: 'MFA is not enabled for their tenant.',
};

export const states = Object.keys(stateNames) as MfaState[];

export const stateColor = (state: MfaState): string => `var(--state-${state.toLowerCase()})`;

/** Never by colour alone: the name stands beside it. */
export function State({ state }: { state: MfaState }) {
  const color = stateColor(state);
  const name = `--state-${state.toLowerCase()}`;
  return (
    <span
      className={styles.state}
      title={stateMeanings[state]}
      style={{ background: `var(${name}-quiet)`, color: `var(${name}-text)`, '--dot': color } as object}
    >
      {stateNames[state]}
    </span>
  );
}
