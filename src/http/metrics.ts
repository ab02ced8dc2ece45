import type { Pool } from 'pg';
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import { looksSecret } from '../audit/looks-secret.ts';

/** What /metrics shows, in Prometheus' text format. Every server has a registry of its own. */
export interface Metrics {
  registry: Registry;
  /**
   * Told of each answer.
   * @param name the operation's; null where it has none, or was not read
   * @param isVouched whether the caller showed a token that was good: nobody else brings new names
   * @param seconds from the arrival of the request to its answer
   */
  answered(name: string | null, status: number, isVouched: boolean, seconds: number): void;
  batch(loader: string, size: number): void;
  /** Told of each call that was refused for want of capacity. */
  shed(reason: 'event_loop' | 'queue_full' | 'late'): void;
  /** The calls that are worked on and those that wait. */
  watchQueue(queue: { readonly running: number; readonly waiting: number }): void;
}

/** Clients choose operation names; past this many, the rest is counted together. */
const operationNamesMax = 200;

export function createMetrics(
  pool: Pool,
  policies: { readonly tenantCount: number; readonly isCertain: boolean },
): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const requests = new Counter({
    name: 'cufflink_graphql_requests_total',
    help: 'GraphQL requests answered, by operation name and HTTP status.',
    labelNames: ['operation', 'status'],
    registers: [registry],
  });
  const durations = new Histogram({
    name: 'cufflink_graphql_request_duration_seconds',
    help: 'Time from the arrival of a GraphQL request to its answer, by operation name.',
    labelNames: ['operation'],
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5],
    registers: [registry],
  });
  const batches = new Histogram({
    name: 'cufflink_loader_batch_size',
    help: 'Keys that a loader sent to the database in one statement.',
    labelNames: ['loader'],
    buckets: [1, 2, 5, 10, 20, 50, 100, 200, 500],
    registers: [registry],
  });
  new Gauge({
    name: 'cufflink_database_connections',
    help: 'Connections of the pool by state; waiting counts requests without one.',
    labelNames: ['state'],
    registers: [registry],
    collect() {
      this.set({ state: 'total' }, pool.totalCount);
      this.set({ state: 'idle' }, pool.idleCount);
      this.set({ state: 'waiting' }, pool.waitingCount);
    },
  });
  new Gauge({
    name: 'cufflink_policy_snapshot_tenants',
    help: 'Tenants whose policies are remembered.',
    registers: [registry],
    collect() {
      this.set(policies.tenantCount);
    },
  });
  new Gauge({
    name: 'cufflink_policy_snapshot_certain',
    help: '1 while policies are answered from memory, 0 while every read asks the database.',
    registers: [registry],
    collect() {
      this.set(policies.isCertain ? 1 : 0);
    },
  });

  const shed = new Counter({
    name: 'cufflink_requests_shed_total',
    help: 'GraphQL requests refused with 503 for want of capacity: the event loop was late, too many of one boundary were waiting, or the answer was late.',
    labelNames: ['reason'],
    registers: [registry],
  });
  for (const reason of ['event_loop', 'queue_full', 'late']) shed.inc({ reason }, 0);

  const names = new Set<string>();
  function label(name: string | null, mayBeNew: boolean): string {
    if (!name) return '(anonymous)';
    if (names.has(name)) return name;
    // Nobody keeps a client from writing a code there.
    if (!mayBeNew || names.size >= operationNamesMax || name.length > 100 || looksSecret(name))
      return '(other)';
    names.add(name);
    return name;
  }

  return {
    registry,
    answered(name, status, isVouched, seconds) {
      const operation = label(name, isVouched && status === 200);
      requests.inc({ operation, status: String(status) });
      durations.observe({ operation }, seconds);
    },
    batch: (loader, size) => batches.observe({ loader }, size),
    shed: (reason) => shed.inc({ reason }),
    watchQueue(queue) {
      new Gauge({
        name: 'cufflink_requests_in_progress',
        help: 'GraphQL requests that are worked on, and those that wait for their turn.',
        labelNames: ['state'],
        registers: [registry],
        collect() {
          this.set({ state: 'running' }, queue.running);
          this.set({ state: 'waiting' }, queue.waiting);
        },
      });
    },
  };
}
