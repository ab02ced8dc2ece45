import { useRef, useState } from 'react';
import { isolated } from '../../shared/i18n.ts';
import type { CodeError } from '../parts/code-error.tsx';
import { CodeField } from '../parts/code-field.tsx';
import { Screen } from '../parts/screen.tsx';
import { useOpenStep } from '../step-context.ts';
import { useTexts } from '../texts/texts.ts';

/** Asks for a code of the authenticator. */
export function Challenge({ onRecovery }: { onRecovery(): void }) {
  const { t } = useTexts();
  const { api, step, wasLost, read, fail, end } = useOpenStep();
  const [isBusy, setBusy] = useState(false);
  const [ownError, setError] = useState<CodeError | null>(wasLost ? { kind: 'lost' } : null);
  const inRow = useRef(0);
  // A wait that was running before this page was opened.
  const [waitAtFirst] = useState<CodeError | null>(
    step.totpRetryAt ? { kind: 'waiting', retryAt: step.totpRetryAt } : null,
  );
  const error = ownError ?? waitAtFirst;

  async function verify(code: string) {
    setBusy(true);
    try {
      const result = await api.verifyTotp(code);
      if (result.__typename === 'FactorVerified') read();
      else if (result.__typename === 'InvalidMfaToken') end();
      else if (result.__typename === 'FactorNotAllowed') read();
      else if (result.__typename === 'TooManyAttempts')
        setError({ kind: 'waiting', retryAt: result.retryAt });
      else {
        inRow.current += 1;
        // With the last free one a wait begins, or the authenticator is locked; the step tells which.
        if (result.attemptsRemaining === 0) return read();
        setError({ kind: 'wrong', left: result.attemptsRemaining, inRow: inRow.current });
      }
      setBusy(false);
    } catch (lost) {
      fail(lost);
    }
  }

  return (
    <Screen title={t('challenge.title')} focusesTitle={false}>
      <p>{t('challenge.why', { issuer: isolated(step.effectivePolicy.issuer) })}</p>
      <CodeField submit={t('challenge.verify')} error={error} isBusy={isBusy} onCode={verify} />
      <div className="otherwise">
        {step.challengeWith.includes('RECOVERY_CODE') ? (
          <button type="button" className="link" onClick={onRecovery}>
            {t('challenge.useRecoveryCode')}
          </button>
        ) : (
          <details>
            <summary>{t('challenge.lost')}</summary>
            <p>{t('challenge.noRecoveryCode', { application: isolated(step.applicationName) })}</p>
          </details>
        )}
      </div>
    </Screen>
  );
}
