import { type FormEvent, useEffect, useId, useRef, useState } from 'react';
import { type CodeError, ErrorLine, useWait } from '../parts/code-error.tsx';
import { Screen } from '../parts/screen.tsx';
import { useOpenStep } from '../step-context.ts';
import { useTexts } from '../texts/texts.ts';

/**
 * Asks for the recovery code, in place of the authenticator's.
 * @param onBack null where the authenticator can't be used
 */
export function Recovery({ onBack }: { onBack: (() => void) | null }) {
  const { t } = useTexts();
  const { api, step, wasLost, read, fail, end } = useOpenStep();
  const [code, setCode] = useState('');
  const [isMissing, setMissing] = useState(false);
  const [isBusy, setBusy] = useState(false);
  const [ownError, setError] = useState<CodeError | null>(wasLost ? { kind: 'lost' } : null);
  const [waitAtFirst] = useState<CodeError | null>(
    step.recoveryCodeRetryAt ? { kind: 'waiting', retryAt: step.recoveryCodeRetryAt } : null,
  );
  const error = ownError ?? waitAtFirst;
  const wait = useWait(error);
  const field = useRef<HTMLInputElement>(null);
  const id = useId();
  useEffect(() => field.current?.focus(), []);

  async function submit(event: FormEvent) {
    event.preventDefault();
    if (isBusy || wait.isWaiting) return;
    setMissing(code.trim() === '');
    field.current?.focus();
    if (code.trim() === '') return;
    setBusy(true);
    try {
      const result = await api.verifyRecoveryCode(code);
      if (result.__typename === 'FactorVerified' || result.__typename === 'FactorNotAllowed') return read();
      if (result.__typename === 'InvalidMfaToken') return end();
      if (result.__typename === 'TooManyAttempts') setError({ kind: 'waiting', retryAt: result.retryAt });
      else if (result.attemptsRemaining === 0) return read();
      else setError({ kind: 'wrong', left: result.attemptsRemaining });
      setBusy(false);
    } catch (lost) {
      fail(lost);
    }
  }

  const isHeld = isBusy || wait.isWaiting;
  return (
    <Screen title={t('recovery.title')} focusesTitle={false}>
      <p>{t(onBack === null ? 'recovery.locked' : 'recovery.why')}</p>
      <form className="code" onSubmit={submit} noValidate>
        <label htmlFor={id}>{t('recovery.label')}</label>
        <input
          ref={field}
          id={id}
          className="recovery"
          value={code}
          onChange={({ target }) => setCode(target.value)}
          autoComplete="off"
          autoCapitalize="characters"
          autoCorrect="off"
          spellCheck={false}
          readOnly={isHeld}
          aria-invalid={isMissing || (error !== null && !wait.isOver) || undefined}
          aria-describedby={`${id}-hint ${id}-error`}
        />
        <p id={`${id}-hint`} className="hint">
          {t('recovery.hint')}
        </p>
        <div id={`${id}-error`}>
          {isMissing ? (
            <p className="error" role="alert">
              {t('recovery.missing')}
            </p>
          ) : (
            <ErrorLine error={error} wait={wait} wrong={t('recovery.wrong')} />
          )}
        </div>
        <button type="submit" className="primary" aria-disabled={isHeld || undefined}>
          {isBusy ? t('verifying') : t('recovery.verify')}
        </button>
      </form>
      {onBack && (
        <div className="otherwise">
          <button type="button" className="link" onClick={onBack}>
            {t('recovery.back')}
          </button>
        </div>
      )}
    </Screen>
  );
}
