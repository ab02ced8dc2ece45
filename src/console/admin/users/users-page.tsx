import { Drawer } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { tenantUsersQuery } from '../api/queries.ts';
import type { Route } from '../router/route.ts';
import { navigate } from '../router/use-route.ts';
import type { Permissions, Viewer } from '../session/permissions.ts';
import { Card, Empty } from '../shared/card.tsx';
import { Name } from '../shared/name.tsx';
import { PageHeader } from '../shared/page-header.tsx';
import styles from '../shared/shared.module.css';
import { TenantSelect } from '../tenant/tenant-select.tsx';
import { FindUser } from './find-user.tsx';
import { UserDetail } from './user-detail.tsx';
import { UserTable } from './user-table.tsx';

type UsersRoute = Extract<Route, { page: 'users' }>;

/** The users of a tenant by state, and one of them beside the list. */
export default function UsersPage({
  route,
  fixedTenant,
  may,
}: {
  route: UsersRoute;
  /** The tenant that the caller is bound to. */
  fixedTenant: Viewer['tenant'];
  may: Permissions;
}) {
  const { applicationId, userId } = route;
  const tenantId = fixedTenant?.id ?? route.tenantId;
  const go = (to: { tenantId: string | null; userId: string | null }) =>
    navigate({ page: 'users', applicationId, ...to });
  const list = useQuery({
    ...tenantUsersQuery(tenantId ?? '', { after: null, state: null }),
    enabled: may.listUsers && tenantId !== null,
  });
  const tenantName = fixedTenant?.displayName ?? list.data?.displayName;
  return (
    <>
      <PageHeader
        eyebrow={tenantName === undefined ? undefined : <Name>{tenantName}</Name>}
        title="Users"
        documentTitle="Users"
        lead="Those who have signed in, or were excused. They are named by their ids: Cufflink keeps no other data of theirs."
        actions={
          may.listUsers && fixedTenant === null ? (
            <TenantSelect
              applicationId={applicationId}
              value={tenantId}
              valueName={tenantName}
              label="Tenant"
              onPick={(picked) => go({ tenantId: picked, userId: null })}
            />
          ) : null
        }
      />
      <div className={styles.stack}>
        <FindUser
          tenantId={tenantId}
          asksTenant={!may.listUsers && fixedTenant === null}
          onFound={(foundTenant, found) => go({ tenantId: foundTenant, userId: found })}
        />
        {may.listUsers &&
          (tenantId === null ? (
            <Card title="By tenant">
              <Empty title="No tenant is selected">Select one above to see its users by state.</Empty>
            </Card>
          ) : (
            <UserTable key={tenantId} tenantId={tenantId} hrefFor={{ applicationId, tenantId }} />
          ))}
      </div>
      <Drawer
        opened={tenantId !== null && userId !== null}
        onClose={() => go({ tenantId, userId: null })}
        position="right"
        size={560}
        title={<b>User</b>}
        closeButtonProps={{ 'aria-label': 'Close' }}
        transitionProps={{ duration: 120 }}
      >
        {tenantId !== null && userId !== null && (
          <UserDetail
            key={`${tenantId} ${userId}`}
            applicationId={applicationId}
            tenantId={tenantId}
            userId={userId}
            may={may}
          />
        )}
      </Drawer>
    </>
  );
}
