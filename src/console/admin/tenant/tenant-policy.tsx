import { useQueryClient } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import {
  ConsolePreviewTenantPolicyDocument,
  ConsoleSetTenantOverrideDocument,
  type ConsoleTenantFragment,
  type MfaPolicyInput,
} from '../../generated/documents.ts';
import { call } from '../api/client.ts';
import { tenantQuery } from '../api/queries.ts';
import { Conflict } from '../policy/conflict.tsx';
import { changedParts, type Draft, type Part, type Stored } from '../policy/draft.ts';
import { FeltCard } from '../policy/felt-card.tsx';
import { hintsFor, isFine, weakerThan } from '../policy/hints.ts';
import policyStyles from '../policy/policy.module.css';
import { SaveBar } from '../policy/save-bar.tsx';
import { usePolicyDraft } from '../policy/use-policy-draft.ts';
import { type Outcome, useSave } from '../policy/use-save.ts';
import { inputOf, valuesOf } from '../policy/values.ts';
import { Card } from '../shared/card.tsx';
import { Moment } from '../shared/moment.tsx';
import { OverrideToggle } from './override-toggle.tsx';
import { TenantFields } from './tenant-fields.tsx';

/** Until a tenant has values of its own, an override starts from the application's. */
const storedOf = ({ application, mfaPolicyOverride }: ConsoleTenantFragment): Stored => ({
  values: valuesOf(mfaPolicyOverride.policy ?? application.mfaPolicy),
  enabled: mfaPolicyOverride.enabled,
  version: mfaPolicyOverride.policy?.version ?? 0,
});

/** What saving would change: values that were typed behind a toggle that is off again are not meant. */
const partsOf = (draft: Draft): Part[] =>
  changedParts(draft).filter((part) => draft.enabled || part === 'enabled');

/** A tenant's override as it is being changed, with what users would feel of it beside it. */
export function TenantPolicy({
  tenant,
  mayWrite,
  beside,
}: {
  tenant: ConsoleTenantFragment;
  mayWrite: boolean;
  beside: ReactNode;
}) {
  const client = useQueryClient();
  const { application } = tenant;
  const hand = usePolicyDraft(`tenant.${tenant.id}`, storedOf(tenant));
  const { draft, changes } = hand;
  const applications = valuesOf(application.mfaPolicy);
  const parts = partsOf(draft);
  const settings = parts.filter((part) => part !== 'enabled');
  const policy = settings.length > 0 ? inputOf(draft.values, settings) : null;
  const hints = draft.enabled
    ? {
        ...(policy && weakerThan(draft.values, applications, application.overrideRule)),
        ...hintsFor(draft.values),
      }
    : {};
  const step = {
    before: tenant.effectivePolicy,
    after: draft.enabled && application.overrideRule !== 'NONE' ? draft.values : applications,
  };
  const saving = useSave({
    key: ['tenant', tenant.id, draft.enabled, policy],
    values: draft.values,
    parts,
    step,
    isFine: isFine(hints),
    preview: (signal) =>
      call(
        ConsolePreviewTenantPolicyDocument,
        { tenantId: tenant.id, enabled: draft.enabled, policy },
        signal,
      ).then(({ previewTenantMfaPolicy }) => previewTenantMfaPolicy),
    write: () => write(tenant.id, draft, policy),
    reread: () => client.refetchQueries({ queryKey: tenantQuery(tenant.id).queryKey }),
    settle: hand.settle,
    saidWhenSaved: `The override of ${tenant.displayName} is saved.`,
  });
  const isDirty = mayWrite && parts.length > 0;
  const kept = tenant.mfaPolicyOverride.policy;
  return (
    <div className={policyStyles.columns}>
      <Card
        title="MFA policy"
        lead={
          kept ? (
            <>
              Override last changed <Moment at={kept.updatedAt} withDistance /> · version {kept.version}
            </>
          ) : (
            'This tenant has never had an override.'
          )
        }
        flush
      >
        <Conflict changes={changes} draft={draft} onTake={hand.take} onClose={hand.putChangesAway} />
        <OverrideToggle
          enabled={draft.enabled}
          rule={application.overrideRule}
          hasValues={kept !== null}
          onToggle={mayWrite ? hand.toggle : undefined}
        />
        <TenantFields
          draft={draft}
          application={application}
          effective={tenant.effectivePolicy}
          isDirty={isDirty}
          errors={{ ...saving.errors, ...hints }}
          onChange={mayWrite ? hand.edit : undefined}
        />
        <SaveBar
          saving={saving}
          step={step}
          scope="tenant"
          isDirty={isDirty}
          isFine={isFine(hints)}
          onDiscard={hand.discard}
        />
      </Card>
      <div className={policyStyles.side}>
        <FeltCard now={tenant.effectivePolicy} after={isDirty ? (saving.preview?.after ?? null) : null} />
        {beside}
      </div>
    </div>
  );
}

async function write(tenantId: string, draft: Draft, policy: MfaPolicyInput | null): Promise<Outcome> {
  const { setTenantMfaPolicyOverride: result } = await call(ConsoleSetTenantOverrideDocument, {
    input: { tenantId, enabled: draft.enabled, policy, expectedVersion: draft.base.version },
  });
  switch (result.__typename) {
    case 'TenantPayload':
      return { kind: 'saved', stored: storedOf(result.tenant) };
    case 'VersionConflict':
      return { kind: 'conflict' };
    case 'NotFound':
      return { kind: 'missing', message: result.message };
    case 'InvalidInput':
    case 'InvalidPolicy':
      return { kind: 'refused', field: result.field, message: result.message };
  }
}
