import { Counter, Gauge, type Registry } from 'prom-client';
import type { Replicas } from './replicas.ts';

/** What /metrics tells of replicas, each by its place in DATABASE_REPLICA_URLS. */
export function watchReplicas(registry: Registry, replicas: Pick<Replicas, 'states'>): void {
  new Gauge({
    name: 'cufflink_replica_used',
    help: '1 while a replica answers reads, 0 while it is left out and the primary answers.',
    labelNames: ['replica'],
    registers: [registry],
    collect() {
      for (const { number, fault } of replicas.states) this.set({ replica: number }, fault === null ? 1 : 0);
    },
  });
  new Gauge({
    name: 'cufflink_replica_lag_seconds',
    help: 'What a replica may lack of the primary, at most, as of its last check.',
    labelNames: ['replica'],
    registers: [registry],
    collect() {
      for (const { number, lagMs } of replicas.states) this.set({ replica: number }, lagMs / 1000);
    },
  });
  new Counter({
    name: 'cufflink_replica_reads_total',
    help: 'Reads that were sent to a replica: answered by it, or refused and then answered by the primary.',
    labelNames: ['replica', 'outcome'],
    registers: [registry],
    collect() {
      this.reset();
      for (const { number, answered, refused } of replicas.states) {
        this.inc({ replica: number, outcome: 'answered' }, answered);
        this.inc({ replica: number, outcome: 'refused' }, refused);
      }
    },
  });
}
