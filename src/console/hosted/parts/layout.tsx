import { type MouseEvent, type ReactNode, useEffect, useState } from 'react';
import { isolated } from '../../shared/i18n.ts';
import { onThisClock, type Step, serverNow } from '../api.ts';
import { choose, languageNames, useTexts } from '../texts/texts.ts';
import { leaveFor, originOf } from './redirect.ts';

/** Around every screen: who asks, for whom, until when, and in which language. */
export function Layout({
  step,
  isDone,
  children,
}: {
  step: Step | null;
  isDone: boolean;
  children: ReactNode;
}) {
  const { t, language } = useTexts();
  return (
    <div className="page">
      <header>
        {step && (
          <>
            <p className="application">
              <span className="mark" aria-hidden="true">
                {[...step.applicationName][0]?.toUpperCase()}
              </span>
              <bdi>{step.applicationName}</bdi>
            </p>
            <p className="account">
              <span className="unseen">{t('yourAccount')}: </span>
              <bdi>{step.accountName}</bdi>
              {step.tenant.displayName !== step.applicationName && (
                <>
                  {' · '}
                  <bdi>{step.tenant.displayName}</bdi>
                </>
              )}
            </p>
          </>
        )}
      </header>
      <main>{children}</main>
      <footer>
        {step && !isDone && <Deadline expiresAt={step.expiresAt} />}
        {step && !isDone && step.redirectUrl && (
          <p>
            <a href={step.redirectUrl} rel="noreferrer" onClick={leave}>
              {t('cancel', { place: isolated(originOf(step.redirectUrl)) })}
            </a>
          </p>
        )}
        <nav aria-label={t('languages')}>
          {languageNames.map(({ tag, name }) => (
            <button
              key={tag}
              type="button"
              lang={tag}
              className="language"
              aria-pressed={tag === language}
              onClick={() => choose(tag)}
            >
              {name}
            </button>
          ))}
        </nav>
      </footer>
    </div>
  );
}

/** The token's end, said at the start and once more a minute before. */
function Deadline({ expiresAt }: { expiresAt: string }) {
  const { t, language } = useTexts();
  const [isClose, setClose] = useState(false);
  useEffect(() => {
    setClose(false);
    const timer = setTimeout(() => setClose(true), Date.parse(expiresAt) - serverNow() - 60_000);
    return () => clearTimeout(timer);
  }, [expiresAt]);
  // As the reader's country writes it, where the browser says which.
  const locale = navigator.languages.find((tag) => tag.startsWith(language)) ?? language;
  const time = onThisClock(expiresAt).toLocaleTimeString(locale, { hour: '2-digit', minute: '2-digit' });
  return (
    <>
      <p>{t('until', { time })}</p>
      <p className={isClose ? '' : 'unseen'} role="status">
        {isClose ? t('oneMinuteLeft') : ''}
      </p>
    </>
  );
}

/** A link alone would leave the token of the step to whoever has the tab next. */
function leave(event: MouseEvent<HTMLAnchorElement>): void {
  event.preventDefault();
  leaveFor(event.currentTarget.href);
}
