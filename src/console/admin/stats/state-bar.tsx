import type { ConsoleStatsFragment } from '../../generated/documents.ts';
import { stateColor, stateNames } from '../shared/state.tsx';
import { people, present } from './counts.ts';
import styles from './stats.module.css';

/** Where the users of a tenant stand, in one line: for tables. */
export function StateBar({ stats }: { stats: ConsoleStatsFragment }) {
  const parts = present(stats);
  const told = parts.map(({ state, count }) => `${count} ${stateNames[state].toLowerCase()}`).join(', ');
  return (
    <div className={styles.cell} title={told}>
      <div className={styles.bar} aria-hidden>
        {parts.map(({ state, count }) => (
          <span
            key={state}
            className={styles.part}
            style={{ flexGrow: count, background: stateColor(state) }}
          />
        ))}
      </div>
      <span className={styles.cellLabel}>
        {stats.users === 0 ? 'No users yet' : `${stats.enrolled} of ${people(stats.users)} enrolled`}
      </span>
    </div>
  );
}
