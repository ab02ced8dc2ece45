import type { ConsoleStatsFragment } from '../../generated/documents.ts';
import { Empty } from '../shared/card.tsx';
import { stateColor, stateMeanings, stateNames } from '../shared/state.tsx';
import { percent, present } from './counts.ts';
import styles from './stats.module.css';

const radius = 48;
const around = 2 * Math.PI * radius;
/** Between two parts; less where a part is smaller than it. */
const gap = 3;

/** Where all users stand: a ring, and beside it the numbers, which say it all by themselves. */
export default function StatsChart({ stats }: { stats: ConsoleStatsFragment }) {
  const parts = present(stats);
  if (stats.users === 0)
    return <Empty title="No users yet">They appear here with their first sign-in.</Empty>;
  let before = 0;
  return (
    <div className={styles.chart}>
      <svg className={styles.donut} viewBox="0 0 128 128" aria-hidden>
        {parts.map(({ state, count }) => {
          const length = (around * count) / stats.users;
          const offset = before;
          before += length;
          const drawn = parts.length === 1 ? length : Math.max(length - gap, 1);
          return (
            <circle
              key={state}
              cx="64"
              cy="64"
              r={radius}
              fill="none"
              stroke={stateColor(state)}
              strokeWidth="15"
              strokeDasharray={`${drawn} ${around - drawn}`}
              strokeDashoffset={-offset}
              transform="rotate(-90 64 64)"
            />
          );
        })}
        <text className={styles.total} x="64" y="66" textAnchor="middle">
          {stats.users.toLocaleString('en')}
        </text>
        <text className={styles.totalLabel} x="64" y="81" textAnchor="middle">
          {stats.users === 1 ? 'user' : 'users'}
        </text>
      </svg>
      <ul className={styles.legend}>
        {parts.map(({ state, count }) => (
          <li key={state} title={stateMeanings[state]}>
            <span className={styles.swatch} style={{ background: stateColor(state) }} />
            <span>{stateNames[state]}</span>
            <span className={styles.count}>{count.toLocaleString('en')}</span>
            <span className={styles.share}>{percent(count, stats.users)}</span>
          </li>
        ))}
      </ul>
    </div>
  );
}
