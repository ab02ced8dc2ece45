import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { policySnapshotAgeMsMax } from '../../src/shared/limits.ts';
import { changeOfTenants, type PolicyChange, readNotice } from '../../src/tenancy/policy-change.ts';
import { PolicySnapshot } from '../../src/tenancy/policy-snapshot.ts';
import type { ApplicationRow, TenantRow } from '../../src/tenancy/rows.ts';

/*
 * The memory of policies against a model: a database that changes, notices that come late or never, reads
 * that began before a change and end after it, in any order.
 */

const applicationIds = ['a1', 'a2'];
const tenants = ['a1.t1', 'a1.t2', 'a2.t1'];
const ownerOf = (tenantId: string) => tenantId.slice(0, 2);

/** The versions of everything, as of each position of the feed. */
interface Moment {
  at: number;
  versions: Readonly<Record<string, number>>;
}

/** A world with a clock of its own. Every step takes time. */
class Model {
  now = 0;
  readonly history: Moment[] = [
    { at: 0, versions: Object.fromEntries([...applicationIds, ...tenants].map((id) => [id, 1])) },
  ];
  readonly notices: { position: number; change: PolicyChange }[] = [];
  readonly reads: { ids: readonly string[]; position: number }[] = [];
  readonly beats: { position: number; at: number }[] = [];
  readonly snapshot = new PolicySnapshot(() => this.now);

  get position(): number {
    return this.history.length - 1;
  }

  commit(id: string, change: PolicyChange): number {
    const { versions } = this.history[this.position] as Moment;
    this.history.push({ at: this.now, versions: { ...versions, [id]: (versions[id] ?? 0) + 1 } });
    this.notices.push({ position: this.position, change });
    return this.position;
  }

  row(id: string, position: number): TenantRow {
    const { versions } = this.history[position] as Moment;
    const owner = ownerOf(id);
    const application = { id: owner, displayName: String(versions[owner]), policy: {} } as ApplicationRow;
    return {
      id,
      applicationId: owner,
      displayName: String(versions[id]),
      application,
      override: { enabled: false, policy: null },
    } as TenantRow;
  }

  /** What is recalled was true at some moment of the time that is allowed. */
  judge(): void {
    for (const id of tenants) {
      const recalled = this.snapshot.tenant(id);
      if (recalled === null) continue;
      const since = this.now - policySnapshotAgeMsMax;
      const current = this.history.filter((_, n) => (this.history[n + 1]?.at ?? this.now) >= since);
      expect(current.map(({ versions }) => String(versions[id]))).toContain(recalled.displayName);
      const owner = current.map(({ versions }) => String(versions[ownerOf(id)]));
      expect(owner).toContain(recalled.application.displayName);
    }
  }
}

type Step = (model: Model) => void;

const id = fc.constantFrom(...tenants);
const steps: fc.Arbitrary<Step> = fc.oneof(
  { weight: 3, arbitrary: id.map((tenant) => (model) => void model.commit(tenant, { tenantIds: [tenant] })) },
  fc
    .constantFrom(...applicationIds)
    .map((application) => (model) => void model.commit(application, { applicationIds: [application] })),
  id.map((tenant) => (model) => void model.commit(tenant, { tenantsOf: ownerOf(tenant) })),
  // A change of its own: its callers see it from here on.
  id.map((tenant) => (model) => {
    const change = { tenantIds: [tenant] };
    model.snapshot.settle(model.commit(tenant, change), change);
    const recalled = model.snapshot.tenant(tenant);
    if (recalled) expect(recalled.displayName).toBe(model.row(tenant, model.position).displayName);
  }),
  {
    weight: 4,
    arbitrary: fc.subarray(tenants, { minLength: 1 }).map((ids) => (model) => {
      model.reads.push({ ids, position: model.position });
    }),
  },
  {
    weight: 4,
    arbitrary: fc.nat().map((n) => (model) => {
      const [read] = model.reads.splice(n % (model.reads.length || 1), 1);
      if (!read) return;
      const rows = read.ids.map((tenant) => model.row(tenant, read.position));
      model.snapshot.keepTenants(rows, read.position);
    }),
  },
  {
    weight: 4,
    arbitrary: fc.constant<Step>((model) => {
      const notice = model.notices.shift();
      if (notice) model.snapshot.hear(notice.position, notice.change);
    }),
  },
  fc.constant<Step>((model) => void model.notices.shift()),
  {
    weight: 2,
    arbitrary: fc.constant<Step>(
      (model) => void model.beats.push({ position: model.position, at: model.now }),
    ),
  },
  {
    weight: 3,
    arbitrary: fc.constant<Step>((model) => {
      const beat = model.beats.shift();
      if (beat) model.snapshot.compare(beat.position, beat.at);
    }),
  },
  fc.constant<Step>((model) => {
    model.snapshot.doubt();
    model.notices.length = 0;
    model.beats.length = 0;
  }),
  fc.integer({ min: 1, max: 1_500 }).map((ms) => (model) => {
    model.now += ms;
  }),
);

