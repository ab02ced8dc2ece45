import { useEffect } from 'react';
import { isolated } from '../../shared/i18n.ts';
import { leaveFor, originOf } from '../parts/redirect.ts';
import { Screen } from '../parts/screen.tsx';
import { useOpenStep } from '../step-context.ts';
import { useTexts } from '../texts/texts.ts';
import { forgetToken } from '../token.ts';

/**
 * The step is done; the sign-in service finishes it once the browser is back there.
 * @param onNewCode null where no recovery code can have been missed; then the browser leaves by itself
 */
export function Done({ onNewCode }: { onNewCode: (() => void) | null }) {
  const { t } = useTexts();
  const { step } = useOpenStep();
  const { redirectUrl } = step;
  const leaves = redirectUrl !== null && onNewCode === null;
  useEffect(() => {
    if (leaves) leaveFor(redirectUrl);
    // Nobody takes the page away, so the step must not be left to whoever has the tab next.
    else if (onNewCode === null) forgetToken();
  }, [leaves, redirectUrl, onNewCode]);

  const isEnrollment = step.status === 'MFA_ENROLLMENT_REQUIRED';
  return (
    <Screen title={t(isEnrollment ? 'done.titleEnrolled' : 'done.title')}>
      {redirectUrl === null ? (
        <p>{t('done.close', { application: isolated(step.applicationName) })}</p>
      ) : (
        <>
          {leaves && <p>{t('done.leaving', { place: isolated(originOf(redirectUrl)) })}</p>}
          <button type="button" className="primary" onClick={() => leaveFor(redirectUrl)}>
            {t('done.leave', { place: isolated(originOf(redirectUrl)) })}
          </button>
        </>
      )}
      {onNewCode && (
        <div className="otherwise">
          <button type="button" className="link" onClick={onNewCode}>
            {t('done.noCodeSaved')}
          </button>
        </div>
      )}
    </Screen>
  );
}
