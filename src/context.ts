import type { Caller } from './caller/caller.ts';
import type { Log, RequestContext, Service } from './caller/context.ts';
import type { Database } from './db/connection.ts';
import type { Metrics } from './http/metrics.ts';
import type { PolicySnapshot } from './tenancy/policy-snapshot.ts';

export interface ContextDeps {
  database: Database;
  service: Service;
  policies: PolicySnapshot;
  metrics?: Pick<Metrics, 'batch'>;
}

/** Makes the context of one request: caller, entity manager, loaders, clock. */
export function createContext(
  { database, service, policies, metrics }: ContextDeps,
  request: { requestId: string; caller: Caller | null; log: Log },
): RequestContext {
  const made = new Map<unknown, unknown>();
  const context: RequestContext = {
    ...service,
    ...request,
    receivedAt: performance.now(),
    em: database.fork(),
    policies,
    answered: new WeakSet(),
    shownByToken: new WeakSet(),
    denied: new Set(),
    once<T>(make: (context: RequestContext) => T): T {
      if (!made.has(make)) made.set(make, make(context));
      return made.get(make) as T;
    },
    afterCommit: [],
    forget: () => made.clear(),
    onBatch: (loader, size) => metrics?.batch(loader, size),
  };
  return context;
}
