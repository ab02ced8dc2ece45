import { useQueryClient } from '@tanstack/react-query';
import {
  type ConsoleApplicationFragment,
  ConsolePreviewApplicationPolicyDocument,
  ConsoleUpdateApplicationPolicyDocument,
} from '../../generated/documents.ts';
import { call } from '../api/client.ts';
import { applicationQuery } from '../api/queries.ts';
import { Conflict } from '../policy/conflict.tsx';
import { changedParts, type Part, type Stored } from '../policy/draft.ts';
import { hintsFor, isFine } from '../policy/hints.ts';
import { PolicyFields } from '../policy/policy-fields.tsx';
import { SaveBar } from '../policy/save-bar.tsx';
import { usePolicyDraft } from '../policy/use-policy-draft.ts';
import { type Outcome, useSave } from '../policy/use-save.ts';
import { inputOf, type Setting, valuesOf } from '../policy/values.ts';
import { Card } from '../shared/card.tsx';
import { Moment } from '../shared/moment.tsx';

const storedOf = ({ mfaPolicy }: ConsoleApplicationFragment): Stored => ({
  values: valuesOf(mfaPolicy),
  enabled: true,
  version: mfaPolicy.version,
});

const settingsIn = (parts: readonly Part[]): Setting[] => parts.filter((part) => part !== 'enabled');

/** The application's own policy. */
export function ApplicationPolicy({
  application,
  mayWrite,
}: {
  application: ConsoleApplicationFragment;
  mayWrite: boolean;
}) {
  const client = useQueryClient();
  const hand = usePolicyDraft(`application.${application.id}`, storedOf(application));
  const { draft, changes } = hand;
  const parts = changedParts(draft);
  const policy = inputOf(draft.values, settingsIn(parts));
  const hints = hintsFor(draft.values);
  const step = { before: draft.base.values, after: draft.values };
  const saving = useSave({
    key: ['application', application.id, policy],
    values: draft.values,
    parts,
    step,
    isFine: isFine(hints),
    preview: (signal) =>
      call(ConsolePreviewApplicationPolicyDocument, { applicationId: application.id, policy }, signal).then(
        ({ previewApplicationMfaPolicy }) => previewApplicationMfaPolicy,
      ),
    write: () => write(application.id, policy, draft.base.version),
    reread: () => client.refetchQueries({ queryKey: applicationQuery(application.id).queryKey }),
    settle: hand.settle,
    saidWhenSaved: 'The application’s policy is saved.',
  });
  return (
    <Card
      title="MFA policy"
      lead={
        <>
          Last changed <Moment at={application.mfaPolicy.updatedAt} withDistance /> · version{' '}
          {application.mfaPolicy.version}
        </>
      }
      flush
    >
      <Conflict changes={changes} draft={draft} onTake={hand.take} onClose={hand.putChangesAway} />
      <PolicyFields
        values={draft.values}
        onChange={mayWrite ? hand.edit : undefined}
        errors={{ ...saving.errors, ...hints }}
        issuerDefault={application.displayName}
      />
      <SaveBar
        saving={saving}
        step={step}
        scope="application"
        isDirty={mayWrite && parts.length > 0}
        isFine={isFine(hints)}
        onDiscard={hand.discard}
      />
    </Card>
  );
}

async function write(
  applicationId: string,
  policy: ReturnType<typeof inputOf>,
  expectedVersion: number,
): Promise<Outcome> {
  const { updateApplicationMfaPolicy: result } = await call(ConsoleUpdateApplicationPolicyDocument, {
    input: { applicationId, policy, expectedVersion },
  });
  switch (result.__typename) {
    case 'ApplicationPayload':
      return { kind: 'saved', stored: storedOf(result.application) };
    case 'VersionConflict':
      return { kind: 'conflict' };
    case 'NotFound':
      return { kind: 'missing', message: result.message };
    case 'InvalidInput':
    case 'InvalidPolicy':
      return { kind: 'refused', field: result.field, message: result.message };
  }
}
