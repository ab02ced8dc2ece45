import { useQuery } from '@tanstack/react-query';
import { lazy, type ReactNode, Suspense } from 'react';
import type { ConsoleTenantFragment } from '../../generated/documents.ts';
import { tenantStatsQuery } from '../api/queries.ts';
import policyStyles from '../policy/policy.module.css';
import { hrefOf } from '../router/route.ts';
import type { Permissions } from '../session/permissions.ts';
import { Card } from '../shared/card.tsx';
import { Lines, Loaded } from '../shared/loaded.tsx';
import { Id, Name } from '../shared/name.tsx';
import { PageHeader } from '../shared/page-header.tsx';
import styles from '../shared/shared.module.css';
import { TenantPolicy } from './tenant-policy.tsx';

const StatsChart = lazy(() => import('../stats/stats-chart.tsx'));

/** One tenant's MFA: its override beside what the application says, what users feel, and where they stand. */
export function TenantView({
  tenant,
  may,
  choice,
}: {
  tenant: ConsoleTenantFragment;
  may: Permissions;
  choice: ReactNode;
}) {
  const applicationId = tenant.application.id;
  return (
    <>
      <PageHeader
        eyebrow={
          <>
            Tenant view · <Name>{tenant.application.displayName}</Name>
          </>
        }
        title={<Name>{tenant.displayName}</Name>}
        documentTitle={tenant.displayName}
        lead={<Id>{tenant.id}</Id>}
        actions={choice}
      />
      <TenantPolicy
        tenant={tenant}
        mayWrite={may.writeTenantPolicy}
        beside={
          <>
            {may.readUsers && <StatsCard tenantId={tenant.id} />}
            {(may.readUsers || may.readAudit) && (
              <Card title="Look further">
                <div className={policyStyles.felt}>
                  {may.readUsers && (
                    <a
                      className={styles.link}
                      href={hrefOf({ page: 'users', applicationId, tenantId: tenant.id, userId: null })}
                    >
                      Users of this tenant
                    </a>
                  )}
                  {may.readAudit && (
                    <a
                      className={styles.link}
                      href={hrefOf({ page: 'audit', applicationId, filter: { tenantId: tenant.id } })}
                    >
                      What happened in this tenant
                    </a>
                  )}
                </div>
              </Card>
            )}
          </>
        }
      />
    </>
  );
}

function StatsCard({ tenantId }: { tenantId: string }) {
  const stats = useQuery(tenantStatsQuery(tenantId));
  return (
    <Card title="Users by state">
      <Loaded query={stats} lines={4}>
        {(data) => (
          <Suspense fallback={<Lines count={4} />}>
            <StatsChart stats={data} />
          </Suspense>
        )}
      </Loaded>
    </Card>
  );
}
