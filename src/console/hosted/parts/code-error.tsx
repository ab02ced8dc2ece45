import { serverNow } from '../api.ts';
import { useTexts } from '../texts/texts.ts';
import { minutesAndSeconds, useSecondsUntil } from './use-seconds-until.ts';

/** Why a code was not taken. Each attempt has an object of its own. */
export interface CodeError {
  kind: 'wrong' | 'waiting' | 'lost';
  /** Wrong codes that are still free of waiting; of a factor being set up, that are left at all. */
  left?: number;
  isPending?: boolean;
  /** From when on a code is looked at again, by the server's clock. */
  retryAt?: string | null;
  /** How many were wrong in a row, here. */
  inRow?: number;
}

export interface Wait {
  seconds: number;
  isWaiting: boolean;
  isOver: boolean;
}

export function useWait(error: CodeError | null): Wait {
  const until = error?.retryAt ? Date.parse(error.retryAt) : null;
  const seconds = useSecondsUntil(until, serverNow);
  return { seconds, isWaiting: seconds > 0, isOver: until !== null && seconds === 0 };
}

/** Says what is wrong and how it goes on. The seconds count down for the eye only. */
export function ErrorLine({ error, wait, wrong }: { error: CodeError | null; wait: Wait; wrong: string }) {
  const { t } = useTexts();
  if (error === null) return null;
  if (wait.isWaiting) {
    const time = minutesAndSeconds(wait.seconds);
    return (
      <p className="error">
        <span className="unseen" role="alert">
          {t('code.wait', { time: minutesAndSeconds(secondsAtFirst(error, wait)) })}
        </span>
        <span aria-hidden="true">{t('code.wait', { time })}</span>
      </p>
    );
  }
  if (wait.isOver) {
    return (
      <p className="good" role="status">
        {t('code.waitOver')}
      </p>
    );
  }
  if (error.kind === 'lost') {
    return (
      <p className="error" role="alert">
        {t('unreachable.lost')}
      </p>
    );
  }
  const { left } = error;
  return (
    <p className="error" role="alert">
      {wrong}
      {left !== undefined &&
        left > 0 &&
        ` ${error.isPending ? t('code.leftHere', { count: left }) : t('code.left', { count: left })}`}
      {(error.inRow ?? 0) >= 2 && ` ${t('code.clock')}`}
    </p>
  );
}

const firstSeconds = new WeakMap<CodeError, number>();

/** What a screen reader is told once: a text that changes each second would be read each second. */
function secondsAtFirst(error: CodeError, { seconds }: Wait): number {
  const first = firstSeconds.get(error) ?? seconds;
  firstSeconds.set(error, first);
  return first;
}
