import { useEffect, useState } from 'react';

/**
 * Whole seconds left until a moment, counting down; 0 once it has come.
 * @param until in milliseconds on the clock of `now`; null for no wait
 */
export function useSecondsUntil(until: number | null, now: () => number): number {
  const [seconds, setSeconds] = useState(() => secondsLeft(until, now));
  useEffect(() => {
    setSeconds(secondsLeft(until, now));
    if (until === null) return;
    const timer = setInterval(() => {
      const left = secondsLeft(until, now);
      setSeconds(left);
      if (left === 0) clearInterval(timer);
    }, 250);
    return () => clearInterval(timer);
  }, [until, now]);
  return seconds;
}

const secondsLeft = (until: number | null, now: () => number): number =>
  until === null ? 0 : Math.max(0, Math.ceil((until - now()) / 1000));

/** 65 -> 1:05 */
export const minutesAndSeconds = (seconds: number): string =>
  `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
