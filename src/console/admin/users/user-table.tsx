import { SegmentedControl } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { clsx } from 'clsx';
import { useState } from 'react';
import type { ConsoleUserFragment, MfaState } from '../../generated/documents.ts';
import { tenantStatsQuery, tenantUsersQuery } from '../api/queries.ts';
import { hrefOf } from '../router/route.ts';
import { Card, Empty } from '../shared/card.tsx';
import { Loaded } from '../shared/loaded.tsx';
import { Mark } from '../shared/mark.tsx';
import { Moment } from '../shared/moment.tsx';
import { Id } from '../shared/name.tsx';
import { Pager, usePages } from '../shared/pager.tsx';
import styles from '../shared/shared.module.css';
import { State, stateMeanings, stateNames, states } from '../shared/state.tsx';
import { countOf } from '../stats/counts.ts';

type Mfa = NonNullable<ConsoleUserFragment['mfa']>;

export function UserTable({
  tenantId,
  hrefFor,
}: {
  tenantId: string;
  hrefFor: { applicationId: string; tenantId: string };
}) {
  const [state, setState] = useState<MfaState | null>(null);
  const pages = usePages(state ?? 'all');
  const stats = useQuery(tenantStatsQuery(tenantId));
  const users = useQuery(tenantUsersQuery(tenantId, { after: pages.after, state }));
  const counted = (count: number | undefined) =>
    count === undefined ? '' : ` ${count.toLocaleString('en')}`;
  return (
    <Card title="By state" lead={state === null ? 'Ordered by id.' : stateMeanings[state]} flush>
      <div className={clsx(styles.toolbar, styles.tableWrap)}>
        <SegmentedControl
          aria-label="State"
          value={state ?? 'all'}
          onChange={(value) => setState(value === 'all' ? null : (value as MfaState))}
          data={[
            { value: 'all', label: `All${counted(stats.data?.users)}` },
            ...states.map((name) => ({
              value: name,
              label: `${stateNames[name]}${counted(stats.data && countOf(stats.data, name))}`,
            })),
          ]}
        />
      </div>
      <Loaded query={users} lines={6}>
        {({ users: { nodes, pageInfo } }) => (
          <div className={clsx(users.isPlaceholderData && styles.fading)}>
            {nodes.length === 0 ? (
              <Empty title={state === null ? 'No users yet' : `Nobody is ${stateNames[state].toLowerCase()}`}>
                {state === null && 'They appear here with their first sign-in.'}
              </Empty>
            ) : (
              <div className={styles.tableWrap}>
                <table className={styles.table}>
                  <thead>
                    <tr>
                      <th scope="col">User</th>
                      <th scope="col">State</th>
                      <th scope="col">Factors</th>
                      <th scope="col">Notes</th>
                    </tr>
                  </thead>
                  <tbody>
                    {nodes.map(({ id, mfa }) => (
                      <tr key={id}>
                        <td className={styles.cellName}>
                          <a className={styles.link} href={hrefOf({ page: 'users', ...hrefFor, userId: id })}>
                            <Id>{id}</Id>
                          </a>
                        </td>
                        <td>{mfa && <State state={mfa.state} />}</td>
                        <td>{mfa && factorsInShort(mfa)}</td>
                        <td>{mfa && <Notes mfa={mfa} />}</td>
                      </tr>
                    ))}
                  </tbody>
                </table>
              </div>
            )}
            <Pager pages={pages} info={pageInfo} what="users" />
          </div>
        )}
      </Loaded>
    </Card>
  );
}

function factorsInShort({ factors, recoveryCodeState }: Mfa): string {
  const totp = factors.find(({ type }) => type === 'TOTP');
  if (totp === undefined) return 'None';
  const app =
    totp.status === 'PENDING'
      ? 'Authenticator begun'
      : totp.status === 'DISABLED'
        ? 'Authenticator disabled'
        : 'Authenticator';
  return recoveryCodeState === 'ACTIVE' ? `${app}, recovery code` : app;
}

function Notes({ mfa }: { mfa: Mfa }) {
  return (
    <>
      {mfa.lockedUntil && <Mark title={`Until ${mfa.lockedUntil}`}>Locked</Mark>}
      {mfa.exemption && (
        <span>
          Excused until <Moment at={mfa.exemption.until} />
        </span>
      )}
      {mfa.enrollmentDueAt && !mfa.exemption && (
        <span>
          Due <Moment at={mfa.enrollmentDueAt} />
        </span>
      )}
    </>
  );
}
