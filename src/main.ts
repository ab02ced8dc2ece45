import 'reflect-metadata';
import { once } from 'node:events';
import { readEnv } from './env.ts';
import { printWelcome, sentenceFor } from './messages.ts';
import { start } from './start.ts';

// Ctrl-C reaches us twice when npm started us: from the terminal and from npm. Both mean the same.
const stopping = new AbortController();
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, () => stopping.abort());
try {
  const running = await start(readEnv(), stopping.signal);
  await printWelcome(running);
  if (!stopping.signal.aborted) await once(stopping.signal, 'abort');
  await running.stop();
  process.exit(0);
} catch (error) {
  if (error === stopping.signal.reason) process.exit(0);
  console.error(sentenceFor(error) ?? error);
  process.exit(1);
}
