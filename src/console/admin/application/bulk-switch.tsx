import { Button } from '@mantine/core';
import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { bulkTenantsMax } from '../../../shared/limits.ts';
import {
  type ConsoleApplicationFragment,
  ConsoleSwitchOverridesDocument,
} from '../../generated/documents.ts';
import { call } from '../api/client.ts';
import { useWrite } from '../api/use-write.ts';
import type { PreviewResult } from '../policy/impact.tsx';
import { useAnnounce } from '../shared/announce.tsx';
import { Dialog } from '../shared/dialog.tsx';
import { WriteProblem } from '../shared/loaded.tsx';
import { Notice } from '../shared/notice.tsx';
import styles from '../shared/shared.module.css';
import { BulkImpact, useBulkPreview } from './bulk-impact.tsx';

/** The switch would be refused for the same reason. */
const isRefusal = ({ __typename }: PreviewResult): boolean => __typename !== 'PolicyChangePreview';

/** The override toggle of all that are selected, also on other pages: all of them, or none. */
export function BulkSwitch({
  application,
  tenants,
  onDone,
}: {
  application: ConsoleApplicationFragment;
  /** Names by id. */
  tenants: ReadonlyMap<string, string>;
  onDone: () => void;
}) {
  const client = useQueryClient();
  const announce = useAnnounce();
  const [enabled, setEnabled] = useState<boolean | null>(null);
  const tenantIds = [...tenants.keys()];
  const preview = useBulkPreview(tenantIds, enabled);
  const count = tenantIds.length === 1 ? '1 tenant' : `${tenantIds.length} tenants`;
  const writing = useWrite({
    mutationFn: (on: boolean) =>
      call(ConsoleSwitchOverridesDocument, { input: { tenantIds, enabled: on } }).then(
        ({ setTenantMfaPolicyOverrides }) => setTenantMfaPolicyOverrides,
      ),
    async onSuccess(result, on) {
      if (result.__typename !== 'TenantsPayload') return;
      setEnabled(null);
      onDone();
      announce(`The override of ${count} is ${on ? 'on' : 'off'}.`);
      await client.invalidateQueries();
    },
  });
  const refused = writing.data !== undefined && writing.data.__typename !== 'TenantsPayload' && writing.data;
  const close = () => {
    if (writing.isPending) return;
    setEnabled(null);
    writing.reset();
  };
  const isTooMany = tenantIds.length > bulkTenantsMax;
  return (
    <div className={styles.inlineForm}>
      <span role="status">{count} selected</span>
      <Button variant="default" disabled={isTooMany} onClick={() => setEnabled(true)}>
        Switch overrides on
      </Button>
      <Button variant="default" disabled={isTooMany} onClick={() => setEnabled(false)}>
        Switch overrides off
      </Button>
      <Button variant="subtle" onClick={onDone}>
        Clear selection
      </Button>
      {isTooMany && <span>At most {bulkTenantsMax.toLocaleString('en')} at once.</span>}
      <Dialog
        title={`Switch the override of ${count} ${enabled ? 'on' : 'off'}?`}
        opened={enabled !== null}
        onClose={close}
      >
        {enabled !== null && (
          <div className={styles.dialogBody}>
            <p>
              {enabled
                ? 'Each tenant’s own values apply. One without values starts with a copy of the application’s policy.'
                : `The policy of the application applies to each of them. Their values are kept for the next time.`}{' '}
              All are switched, or none.
            </p>
            <BulkImpact application={application} preview={preview} />
            {(writing.isError || refused) && (
              <Notice tone="danger" live>
                {refused ? refused.message : <WriteProblem thrown={writing.error} />}
              </Notice>
            )}
            <div className={styles.buttons}>
              <Button variant="default" onClick={close} data-autofocus>
                Go back
              </Button>
              <Button
                loading={writing.isPending}
                disabled={preview.isFetching || (preview.isSuccess && isRefusal(preview.data))}
                onClick={() => writing.mutate(enabled)}
              >
                Switch {enabled ? 'on' : 'off'}
                {preview.isError && ' without knowing'}
              </Button>
            </div>
          </div>
        )}
      </Dialog>
    </div>
  );
}
