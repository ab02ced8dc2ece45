import { Button } from '@mantine/core';
import { Dialog } from '../shared/dialog.tsx';
import { WriteProblem } from '../shared/loaded.tsx';
import { Notice } from '../shared/notice.tsx';
import shared from '../shared/shared.module.css';
import { Impact, type Step } from './impact.tsx';
import styles from './policy.module.css';
import { Refused, type Saving } from './use-save.ts';

/** Shown as soon as something is changed: what it would do, and the way to do it or not. */
export function SaveBar({
  saving,
  step,
  scope,
  isDirty,
  isFine,
  onDiscard,
}: {
  saving: Saving;
  step: Step;
  scope: 'application' | 'tenant';
  isDirty: boolean;
  isFine: boolean;
  onDiscard: () => void;
}) {
  return (
    <>
      {isDirty && (
        <div className={styles.bar}>
          <div className={styles.barText} role="status">
            {saving.general !== null ? (
              <Notice tone="danger" live>
                {saving.general instanceof Refused ? (
                  saving.general.message
                ) : (
                  <WriteProblem thrown={saving.general} />
                )}
              </Notice>
            ) : !isFine ? (
              'Not saved yet. Something has to be corrected first.'
            ) : saving.preview ? (
              <Impact preview={saving.preview} step={step} scope={scope} />
            ) : saving.isPreviewing ? (
              'Not saved yet. Looking at what it would do…'
            ) : (
              'Not saved yet.'
            )}
          </div>
          <div className={styles.barButtons}>
            <Button variant="default" disabled={saving.isBusy} onClick={onDiscard}>
              Discard
            </Button>
            <Button loading={saving.isBusy} disabled={!isFine} onClick={() => saving.save()}>
              Save changes
            </Button>
          </div>
        </div>
      )}
      <Dialog title="Save this change?" opened={saving.asking !== null} onClose={() => saving.cancel()}>
        {saving.asking !== null && (
          <div className={shared.dialogBody}>
            {saving.asking === 'unknown' ? (
              <Notice tone="warning">
                What the change would do can’t be told now: the server had no answer. It may hit people.
              </Notice>
            ) : (
              <>
                <p>It takes effect at once, with the next sign-in of each user:</p>
                <Impact preview={saving.asking} step={step} scope={scope} />
              </>
            )}
            <div className={shared.buttons}>
              <Button variant="default" onClick={() => saving.cancel()} data-autofocus>
                Go back
              </Button>
              <Button loading={saving.isBusy} onClick={() => saving.confirm()}>
                Save and apply
              </Button>
            </div>
          </div>
        )}
      </Dialog>
    </>
  );
}
