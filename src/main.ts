import 'reflect-metadata';
import { readEnv } from './env.ts';
import { printWelcome, sentenceFor } from './messages.ts';
import { start } from './start.ts';

try {
  const env = readEnv();
  const running = await start(env);
  const stop = () => {
    running.stop().then(
      () => process.exit(0),
      (error) => {
        console.error(error);
        process.exit(1);
      },
    );
  };
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
  await printWelcome(running);
} catch (error) {
  console.error(sentenceFor(error) ?? error);
  process.exit(1);
}
