import { LRUCache } from 'lru-cache';
import { Gathered } from '../shared/gathered.ts';
import {
  gatheredIdsMax,
  policySnapshotAgeMsMax,
  policySnapshotApplicationsMax,
  policySnapshotEntrySeconds,
  policySnapshotTenantsMax,
} from '../shared/limits.ts';
import type { PolicyChange } from './policy-change.ts';
import type { ApplicationRow, TenantRow } from './rows.ts';

declare module '../caller/context.ts' {
  interface RequestContext {
    /** What this process remembers of policies. Nothing of the MFA step asks it. */
    readonly policies: PolicySnapshot;
  }
}

/**
 * Applications and tenants with their policies, as they were read, for reads of effective policies.
 *
 * Every change has a position in the feed (policy-change.ts), committed with it. A row that was read
 * knows up to which position it holds; a change that is heard of drops what it touches. Three rules:
 *
 * 1. What was read before a change that is known by now is not kept.
 * 2. A change that was missed (a gap in the positions) empties the memory.
 * 3. Nothing is recalled unless the feed was found complete within the last `policySnapshotAgeMsMax`:
 *    then all changes committed before that moment have been heard. On any doubt the database is read.
 *
 * Rows are shared by requests, so they are frozen. Who may see them is for the caller to judge.
 */
export class PolicySnapshot {
  /** What is being read, by all requests of a boundary together. */
  readonly reads = new Gathered<TenantRow>(gatheredIdsMax);
  readonly #now: () => number;
  readonly #applications: LRUCache<string, ApplicationRow>;
  readonly #tenants: LRUCache<string, TenantRow>;
  /** The last change heard; null while nobody follows the feed. */
  #heard: number | null = null;
  /** Rows that were read before this position are not kept. */
  #keptFrom = 0;
  /** When the feed was last known to be complete. */
  #completeAt = Number.NEGATIVE_INFINITY;
  /** What the database said that has not been heard of yet. */
  #awaited: { position: number; at: number } | null = null;

  /** @param now milliseconds of a clock that is never set */
  constructor({
    now = () => performance.now(),
    tenantsMax = policySnapshotTenantsMax,
  }: { now?: () => number; tenantsMax?: number } = {}) {
    this.#now = now;
    this.#applications = new LRUCache({ ...age, max: Math.min(policySnapshotApplicationsMax, tenantsMax) });
    this.#tenants = new LRUCache({ ...age, max: tenantsMax });
  }

  /** Whether what is remembered may be used. */
  get isCertain(): boolean {
    return this.#heard !== null && this.#now() - this.#completeAt <= policySnapshotAgeMsMax;
  }

  get tenantCount(): number {
    return this.#tenants.size;
  }

  /** @returns null where the database has to be asked */
  application(id: string): ApplicationRow | null {
    return (this.isCertain && this.#applications.get(id)) || null;
  }

  /** @returns null where the database has to be asked */
  tenant(id: string): TenantRow | null {
    if (!this.isCertain) return null;
    const tenant = this.#tenants.get(id);
    // It is kept anew with each tenant of its own that is read, so it need not be moved up here.
    const application = tenant && this.#applications.peek(tenant.applicationId);
    if (!tenant || !application) return null;
    if (tenant.application === application) return tenant;
    const joined = Object.freeze({ ...tenant, application });
    this.#tenants.set(id, joined);
    return joined;
  }

  /** @param position where the feed stood when they were read, by the same statement */
  keepApplications(rows: readonly ApplicationRow[], position: number): void {
    if (!this.#mayKeep(position)) return;
    for (const row of rows) this.#applications.set(row.id, frozen(row));
  }

  /** @param position where the feed stood when they were read, by the same statement */
  keepTenants(rows: readonly TenantRow[], position: number): void {
    if (!this.#mayKeep(position)) return;
    for (const row of rows) {
      this.#applications.set(row.applicationId, frozen(row.application));
      Object.freeze(row.override.policy);
      Object.freeze(row.override);
      this.#tenants.set(row.id, Object.freeze(row));
    }
  }

  #mayKeep(position: number): boolean {
    if (this.#heard === null || position < this.#keptFrom) return false;
    this.#keptFrom = position;
    return true;
  }

  /** A change that this process committed itself: its own callers see it at once. */
  settle(position: number, change: PolicyChange): void {
    this.#drop(change);
    this.#keptFrom = Math.max(this.#keptFrom, position);
  }

  /** A change that the feed told of. */
  hear(position: number, change: PolicyChange): void {
    if (this.#heard === null || position <= this.#heard) return;
    if (position > this.#heard + 1) {
      this.#beginAt(position);
      return;
    }
    this.settle(position, change);
    this.#heard = position;
    if (this.#awaited === null || position < this.#awaited.position) return;
    this.#completeAt = this.#awaited.at;
    this.#awaited = null;
  }

  /**
   * Where the feed stands, as the database says on the connection that is listened on.
   * @param at when it was asked
   */
  compare(position: number, at: number): void {
    const isMissed = this.#awaited !== null;
    if (this.#heard !== null && position > this.#heard && !isMissed) {
      // Its notice is on its way.
      this.#awaited = { position, at };
      return;
    }
    if (position !== this.#heard) this.#beginAt(position);
    this.#awaited = null;
    this.#completeAt = at;
  }

  /** Nobody follows the feed any more. */
  doubt(): void {
    this.#heard = null;
    this.#awaited = null;
  }

  #beginAt(position: number): void {
    this.#applications.clear();
    this.#tenants.clear();
    this.#heard = position;
    // What this process committed itself is not forgotten for it.
    this.#keptFrom = Math.max(this.#keptFrom, position);
    this.#awaited = null;
  }

  #drop({ applicationIds = [], tenantIds = [], tenantsOf }: PolicyChange): void {
    for (const id of applicationIds) this.#applications.delete(id);
    for (const id of tenantIds) this.#tenants.delete(id);
    if (tenantsOf === undefined) return;
    for (const [id, { applicationId }] of this.#tenants.entries()) {
      if (applicationId === tenantsOf) this.#tenants.delete(id);
    }
  }
}

/** For what is changed past the service, by hand in SQL; a second more or less does not matter. */
const age = { ttl: policySnapshotEntrySeconds * 1000, ttlResolution: 1_000 };

function frozen(application: ApplicationRow): ApplicationRow {
  Object.freeze(application.policy);
  return Object.freeze(application);
}
