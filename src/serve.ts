import 'reflect-metadata';
import { once } from 'node:events';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { readEnv } from './env.ts';
import { printWelcome, sentenceFor } from './messages.ts';
import { stopDeadlineMs } from './shared/limits.ts';
import { start } from './start.ts';

/** Serves until told to stop, and ends the process: with 0 if everything was stopped in order and in time. */
export async function serve(stopping: AbortSignal): Promise<never> {
  try {
    // A signal that came while all this was read is heard now.
    await nextTurn();
    stopping.throwIfAborted();
    const env = readEnv();
    const running = await start(env, stopping);
    // In production standard output is for log lines alone.
    if (!env.production) await printWelcome(running);
    if (!stopping.aborted) await once(stopping, 'abort');
    endInTime();
    await running.stop();
    process.exit(0);
  } catch (error) {
    if (error === stopping.reason) process.exit(0);
    console.error(sentenceFor(error) ?? error);
    process.exit(1);
  }
}

/**
 * Each step has a limit of its own, but whoever stops us must not depend on their sum, or on what has none. Asked
 * for only when all has started: a database of our own that is being made is not to be left half made.
 */
function endInTime(): void {
  setTimeout(() => {
    console.error(`Not all was stopped within ${stopDeadlineMs / 1000} s; the rest is cut off.`);
    // Not 0: a call or a webhook may have been cut off.
    process.exit(1);
  }, stopDeadlineMs).unref();
}
