import type { Caller } from './caller/caller.ts';
import type { Log, RequestContext, Service } from './caller/context.ts';
import type { Database } from './db/connection.ts';
import type { Metrics } from './http/metrics.ts';

export interface ContextDeps {
  database: Database;
  service: Service;
  metrics?: Pick<Metrics, 'batch'>;
}

/** Makes the context of one request: caller, entity manager, loaders, clock. */
export function createContext(
  { database, service, metrics }: ContextDeps,
  request: { requestId: string; caller: Caller | null; log: Log },
): RequestContext {
  const made = new Map<unknown, unknown>();
  const context: RequestContext = {
    ...service,
    ...request,
    receivedAt: performance.now(),
    em: database.fork(),
    answered: new WeakSet(),
    shownByToken: new WeakSet(),
    denied: new Set(),
    once<T>(make: (context: RequestContext) => T): T {
      if (!made.has(make)) made.set(make, make(context));
      return made.get(make) as T;
    },
    forget: () => made.clear(),
    onBatch: (loader, size) => metrics?.batch(loader, size),
  };
  return context;
}
