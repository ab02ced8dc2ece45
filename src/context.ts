import type { EntityManager } from '@mikro-orm/postgresql';
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
  request: { requestId: string; receivedAt?: number; caller: Caller | null; log: Log },
): RequestContext {
  const made = new Map<unknown, unknown>();
  let em: EntityManager | undefined;
  // Inherited, so that Apollo, which copies what is the context's own, does not make one that nobody needs.
  const lazy = {
    get em() {
      em ??= database.fork();
      return em;
    },
  };
  const context: RequestContext = Object.assign(Object.create(lazy) as typeof lazy, {
    ...service,
    receivedAt: performance.now(),
    ...request,
    policies,
    answered: new WeakSet<object>(),
    shownByToken: new WeakSet<object>(),
    denied: new Set<string>(),
    once<T>(make: (context: RequestContext) => T): T {
      if (!made.has(make)) made.set(make, make(context));
      return made.get(make) as T;
    },
    afterCommit: [],
    forget: () => made.clear(),
    onBatch: (loader: string, size: number) => metrics?.batch(loader, size),
  });
  return context;
}
