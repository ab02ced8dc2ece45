import { type UseQueryResult, useQuery } from '@tanstack/react-query';
import {
  type ConsoleApplicationFragment,
  ConsolePreviewOverridesDocument,
} from '../../generated/documents.ts';
import { call } from '../api/client.ts';
import { Impact, type PreviewResult } from '../policy/impact.tsx';
import { valuesOf } from '../policy/values.ts';
import { Lines } from '../shared/loaded.tsx';
import { Notice } from '../shared/notice.tsx';

/** What switching the overrides of these tenants would do together. @param enabled null: nobody wants to know */
export const useBulkPreview = (
  tenantIds: readonly string[],
  enabled: boolean | null,
): UseQueryResult<PreviewResult> =>
  useQuery({
    queryKey: ['policy', 'preview', 'bulk', [...tenantIds].sort(), enabled],
    queryFn: ({ signal }) =>
      call(
        ConsolePreviewOverridesDocument,
        { tenantIds: [...tenantIds], enabled: enabled === true },
        signal,
      ).then(({ previewTenantMfaPolicyOverrides }) => previewTenantMfaPolicyOverrides),
    enabled: enabled !== null,
    retry: false,
    // What was true when the dialog was last open may not be true now.
    gcTime: 0,
    staleTime: 0,
  });

/** What is known of it so far. */
export function BulkImpact({
  application,
  preview: { data, isError },
}: {
  application: ConsoleApplicationFragment;
  preview: UseQueryResult<PreviewResult>;
}) {
  if (isError)
    return (
      <Notice tone="warning" live>
        What it would do to users can’t be told now: the server had no answer. It may hit people.
      </Notice>
    );
  if (!data) return <Lines count={2} />;
  if (data.__typename !== 'PolicyChangePreview')
    return (
      <Notice tone="danger" live>
        {data.message}
      </Notice>
    );
  const values = valuesOf(application.mfaPolicy);
  return (
    <>
      <Impact preview={data} step={{ before: values, after: values }} scope="application" />
      {data.tenantsAffected > 0 && <p>Users who would first have a grace period are not counted.</p>}
    </>
  );
}
