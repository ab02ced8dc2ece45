import { clsx } from 'clsx';
import type { ConsoleAuditEventFragment } from '../../generated/documents.ts';
import type { AuditPlace } from '../router/route.ts';
import { Moment } from '../shared/moment.tsx';
import { Id } from '../shared/name.tsx';
import shared from '../shared/shared.module.css';
import styles from './audit.module.css';
import { linesOf } from './detail.ts';

/** @param onLook narrows to what somebody pointed at */
export function AuditTable({
  events,
  onLook,
}: {
  events: readonly ConsoleAuditEventFragment[];
  onLook: (more: AuditPlace) => void;
}) {
  return (
    <div className={shared.tableWrap}>
      <table className={clsx(shared.table, styles.table)}>
        <thead>
          <tr>
            <th scope="col">When</th>
            <th scope="col">Action</th>
            <th scope="col">By</th>
            <th scope="col">Tenant</th>
            <th scope="col">User</th>
            <th scope="col">Detail</th>
          </tr>
        </thead>
        <tbody>
          {events.map(({ id, at, action, actor, tenantId, userId, detail }) => (
            <tr key={id}>
              <td className={styles.when}>
                <Moment at={at} />
              </td>
              <td className={styles.action}>{action}</td>
              <td className={styles.who}>
                <Id>{actor}</Id>
              </td>
              <td className={styles.who}>
                {tenantId === null ? (
                  <span className={shared.muted}>—</span>
                ) : (
                  <Narrow
                    what={`Only tenant ${tenantId}`}
                    id={tenantId}
                    onLook={() => onLook({ tenantId })}
                  />
                )}
              </td>
              <td className={styles.who}>
                {userId === null ? (
                  <span className={shared.muted}>—</span>
                ) : (
                  <Narrow what={`Only user ${userId}`} id={userId} onLook={() => onLook({ userId })} />
                )}
              </td>
              <td>
                <Detail text={detail} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

const Narrow = ({ what, id, onLook }: { what: string; id: string; onLook: () => void }) => (
  <button type="button" className={shared.linkButton} aria-label={what} onClick={onLook}>
    <Id>{id}</Id>
  </button>
);

const Detail = ({ text }: { text: string }) => (
  <ul className={styles.lines} dir="auto">
    {linesOf(text).map(({ name, before, now }) => (
      <li key={name}>
        <span className={styles.name}>{name}: </span>
        {before !== null && (
          <>
            <span className={styles.before}>
              <span className={shared.visuallyHidden}>was </span>
              {before}
            </span>{' '}
            →{' '}
          </>
        )}
        {now}
      </li>
    ))}
  </ul>
);
