import { useCallback, useEffect, useRef, useState } from 'react';
import { isolated } from '../../shared/i18n.ts';
import type { Enrollment } from '../api.ts';
import type { CodeError } from '../parts/code-error.tsx';
import { CodeField } from '../parts/code-field.tsx';
import { CopyButton } from '../parts/copy-button.tsx';
import { Screen } from '../parts/screen.tsx';
import { useOpenStep } from '../step-context.ts';
import { useTexts } from '../texts/texts.ts';

/**
 * Sets an authenticator up: scan, then confirm with a code.
 * @param isAnew in the place of one that was lost
 * @param onEnrolled with the recovery code, where there is one
 */
export function Enroll({
  isAnew,
  onEnrolled,
}: {
  isAnew: boolean;
  onEnrolled(recoveryCode: string | null): void;
}) {
  const { t } = useTexts();
  const { api, step, wasLost, read, fail, end } = useOpenStep();
  const [enrollment, setEnrollment] = useState<Enrollment | null>(null);
  const [isBegunAnew, setBegunAnew] = useState(false);
  const [isBusy, setBusy] = useState(false);
  const [error, setError] = useState<CodeError | null>(wasLost ? { kind: 'lost' } : null);
  const inRow = useRef(0);

  const begin = useCallback(async () => {
    try {
      const result = await api.enroll();
      if (result.__typename === 'TotpEnrollment') setEnrollment(result);
      else if (result.__typename === 'InvalidMfaToken') end();
      else if (result.__typename === 'FactorNotAllowed') read();
      else fail(new Error(result.code));
    } catch (lost) {
      fail(lost);
    }
  }, [api, end, read, fail]);
  useEffect(() => void begin(), [begin]);

  async function confirm(code: string) {
    setBusy(true);
    try {
      const result = await api.verifyTotp(code);
      if (result.__typename === 'FactorVerified') onEnrolled(result.recoveryCode);
      else if (result.__typename === 'InvalidMfaToken') end();
      else if (result.__typename === 'FactorNotAllowed') read();
      else if (result.__typename === 'TooManyAttempts')
        setError({ kind: 'waiting', retryAt: result.retryAt });
      else if (result.attemptsRemaining > 0) {
        inRow.current += 1;
        setError({ kind: 'wrong', left: result.attemptsRemaining, isPending: true, inRow: inRow.current });
      } else {
        // What was begun is gone with its last attempt.
        inRow.current = 0;
        setEnrollment(null);
        setError(null);
        setBegunAnew(true);
        await begin();
      }
    } catch (lost) {
      fail(lost);
    } finally {
      setBusy(false);
    }
  }

  return (
    <Screen title={t(isAnew ? 'enroll.titleAnew' : 'enroll.title')}>
      <p>{isAnew ? t('enroll.whyAnew') : t('enroll.why', { application: isolated(step.applicationName) })}</p>
      {isBegunAnew && (
        <p className="error" role="alert">
          {t('enroll.begunAnew')}
        </p>
      )}
      <ol className="steps">
        <li>
          <h2>{t('enroll.scan')}</h2>
          <p className="hint">{t('enroll.scanHint')}</p>
          {enrollment ? <Scan enrollment={enrollment} /> : <div className="qr skeleton" aria-hidden="true" />}
        </li>
        <li>
          <h2>{t('enroll.enterCode')}</h2>
          <CodeField
            key={String(isBegunAnew)}
            submit={t('enroll.confirm')}
            error={error}
            isBusy={isBusy || enrollment === null}
            onCode={confirm}
            isTitled
          />
        </li>
      </ol>
    </Screen>
  );
}

function Scan({ enrollment: { qrCode, otpauthUri, secret } }: { enrollment: Enrollment }) {
  const { t } = useTexts();
  const { step } = useOpenStep();
  return (
    <>
      <img className="qr" src={qrCode} alt={t('enroll.qrCode')} width={200} height={200} />
      <p className="hint">{t('enroll.entry', { issuer: isolated(step.effectivePolicy.issuer) })}</p>
      <a className="secondary open-app" href={otpauthUri}>
        {t('enroll.openApp')}
      </a>
      <details>
        <summary>{t('enroll.cannotScan')}</summary>
        <p>{t('enroll.enterKey', { account: isolated(step.accountName) })}</p>
        <p className="secret">
          <span className="unseen">{t('enroll.key')}: </span>
          <code>{(secret.match(/.{1,4}/g) ?? []).join(' ')}</code>
        </p>
        <CopyButton text={secret} what={t('enroll.key')} />
      </details>
    </>
  );
}
