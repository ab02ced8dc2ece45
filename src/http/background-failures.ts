import { Counter, type Registry } from 'prom-client';
import type { Log } from '../caller/context.ts';
import { backgroundWorks, type Failed } from '../shared/background.ts';
import { loggable } from './format-error.ts';

/** Nobody waits for background work, so nobody is told that it fails: it is counted, and the log names the cause. */
export function watchBackground(registry: Registry, log: Pick<Log, 'warn'>): Failed {
  const failures = new Counter({
    name: 'cufflink_background_failures_total',
    help: 'Failures of what this server does beside answering calls; it is tried again by itself.',
    labelNames: ['work'],
    registers: [registry],
  });
  for (const work of backgroundWorks) failures.inc({ work }, 0);
  return (work, error, message) => {
    failures.inc({ work });
    if (message !== null) log.warn({ work, err: loggable(error) }, message);
  };
}
