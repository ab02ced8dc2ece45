import { useQuery } from '@tanstack/react-query';
import { clsx } from 'clsx';
import { auditQuery } from '../api/queries.ts';
import type { AuditPlace, Route } from '../router/route.ts';
import { navigate } from '../router/use-route.ts';
import type { Permissions, Viewer } from '../session/permissions.ts';
import { Card, Empty } from '../shared/card.tsx';
import { Loaded } from '../shared/loaded.tsx';
import { PageHeader } from '../shared/page-header.tsx';
import { Pager, usePages } from '../shared/pager.tsx';
import styles from '../shared/shared.module.css';
import { AuditFilterForm } from './audit-filter.tsx';
import { AuditTable } from './audit-table.tsx';

/** The record: every change, every attempt with a code, every denial; newest first. */
export default function AuditPage({
  route,
  viewer,
  may,
}: {
  route: Extract<Route, { page: 'audit' }>;
  viewer: Viewer;
  may: Permissions;
}) {
  const { applicationId } = route;
  const place = viewer.tenant ? { ...route.filter, tenantId: viewer.tenant.id } : route.filter;
  const filter = filterOf(place);
  const pages = usePages(JSON.stringify(filter));
  const events = useQuery(auditQuery(applicationId, { after: pages.after, filter }));
  const look = (next: AuditPlace) => navigate({ page: 'audit', applicationId, filter: next }, true);
  const isFiltered = Object.keys(route.filter).length > 0;
  return (
    <>
      <PageHeader
        title="Audit"
        documentTitle="Audit"
        lead="Every change, every attempt with a code and every denial, newest first. Never a secret or a code."
      />
      <Card title="Events" flush>
        <AuditFilterForm
          key={JSON.stringify(route.filter)}
          place={route.filter}
          fixedTenant={viewer.tenant}
          applicationId={applicationId}
          mayListTenants={may.readTenants}
          onLook={look}
        />
        <Loaded query={events} lines={10}>
          {({ nodes, pageInfo }) => (
            <div className={clsx(events.isPlaceholderData && styles.fading)}>
              {nodes.length === 0 ? (
                <Empty title={isFiltered ? 'Nothing fits' : 'Nothing has happened yet'}>
                  {isFiltered && 'Ids and times are compared exactly.'}
                </Empty>
              ) : (
                <AuditTable events={nodes} onLook={(more) => look({ ...route.filter, ...more })} />
              )}
              <Pager pages={pages} info={pageInfo} what="events" />
            </div>
          )}
        </Loaded>
      </Card>
    </>
  );
}

/** Moments are typed in the reader's time zone. One that is none is left out, as while it is being typed. */
function filterOf({ tenantId, userId, action, from, to }: AuditPlace) {
  const moment = (text: string | undefined) => {
    const at = new Date(text ?? Number.NaN);
    return Number.isNaN(at.getTime()) ? null : at.toISOString();
  };
  return {
    tenantId: tenantId ?? null,
    userId: userId ?? null,
    action: action ?? null,
    from: moment(from),
    to: moment(to),
  };
}
