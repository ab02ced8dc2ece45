import { useEffect, useId, useState } from 'react';
import type { Step } from '../api.ts';
import { CopyButton } from '../parts/copy-button.tsx';
import { Screen } from '../parts/screen.tsx';
import { useTexts } from '../texts/texts.ts';

/** Shows a recovery code, this once, until it is saved. */
export function RecoveryCode({ code, step, onSaved }: { code: string; step: Step; onSaved(): void }) {
  const { t } = useTexts();
  const [isSaved, setSaved] = useState(false);
  const [isAsked, setAsked] = useState(false);
  const id = useId();

  // The browser asks before it leaves; nobody can show the code again.
  useEffect(() => {
    const onLeave = (event: BeforeUnloadEvent) => event.preventDefault();
    addEventListener('beforeunload', onLeave);
    return () => removeEventListener('beforeunload', onLeave);
  }, []);

  function download() {
    const text = t('recoveryCode.fileText', {
      code,
      account: step.accountName,
      issuer: step.effectivePolicy.issuer,
    });
    const url = URL.createObjectURL(new Blob([text], { type: 'text/plain;charset=utf-8' }));
    const link = document.createElement('a');
    link.href = url;
    link.download = t('recoveryCode.file');
    link.click();
    URL.revokeObjectURL(url);
  }

  return (
    <Screen title={t('recoveryCode.title')}>
      <p>{t('recoveryCode.why')}</p>
      <p className="secret large">
        <span className="unseen">{t('recoveryCode.label')}: </span>
        <code>{code}</code>
      </p>
      <div className="buttons">
        <CopyButton text={code} what={t('recoveryCode.label')} />
        <button type="button" className="secondary" onClick={download}>
          {t('recoveryCode.download')}
        </button>
      </div>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (isSaved) onSaved();
          else setAsked(true);
        }}
      >
        <label className="check" htmlFor={id}>
          <input
            id={id}
            type="checkbox"
            checked={isSaved}
            onChange={({ target }) => {
              setSaved(target.checked);
              setAsked(false);
            }}
            aria-invalid={isAsked || undefined}
            aria-describedby={`${id}-error`}
          />
          {t('recoveryCode.saved')}
        </label>
        <div id={`${id}-error`}>
          {isAsked && (
            <p className="error" role="alert">
              {t('recoveryCode.notSaved')}
            </p>
          )}
        </div>
        <button type="submit" className="primary">
          {t('recoveryCode.goOn')}
        </button>
      </form>
    </Screen>
  );
}
