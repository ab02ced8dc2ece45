import type { Caller } from './caller/caller.ts';
import type { Log, RequestContext } from './caller/context.ts';
import type { Database } from './db/connection.ts';
import type { Metrics } from './http/metrics.ts';
import type { Clock } from './shared/clock.ts';
import type { Ids } from './shared/ids.ts';

export interface ContextDeps {
  database: Database;
  clock: Clock;
  ids: Ids;
  metrics?: Pick<Metrics, 'batch'>;
}

/** Makes the context of one request: caller, entity manager, loaders, clock. */
export function createContext(
  { database, clock, ids, metrics }: ContextDeps,
  request: { requestId: string; caller: Caller | null; log: Log },
): RequestContext {
  const made = new Map<unknown, unknown>();
  const context: RequestContext = {
    ...request,
    em: database.fork(),
    clock,
    ids,
    answered: new WeakSet(),
    once<T>(make: (context: RequestContext) => T): T {
      if (!made.has(make)) made.set(make, make(context));
      return made.get(make) as T;
    },
    forget: () => made.clear(),
    onBatch: (loader, size) => metrics?.batch(loader, size),
  };
  return context;
}
