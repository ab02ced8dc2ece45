import { useQuery } from '@tanstack/react-query';
import { lazy, Suspense } from 'react';
import { applicationQuery, applicationStatsQuery } from '../api/queries.ts';
import policyStyles from '../policy/policy.module.css';
import { navigate } from '../router/use-route.ts';
import type { Permissions } from '../session/permissions.ts';
import { Card } from '../shared/card.tsx';
import { Lines, Loaded } from '../shared/loaded.tsx';
import { Name } from '../shared/name.tsx';
import { PageHeader } from '../shared/page-header.tsx';
import styles from '../shared/shared.module.css';
import { TenantSelect } from '../tenant/tenant-select.tsx';
import { ApplicationPolicy } from './application-policy.tsx';
import { OverrideRuleCard } from './override-rule.tsx';
import { TenantTable } from './tenant-table.tsx';

const StatsChart = lazy(() => import('../stats/stats-chart.tsx'));

/** An application's MFA: its own policy, where its users stand, and its tenants. */
export default function ApplicationView({ applicationId, may }: { applicationId: string; may: Permissions }) {
  const application = useQuery(applicationQuery(applicationId));
  return (
    <Loaded query={application} lines={8}>
      {(data) => (
        <>
          <PageHeader
            eyebrow="Application view"
            title={<Name>{data.displayName}</Name>}
            documentTitle={data.displayName}
            lead="The MFA policy of the application applies to every tenant that does not override it."
            actions={
              <TenantSelect
                applicationId={applicationId}
                value={null}
                onPick={(tenantId) => navigate({ page: 'tenant', applicationId, tenantId })}
              />
            }
          />
          <div className={styles.stack}>
            <div className={policyStyles.columns}>
              <ApplicationPolicy application={data} mayWrite={may.writeApplicationPolicy} />
              <div className={policyStyles.side}>
                {may.applicationStats && <StatsCard applicationId={applicationId} />}
                <OverrideRuleCard application={data} mayWrite={may.writeOverrideRule} />
              </div>
            </div>
            <TenantTable application={data} may={may} />
          </div>
        </>
      )}
    </Loaded>
  );
}

function StatsCard({ applicationId }: { applicationId: string }) {
  const stats = useQuery(applicationStatsQuery(applicationId));
  return (
    <Card title="Users by state" lead="Of all tenants, as their policies stand now.">
      <Loaded query={stats} lines={5}>
        {(data) => (
          <Suspense fallback={<Lines count={5} />}>
            <StatsChart stats={data} />
          </Suspense>
        )}
      </Loaded>
    </Card>
  );
}
