import { isolated } from '../../shared/i18n.ts';
import type { Step } from '../api.ts';
import { leaveFor, originOf } from '../parts/redirect.ts';
import { Screen } from '../parts/screen.tsx';
import { useSecondsUntil } from '../parts/use-seconds-until.ts';
import { useTexts } from '../texts/texts.ts';

/* Screens on which nothing of the step can be done. */

/** A way back where the sign-in named one. */
function Back({ step }: { step: Step | null }) {
  const { t } = useTexts();
  const url = step?.redirectUrl;
  if (!url) return null;
  return (
    <button type="button" className="primary" onClick={() => leaveFor(url)}>
      {t('done.leave', { place: isolated(originOf(url)) })}
    </button>
  );
}

/** @param step as it was, where the page has seen it open */
export function Over({ step, hasToken }: { step: Step | null; hasToken: boolean }) {
  const { t } = useTexts();
  return (
    <Screen title={t('over.title')}>
      <p>{t(hasToken ? 'over.why' : 'over.whyNone')}</p>
      <p>{t('over.next')}</p>
      <Back step={step} />
    </Screen>
  );
}

export function Suspended({ step }: { step: Step }) {
  const { t } = useTexts();
  return (
    <Screen title={t('suspended.title')}>
      <p>{t('suspended.why', { tenant: isolated(step.tenant.displayName) })}</p>
      <p>{t('suspended.next')}</p>
      <Back step={step} />
    </Screen>
  );
}

export function Blocked({ step }: { step: Step }) {
  const { t } = useTexts();
  return (
    <Screen title={t('blocked.title')}>
      <p>{t('blocked.why')}</p>
      <p>{t('blocked.next', { application: isolated(step.applicationName) })}</p>
      <Back step={step} />
    </Screen>
  );
}

const pageTime = (): number => performance.now();

/** @param againAt when the page tries again, on the clock of performance.now(); null while it does */
export function Unreachable({ againAt, onTry }: { againAt: number | null; onTry(): void }) {
  const { t } = useTexts();
  const seconds = useSecondsUntil(againAt, pageTime);
  return (
    <Screen title={t('unreachable.title')}>
      <p role="status">{t('unreachable.why')}</p>
      <p className="hint" aria-hidden="true">
        {againAt === null || seconds === 0
          ? t('unreachable.trying')
          : t('unreachable.next', { count: seconds })}
      </p>
      <button type="button" className="primary" onClick={onTry} aria-disabled={againAt === null || undefined}>
        {t('unreachable.tryNow')}
      </button>
    </Screen>
  );
}

export function Failed({
  step,
  requestId,
  onTry,
}: {
  step: Step | null;
  requestId: string | null;
  onTry(): void;
}) {
  const { t } = useTexts();
  return (
    <Screen title={t('failed.title')}>
      <p>{step ? t('failed.why', { application: isolated(step.applicationName) }) : t('failed.whyPlain')}</p>
      {requestId && <p className="hint">{t('failed.id', { id: requestId })}</p>}
      <button type="button" className="primary" onClick={onTry}>
        {t('failed.tryAgain')}
      </button>
    </Screen>
  );
}

/** While the step is read for the first time, in the shape of what comes. */
export function Loading() {
  const { t } = useTexts();
  return (
    <div aria-busy="true">
      <h1 className="unseen">{t('loading')}</h1>
      <div className="skeleton title" />
      <div className="skeleton line" />
      <div className="skeleton field" />
      <div className="skeleton button" />
    </div>
  );
}
