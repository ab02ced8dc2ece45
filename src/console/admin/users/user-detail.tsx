import { useQuery } from '@tanstack/react-query';
import type { ConsoleUserFragment } from '../../generated/documents.ts';
import { userQuery } from '../api/queries.ts';
import { hrefOf } from '../router/route.ts';
import type { Permissions } from '../session/permissions.ts';
import { Empty } from '../shared/card.tsx';
import { Loaded } from '../shared/loaded.tsx';
import { Mark } from '../shared/mark.tsx';
import { Moment } from '../shared/moment.tsx';
import { Id, Name } from '../shared/name.tsx';
import { Notice } from '../shared/notice.tsx';
import shared from '../shared/shared.module.css';
import { State, stateMeanings } from '../shared/state.tsx';
import { Explain } from './explain.tsx';
import { UserActions } from './user-actions.tsx';
import styles from './users.module.css';

type Mfa = NonNullable<ConsoleUserFragment['mfa']>;

/** One user: where they stand, what they have, why they are asked, and what can be done for them. */
export function UserDetail({
  applicationId,
  tenantId,
  userId,
  may,
}: {
  applicationId: string;
  tenantId: string;
  userId: string;
  may: Permissions;
}) {
  const user = useQuery(userQuery(userId, tenantId));
  return (
    <Loaded query={user} lines={8}>
      {(data) =>
        data?.mfa ? (
          <div className={styles.detail}>
            <div className={styles.head}>
              <h2>
                <Id>{userId}</Id>
              </h2>
              <Name>{data.mfa.tenant.displayName}</Name>
              <State state={data.mfa.state} />
              <span className={shared.muted}>{stateMeanings[data.mfa.state]}</span>
            </div>
            <UserActions tenantId={tenantId} userId={userId} mfa={data.mfa} may={may} />
            <Standing mfa={data.mfa} />
            <Factors mfa={data.mfa} />
            <section className={styles.section}>
              <h3>Why is this user asked?</h3>
              <Explain tenantId={tenantId} userId={userId} />
            </section>
            {may.readAudit && (
              <a
                className={shared.link}
                href={hrefOf({ page: 'audit', applicationId, filter: { tenantId, userId } })}
              >
                What happened to this user
              </a>
            )}
          </div>
        ) : (
          <Empty title="Nobody is known by this id">There is no such tenant, or none that you may see.</Empty>
        )
      }
    </Loaded>
  );
}

const recoveryTexts: Record<Mfa['recoveryCodeState'], string> = {
  NONE: 'None',
  ACTIVE: 'One that can be used',
  USED: 'Used, and no new one taken',
};

function Standing({ mfa }: { mfa: Mfa }) {
  return (
    <>
      {mfa.lockedUntil && (
        <Notice tone="warning">
          Held back until <Moment at={mfa.lockedUntil} withDistance />, after too many wrong codes in a row.
        </Notice>
      )}
      <dl className={styles.facts}>
        <dt>Recovery code</dt>
        <dd>{recoveryTexts[mfa.recoveryCodeState]}</dd>
        {mfa.enrollmentDueAt && (
          <>
            <dt>Enrollment due</dt>
            <dd>
              <Moment at={mfa.enrollmentDueAt} withDistance />
            </dd>
          </>
        )}
        {mfa.exemption && (
          <>
            <dt>Excused until</dt>
            <dd>
              <Moment at={mfa.exemption.until} withDistance />
            </dd>
            <dt>Reason</dt>
            <dd dir="auto">{mfa.exemption.reason}</dd>
            <dt>Granted by</dt>
            <dd dir="auto">{mfa.exemption.grantedBy}</dd>
          </>
        )}
      </dl>
    </>
  );
}

const typeNames = { TOTP: 'Authenticator app', RECOVERY_CODE: 'Recovery code' };
const statusNames = { PENDING: 'Begun, not confirmed', ACTIVE: 'Active', DISABLED: 'Disabled' };

function Factors({ mfa }: { mfa: Mfa }) {
  return (
    <section className={styles.section}>
      <h3>Factors</h3>
      {mfa.factors.length === 0 && <p>None.</p>}
      {mfa.factors.map((factor) => (
        <div key={factor.id} className={styles.factor}>
          <div className={styles.factorHead}>
            {typeNames[factor.type]}
            <Mark strong={factor.status === 'ACTIVE'}>{statusNames[factor.status]}</Mark>
            {factor.suspendedByPolicy && (
              <Mark title="The policy has this kind switched off. It is kept.">Suspended by policy</Mark>
            )}
          </div>
          <span className={styles.factorText}>
            {factor.activatedAt ? (
              <>
                Confirmed <Moment at={factor.activatedAt} />
              </>
            ) : (
              <>
                Begun <Moment at={factor.createdAt} />
              </>
            )}
            {factor.lastUsedAt && (
              <>
                {' · '}last used <Moment at={factor.lastUsedAt} withDistance />
              </>
            )}
          </span>
        </div>
      ))}
    </section>
  );
}
