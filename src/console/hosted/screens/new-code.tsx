import { useState } from 'react';
import type { CodeError } from '../parts/code-error.tsx';
import { CodeField } from '../parts/code-field.tsx';
import { Screen } from '../parts/screen.tsx';
import { useOpenStep } from '../step-context.ts';
import { useTexts } from '../texts/texts.ts';

/** A new recovery code for who did not save the first: the authenticator proves who asks. */
export function NewCode({ onNewCode, onBack }: { onNewCode(recoveryCode: string): void; onBack(): void }) {
  const { t } = useTexts();
  const { api, read, fail, end } = useOpenStep();
  const [isBusy, setBusy] = useState(false);
  const [error, setError] = useState<CodeError | null>(null);

  async function ask(code: string) {
    setBusy(true);
    try {
      const result = await api.newRecoveryCode(code);
      if (result.__typename === 'RecoveryCodeEnrollment') return onNewCode(result.recoveryCode);
      if (result.__typename === 'InvalidMfaToken') return end();
      if (result.__typename === 'TooManyAttempts') setError({ kind: 'waiting', retryAt: result.retryAt });
      else if (result.__typename === 'InvalidCode') {
        setError({ kind: 'wrong', left: result.attemptsRemaining });
      } else return read();
      setBusy(false);
    } catch (lost) {
      fail(lost);
    }
  }

  return (
    <Screen title={t('newCode.title')} focusesTitle={false}>
      <p>{t('newCode.why')}</p>
      <CodeField submit={t('newCode.submit')} error={error} isBusy={isBusy} onCode={ask} />
      <div className="otherwise">
        <button type="button" className="link" onClick={onBack}>
          {t('newCode.back')}
        </button>
      </div>
    </Screen>
  );
}
