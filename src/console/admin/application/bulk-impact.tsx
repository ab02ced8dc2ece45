import { useQuery } from '@tanstack/react-query';
import {
  type ConsoleApplicationFragment,
  ConsolePreviewTenantPolicyDocument,
} from '../../generated/documents.ts';
import { call } from '../api/client.ts';
import { Impact, type Preview } from '../policy/impact.tsx';
import { valuesOf } from '../policy/values.ts';
import { Lines } from '../shared/loaded.tsx';

/** Each preview looks at all users of a tenant, so only so many are asked for. */
const previewsMax = 25;

/** What switching them would do together, tenant by tenant added up. */
export function BulkImpact({
  application,
  tenants,
  enabled,
}: {
  application: ConsoleApplicationFragment;
  tenants: ReadonlyMap<string, string>;
  enabled: boolean;
}) {
  const ids = [...tenants.keys()].sort();
  const { data, isError } = useQuery({
    queryKey: ['policy', 'preview', 'bulk', ids, enabled],
    queryFn: ({ signal }) => addUp(ids, enabled, signal),
    enabled: ids.length <= previewsMax,
    retry: false,
    staleTime: 0,
  });
  if (ids.length > previewsMax)
    return <p>What it does to users is only counted for up to {previewsMax} tenants at once.</p>;
  if (isError) return <p>What it would do to users can’t be told now.</p>;
  if (!data) return <Lines count={2} />;
  const values = valuesOf(application.mfaPolicy);
  return <Impact preview={data} step={{ before: values, after: values }} scope="application" />;
}

async function addUp(tenantIds: readonly string[], enabled: boolean, signal: AbortSignal): Promise<Preview> {
  const sum: Preview = {
    __typename: 'PolicyChangePreview',
    tenantsAffected: 0,
    tenantsShielded: 0,
    usersToEnroll: 0,
    usersNoLongerChallenged: 0,
    after: null,
  };
  // One after the other: they are dear, and others wait for their turn.
  for (const tenantId of tenantIds) {
    const { previewTenantMfaPolicy: one } = await call(
      ConsolePreviewTenantPolicyDocument,
      { tenantId, enabled },
      signal,
    );
    if (one.__typename !== 'PolicyChangePreview') continue;
    sum.tenantsAffected += one.tenantsAffected;
    sum.usersToEnroll += one.usersToEnroll;
    sum.usersNoLongerChallenged += one.usersNoLongerChallenged;
  }
  return sum;
}