test('never recalls what was no longer true for longer than the bound, whatever is late or lost', () => {
  let recalled = 0;
  fc.assert(
    fc.property(fc.array(steps, { minLength: 10, maxLength: 80 }), (taken) => {
      const model = new Model();
      model.snapshot.compare(0, 0);
      for (const step of taken) {
        model.now += 1;
        step(model);
        model.judge();
        if (tenants.some((tenant) => model.snapshot.tenant(tenant))) recalled += 1;
      }
    }),
    { numRuns: 2_000 },
  );
  // It does remember.
  expect(recalled).toBeGreaterThan(1_000);
});

const known = () => {
  const model = new Model();
  model.snapshot.compare(0, 0);
  model.snapshot.keepTenants(
    tenants.map((tenant) => model.row(tenant, 0)),
    0,
  );
  return model;
};

test('a change drops what it touches and nothing else', () => {
  const { snapshot } = known();
  snapshot.hear(1, { tenantIds: ['a1.t1'] });
  expect(tenants.map((tenant) => snapshot.tenant(tenant) !== null)).toEqual([false, true, true]);
  snapshot.hear(2, { tenantsOf: 'a1' });
  expect(tenants.map((tenant) => snapshot.tenant(tenant) !== null)).toEqual([false, false, true]);
  snapshot.hear(3, { applicationIds: ['a2'] });
  expect(snapshot.tenant('a2.t1')).toBeNull();
});

test('of an application that was read anew, the tenants need not be', () => {
  const model = known();
  model.commit('a1', { applicationIds: ['a1'] });
  model.snapshot.hear(1, { applicationIds: ['a1'] });
  model.snapshot.keepApplications([model.row('a1.t1', 1).application], 1);
  expect(model.snapshot.tenant('a1.t2')?.application.displayName).toBe('2');
});

test('a gap in the positions empties it', () => {
  const { snapshot } = known();
  snapshot.hear(2, {});
  expect(tenants.map((tenant) => snapshot.tenant(tenant))).toEqual([null, null, null]);
});

test('a notice that is not there a beat after the database told of its change is a gap', () => {
  const { snapshot } = known();
  snapshot.compare(1, 10);
  expect(snapshot.tenant('a1.t1')).not.toBeNull();
  snapshot.compare(1, 20);
  expect(snapshot.tenant('a1.t1')).toBeNull();
});

test('a database that stands behind what was heard, as one restored, empties it', () => {
  const { snapshot } = known();
  snapshot.hear(1, {});
  snapshot.compare(0, 10);
  expect(snapshot.tenant('a1.t1')).toBeNull();
});

test('nothing is recalled without a comparison within the bound', () => {
  const model = known();
  model.now = policySnapshotAgeMsMax;
  expect(model.snapshot.tenant('a1.t1')).not.toBeNull();
  model.now += 1;
  expect(model.snapshot.tenant('a1.t1')).toBeNull();
});

test('nothing is kept while nobody follows the feed', () => {
  const model = new Model();
  model.snapshot.keepTenants([model.row('a1.t1', 0)], 0);
  model.snapshot.compare(0, 0);
  expect(model.snapshot.tenant('a1.t1')).toBeNull();
});

test('a notice holds a thousand tenants, by name or as those of their application', () => {
  const ids = (count: number) => Array.from({ length: count }, (_, n) => `${n}`.padStart(64, 'x'));
  expect(changeOfTenants('a1', ids(100))).toEqual({ tenantIds: ids(100) });
  expect(changeOfTenants('a1', ids(1_000))).toEqual({ tenantsOf: 'a1' });
});

test.each(['', 'x', '1', '1 x', '1 {', '-1 {}', '1 []', '1.5 {}'])('%j is no notice', (payload) => {
  expect(readNotice(payload)).toBeNull();
});
