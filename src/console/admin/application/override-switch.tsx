import { Button, Switch } from '@mantine/core';
import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import {
  type ConsoleApplicationFragment,
  ConsolePreviewTenantPolicyDocument,
  ConsoleSetTenantOverrideDocument,
  type ConsoleTenantRowFragment,
} from '../../generated/documents.ts';
import { call } from '../api/client.ts';
import { problemOf } from '../api/problem.ts';
import { useWrite } from '../api/use-write.ts';
import { hitsPeople, Impact, type Preview } from '../policy/impact.tsx';
import { valuesOf } from '../policy/values.ts';
import { useAnnounce } from '../shared/announce.tsx';
import { Dialog } from '../shared/dialog.tsx';
import { WriteProblem } from '../shared/loaded.tsx';
import { Notice } from '../shared/notice.tsx';
import styles from '../shared/shared.module.css';

type Asking = { preview: Preview | null } | null;

/** The toggle of one tenant in the table. It asks first where people would notice, or nobody can tell. */
export function OverrideSwitch({
  application,
  tenant,
  mayWrite,
}: {
  application: ConsoleApplicationFragment;
  tenant: ConsoleTenantRowFragment;
  mayWrite: boolean;
}) {
  const client = useQueryClient();
  const announce = useAnnounce();
  const [asking, setAsking] = useState<Asking>(null);
  const [problem, setProblem] = useState<unknown>(null);
  const enabled = !tenant.mfaPolicyOverride.enabled;
  const before = tenant.effectivePolicy;

  const writing = useWrite({
    mutationFn: () =>
      call(ConsoleSetTenantOverrideDocument, {
        input: {
          tenantId: tenant.id,
          enabled,
          expectedVersion: tenant.mfaPolicyOverride.policy?.version ?? 0,
        },
      }),
    async onSuccess({ setTenantMfaPolicyOverride: result }) {
      setAsking(null);
      if (result.__typename === 'TenantPayload')
        announce(`The override of ${tenant.displayName} is ${enabled ? 'on' : 'off'}.`);
      else if (result.__typename === 'VersionConflict')
        setProblem(
          new Error('Somebody else changed this override meanwhile. Look at it again, then switch it.'),
        );
      else setProblem(new Error(result.message));
      await client.invalidateQueries();
    },
    onError(thrown) {
      setAsking(null);
      setProblem(thrown);
    },
  });
  const checking = useWrite({
    mutationFn: () => call(ConsolePreviewTenantPolicyDocument, { tenantId: tenant.id, enabled }),
    onSuccess({ previewTenantMfaPolicy: preview }) {
      if (preview.__typename !== 'PolicyChangePreview') setProblem(new Error(preview.message));
      else if (hitsPeople(preview, stepOf(preview))) setAsking({ preview });
      else writing.mutate();
    },
    onError(thrown) {
      if (problemOf(thrown).kind === 'unavailable') setAsking({ preview: null });
      else setProblem(thrown);
    },
  });
  const stepOf = ({ after }: Preview) => ({
    before,
    after: valuesOf(after ?? { ...before, issuer: before.issuer }),
  });
  const isBusy = checking.isPending || writing.isPending;
  const isIgnored = application.overrideRule === 'NONE';
  return (
    <>
      <Switch
        role="switch"
        aria-label={`Override of ${tenant.displayName}`}
        checked={tenant.mfaPolicyOverride.enabled}
        disabled={!mayWrite}
        label={tenant.mfaPolicyOverride.enabled && isIgnored ? 'Ignored' : undefined}
        aria-busy={isBusy}
        onChange={() => {
          if (!isBusy) checking.mutate();
        }}
      />
      <Dialog
        title={`Switch the override ${enabled ? 'on' : 'off'}?`}
        opened={asking !== null}
        onClose={() => setAsking(null)}
      >
        <div className={styles.dialogBody}>
          <p dir="auto">{tenant.displayName}</p>
          {asking?.preview ? (
            <Impact preview={asking.preview} step={stepOf(asking.preview)} scope="tenant" />
          ) : (
            <Notice tone="warning">What it would do can’t be told now: the server had no answer.</Notice>
          )}
        </div>
        <div className={styles.buttons}>
          <Button variant="default" onClick={() => setAsking(null)} data-autofocus>
            Go back
          </Button>
          <Button loading={writing.isPending} onClick={() => writing.mutate()}>
            Switch {enabled ? 'on' : 'off'}
          </Button>
        </div>
      </Dialog>
      <Dialog title="It was not switched" opened={problem !== null} onClose={() => setProblem(null)}>
        {problem !== null && (
          <Notice tone="danger" live>
            {problem instanceof Error && problem.name === 'Error' ? (
              problem.message
            ) : (
              <WriteProblem thrown={problem} />
            )}
          </Notice>
        )}
      </Dialog>
    </>
  );
}
