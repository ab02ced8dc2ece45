import { useQuery } from '@tanstack/react-query';
import { lazy, type ReactNode, Suspense } from 'react';
import { viewerQuery } from './api/queries.ts';
import type { Route } from './router/route.ts';
import { useRoute } from './router/use-route.ts';
import { type Permissions, permissionsOf, type Viewer } from './session/permissions.ts';
import { Empty } from './shared/card.tsx';
import { Failure } from './shared/failure.tsx';
import { Lines, Loaded } from './shared/loaded.tsx';
import { ChooseApplication } from './shell/choose-application.tsx';
import { itemsFor } from './shell/nav.tsx';
import { NoPages } from './shell/no-pages.tsx';
import { Shell } from './shell/shell.tsx';

const ApplicationView = lazy(() => import('./application/application-view.tsx'));
const TenantView = lazy(() => import('./tenant/tenant-page.tsx'));
const UsersPage = lazy(() => import('./users/users-page.tsx'));
const AuditPage = lazy(() => import('./audit/audit-page.tsx'));
const WebhooksPage = lazy(() => import('./webhooks/webhooks-page.tsx'));

/** The console of whoever is signed in. */
export function Console() {
  const viewer = useQuery(viewerQuery());
  return (
    <Loaded query={viewer} lines={6}>
      {(who) => <Pages key={keyOf(who)} viewer={who} />}
    </Loaded>
  );
}

/** Somebody else, or with another reach, starts anew. */
const keyOf = ({ subject, application, tenant }: Viewer) =>
  JSON.stringify([subject, application?.id, tenant?.id]);

function Pages({ viewer }: { viewer: Viewer }) {
  const may = permissionsOf(viewer);
  const route = useRoute();
  const applicationId = applicationOf(route, viewer);
  return (
    <Shell viewer={viewer} may={may} applicationId={applicationId}>
      <Failure key={route.page}>
        <Suspense fallback={<Lines count={6} />}>
          {pageFor(landed(route, applicationId, viewer, may), viewer, may)}
        </Suspense>
      </Failure>
    </Shell>
  );
}

const applicationOf = (route: Route, viewer: Viewer): string | null =>
  viewer.application?.id ?? ('applicationId' in route ? route.applicationId : null);

/** Without a page in the address, the first that the caller may see; a tenant's callers land in its Tenant View. */
function landed(route: Route, applicationId: string | null, viewer: Viewer, may: Permissions): Route {
  if (route.page !== 'home' || applicationId === null) return route;
  return itemsFor(applicationId, viewer, may)[0]?.to ?? route;
}

function pageFor(route: Route, viewer: Viewer, may: Permissions): ReactNode {
  switch (route.page) {
    case 'home':
      return viewer.application === null && (may.chooseApplication || may.readAudit || may.readUsers) ? (
        <ChooseApplication may={may} />
      ) : (
        <NoPages viewer={viewer} />
      );
    case 'application':
      return may.readApplication ? (
        <ApplicationView key={route.applicationId} applicationId={route.applicationId} may={may} />
      ) : (
        <NoPages viewer={viewer} />
      );
    case 'tenant':
      return may.readTenants ? (
        <TenantView
          applicationId={route.applicationId}
          tenantId={viewer.tenant?.id ?? route.tenantId}
          may={may}
        />
      ) : (
        <NoPages viewer={viewer} />
      );
    case 'users':
      return may.readUsers ? (
        <UsersPage route={route} fixedTenant={viewer.tenant} may={may} />
      ) : (
        <NoPages viewer={viewer} />
      );
    case 'audit':
      return may.readAudit ? (
        <AuditPage route={route} viewer={viewer} may={may} />
      ) : (
        <NoPages viewer={viewer} />
      );
    case 'webhooks':
      return may.manageWebhooks ? (
        <WebhooksPage key={route.applicationId} applicationId={route.applicationId} />
      ) : (
        <NoPages viewer={viewer} />
      );
    case 'unknown':
      return <Empty title="There is no such page">The address may have been cut short.</Empty>;
  }
}
