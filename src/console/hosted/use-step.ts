import { useCallback, useEffect, useRef, useState } from 'react';
import { CallError } from '../../client/client.ts';
import { type Step, type StepApi, serverNow } from './api.ts';

export type StepState =
  | { name: 'loading' }
  /** Asked again at `againAt` (performance.now()); null while it is being asked. */
  | { name: 'unreachable'; againAt: number | null }
  | { name: 'failed'; requestId: string | null }
  | { name: 'over' }
  | { name: 'open'; step: Step; wasLost: boolean; readings: number };

/** Seconds between attempts: each wait is twice the one before, up to this. */
const waitSecondsMax = 15;

/**
 * Reads the step, again and again while the server is not there, and watches over its end.
 * @returns where it stands; `read` reads it anew, `lost` after an answer that did not come
 */
export function useStep(api: StepApi | null): {
  state: StepState;
  read(): void;
  fail(error: unknown): void;
  end(): void;
} {
  const [state, setState] = useState<StepState>(api ? { name: 'loading' } : { name: 'over' });
  const running = useRef<AbortController | null>(null);
  const readings = useRef(0);

  const begin = useCallback(
    async (wasLost: boolean) => {
      if (api === null) return;
      running.current?.abort();
      const own = new AbortController();
      running.current = own;
      for (let attempt = 0; ; attempt += 1) {
        try {
          const step = await api.read(own.signal);
          if (own.signal.aborted) return;
          readings.current += 1;
          setState(step ? { name: 'open', step, wasLost, readings: readings.current } : { name: 'over' });
          return;
        } catch (error) {
          if (own.signal.aborted) return;
          if (!(error instanceof CallError && error.isPassing)) {
            setState({ name: 'failed', requestId: error instanceof CallError ? error.requestId : null });
            return;
          }
          const seconds = Math.max(Math.min(2 ** attempt, waitSecondsMax), error.retryAfterSeconds ?? 0);
          // Browsers that lost the same server must not all come back at once.
          const waitMs = seconds * 1000 * (0.8 + Math.random() * 0.4);
          setState({ name: 'unreachable', againAt: performance.now() + waitMs });
          await wait(waitMs, own.signal);
          if (own.signal.aborted) return;
          setState({ name: 'unreachable', againAt: null });
        }
      }
    },
    [api],
  );

  const read = useCallback(() => {
    setState((now) =>
      now.name === 'unreachable' ? { name: 'unreachable', againAt: null } : { name: 'loading' },
    );
    void begin(false);
  }, [begin]);

  const fail = useCallback(
    (error: unknown) => {
      if (error instanceof CallError && error.isPassing) {
        // What was sent may have arrived: the step itself tells.
        setState({ name: 'unreachable', againAt: null });
        void begin(true);
      } else {
        setState({ name: 'failed', requestId: error instanceof CallError ? error.requestId : null });
      }
    },
    [begin],
  );

  const end = useCallback(() => {
    running.current?.abort();
    setState({ name: 'over' });
  }, []);

  useEffect(() => {
    void begin(false);
    return () => running.current?.abort();
  }, [begin]);

  // A page that the browser kept and shows again tells what was; and a network that is back need not be waited for.
  const isUnreachable = state.name === 'unreachable';
  useEffect(() => {
    const onShow = ({ persisted }: PageTransitionEvent) => persisted && read();
    const onOnline = () => isUnreachable && read();
    addEventListener('pageshow', onShow);
    addEventListener('online', onOnline);
    return () => {
      removeEventListener('pageshow', onShow);
      removeEventListener('online', onOnline);
    };
  }, [read, isUnreachable]);

  const expiresAt = state.name === 'open' && !state.step.satisfied ? Date.parse(state.step.expiresAt) : null;
  useEffect(() => {
    if (expiresAt === null) return;
    const timer = setTimeout(end, expiresAt - serverNow());
    return () => clearTimeout(timer);
  }, [expiresAt, end]);

  return { state, read, fail, end };
}

const wait = (ms: number, signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener('abort', () => {
      clearTimeout(timer);
      resolve();
    });
  });
