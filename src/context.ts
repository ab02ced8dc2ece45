import type { EntityManager } from '@mikro-orm/postgresql';
import type { Caller } from './caller/caller.ts';
import type { Log, RequestContext, Service } from './caller/context.ts';
import type { StaleRead } from './caller/stale-reads.ts';
import type { Database } from './db/connection.ts';
import type { Replicas } from './db/replicas.ts';
import type { RawBuilder } from './db/sql.ts';
import type { Metrics } from './http/metrics.ts';
import { answerMsMax } from './shared/limits.ts';
import type { PolicySnapshot } from './tenancy/policy-snapshot.ts';

export interface ContextDeps {
  database: Database;
  service: Service;
  policies: PolicySnapshot;
  replicas?: Replicas;
  metrics?: Pick<Metrics, 'batch'>;
}

interface RequestParts {
  requestId: string;
  receivedAt?: number;
  caller: Caller | null;
  log: Log;
}

/** Makes the context of one request: caller, entity manager, loaders, clock. */
export const createContext = (deps: ContextDeps, request: RequestParts): RequestContext =>
  new Context(deps, request);

/**
 * Apollo works with a copy, of the members that are a context's own: what is made while the request lasts
 * is kept where the copy finds it, and the entity manager, which most reads do not need, is no member.
 */
class Context implements RequestContext {
  readonly clock;
  readonly ids;
  readonly keyRing;
  readonly assertionKey;
  readonly publicUrl;
  readonly redirectOrigins;
  readonly loopbackWebhooks;
  readonly requestId;
  readonly receivedAt;
  readonly caller;
  readonly log;
  readonly policies;
  readonly call = { operation: null, isInStep: false };
  readonly answered = new Set<object>();
  readonly shownByToken = new Set<object>();
  readonly denied = new Set<string>();
  readonly afterCommit: (() => void)[] = [];
  /** By what made it. */
  readonly made = new Map<unknown, unknown>();
  readonly managed: { em: EntityManager | null } = { em: null };
  readonly database;
  readonly metrics;
  readonly replicas;
  mayBeStale = false;

  constructor(
    { database, service, policies, metrics, replicas }: ContextDeps,
    { requestId, receivedAt, caller, log }: RequestParts,
  ) {
    this.clock = service.clock;
    this.ids = service.ids;
    this.keyRing = service.keyRing;
    this.assertionKey = service.assertionKey;
    this.publicUrl = service.publicUrl;
    this.redirectOrigins = service.redirectOrigins;
    this.loopbackWebhooks = service.loopbackWebhooks;
    this.requestId = requestId;
    this.receivedAt = receivedAt ?? performance.now();
    this.caller = caller;
    this.log = log;
    this.policies = policies;
    this.database = database;
    this.metrics = metrics;
    this.replicas = replicas;
  }

  get em(): EntityManager {
    this.managed.em ??= this.database.fork();
    return this.managed.em;
  }

  once<T>(make: (context: RequestContext) => T): T {
    if (!this.made.has(make)) this.made.set(make, make(this));
    return this.made.get(make) as T;
  }

  forget(): void {
    this.made.clear();
  }

  beginOperation(kind: 'query' | 'mutation' | 'subscription'): void {
    if (this.replicas === undefined || this.caller === null) return;
    this.mayBeStale = kind === 'query';
    // By then it has been answered.
    if (kind === 'mutation') this.replicas.wrote(nameOf(this.caller), performance.now() + answerMsMax);
  }

  replicaRows<Row>(_read: StaleRead, statement: RawBuilder<Row>): Promise<Row[] | null> | null {
    if (!this.mayBeStale || this.replicas === undefined || this.caller === null) return null;
    return this.replicas.rowsOf(statement, nameOf(this.caller));
  }

  onBatch(loader: string, size: number): void {
    this.metrics?.batch(loader, size);
  }
}

const nameOf = ({ boundaryKey, subject }: Caller): string => JSON.stringify([boundaryKey, subject]);
