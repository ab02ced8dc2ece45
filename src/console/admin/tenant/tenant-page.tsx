import { useQuery } from '@tanstack/react-query';
import { tenantQuery } from '../api/queries.ts';
import { navigate } from '../router/use-route.ts';
import type { Permissions } from '../session/permissions.ts';
import { Card, Empty } from '../shared/card.tsx';
import { Loaded } from '../shared/loaded.tsx';
import { PageHeader } from '../shared/page-header.tsx';
import { TenantSelect } from './tenant-select.tsx';
import { TenantView } from './tenant-view.tsx';

/** Tenant View: first which tenant, then its MFA. */
export default function TenantPage({
  applicationId,
  tenantId,
  may,
}: {
  applicationId: string;
  tenantId: string | null;
  may: Permissions;
}) {
  if (tenantId === null)
    return (
      <>
        <PageHeader
          title="Tenant view"
          documentTitle="Tenant view"
          lead="A tenant may have its own MFA policy behind an override toggle."
          actions={<Choice applicationId={applicationId} />}
        />
        <Card title="Select a tenant to configure">
          <Empty title="No tenant is selected">
            Find it by a part of its name above, or pick it from the table of the application view.
          </Empty>
        </Card>
      </>
    );
  return <OneTenant key={tenantId} applicationId={applicationId} tenantId={tenantId} may={may} />;
}

const Choice = ({
  applicationId,
  value = null,
  name,
}: {
  applicationId: string;
  value?: string | null;
  name?: string;
}) => (
  <TenantSelect
    applicationId={applicationId}
    value={value}
    valueName={name}
    onPick={(picked) => navigate({ page: 'tenant', applicationId, tenantId: picked })}
  />
);

function OneTenant({
  applicationId,
  tenantId,
  may,
}: {
  applicationId: string;
  tenantId: string;
  may: Permissions;
}) {
  const tenant = useQuery(tenantQuery(tenantId));
  return (
    <Loaded query={tenant} lines={8}>
      {(data) => (
        <TenantView
          tenant={data}
          may={may}
          choice={
            may.boundary === 'tenant' ? null : (
              <Choice applicationId={applicationId} value={tenantId} name={data.displayName} />
            )
          }
        />
      )}
    </Loaded>
  );
}
