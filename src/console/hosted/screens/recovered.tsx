import { useState } from 'react';
import { Screen } from '../parts/screen.tsx';
import { useOpenStep } from '../step-context.ts';
import { useTexts } from '../texts/texts.ts';

/** After a recovery code: it is used up, and this step may enroll anew or take a new one. */
export function Recovered({
  onEnroll,
  onNewCode,
  onGoOn,
}: {
  onEnroll(): void;
  onNewCode(recoveryCode: string): void;
  onGoOn(): void;
}) {
  const { t } = useTexts();
  const { api, read, fail, end } = useOpenStep();
  const [isBusy, setBusy] = useState(false);

  async function newCode() {
    if (isBusy) return;
    setBusy(true);
    try {
      const result = await api.newRecoveryCode();
      if (result.__typename === 'RecoveryCodeEnrollment') onNewCode(result.recoveryCode);
      else if (result.__typename === 'InvalidMfaToken') end();
      else read();
    } catch (lost) {
      fail(lost);
    }
  }

  return (
    <Screen title={t('recovered.title')}>
      <p>{t('recovered.why')}</p>
      <div className="choices">
        <button type="button" className="choice" onClick={onEnroll} aria-disabled={isBusy || undefined}>
          <strong>{t('recovered.enroll')}</strong>
          <span>{t('recovered.enrollHint')}</span>
        </button>
        <button type="button" className="choice" onClick={newCode} aria-disabled={isBusy || undefined}>
          <strong>{isBusy ? t('loading') : t('recovered.newCode')}</strong>
          <span>{t('recovered.newCodeHint')}</span>
        </button>
      </div>
      <div className="otherwise">
        <button type="button" className="link" onClick={onGoOn}>
          {t('recovered.goOn')}
        </button>
      </div>
    </Screen>
  );
}
