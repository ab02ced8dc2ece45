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
  readonly snapshot = new PolicySnapshot({ now: () => this.now, tenantsMax: 10 });

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

const step = <T>(
  weight: number,
  arbitrary: fc.Arbitrary<T>,
  take: (model: Model, value: T) => void,
): fc.WeightedArbitrary<Step> => ({
  weight,
  arbitrary: arbitrary.map((value) => (model) => take(model, value)),
});

const anyTenant = fc.constantFrom(...tenants);
const always = fc.constant(null);

const steps: fc.Arbitrary<Step> = fc.oneof(
  step(3, anyTenant, (model, id) => void model.commit(id, { tenantIds: [id] })),
  step(1, fc.constantFrom(...applicationIds), (model, id) => void model.commit(id, { applicationIds: [id] })),
  step(1, anyTenant, (model, id) => void model.commit(id, { tenantsOf: ownerOf(id) })),
  // A change of its own: its callers see it from here on.
  step(1, anyTenant, (model, id) => {
    const change = { tenantIds: [id] };
    model.snapshot.settle(model.commit(id, change), change);
    const recalled = model.snapshot.tenant(id);
    if (recalled) expect(recalled.displayName).toBe(model.row(id, model.position).displayName);
  }),
  // A read begins, and ends later.
  step(4, fc.subarray(tenants, { minLength: 1 }), (model, ids) => {
    model.reads.push({ ids, position: model.position });
  }),
  step(4, fc.nat(), (model, n) => {
    const [read] = model.reads.splice(n % (model.reads.length || 1), 1);
    if (!read) return;
    const rows = read.ids.map((id) => model.row(id, read.position));
    model.snapshot.keepTenants(rows, read.position);
  }),
  // A notice comes, or is lost.
  step(4, always, ({ notices, snapshot }) => {
    const notice = notices.shift();
    if (notice) snapshot.hear(notice.position, notice.change);
  }),
  step(1, always, ({ notices }) => void notices.shift()),
  // A beat goes out, and comes back.
  step(2, always, ({ beats, position, now: at }) => void beats.push({ position, at })),
  step(3, always, ({ beats, snapshot }) => {
    const beat = beats.shift();
    if (beat) snapshot.compare(beat.position, beat.at);
  }),
  // The connection is lost, with all that was on its way.
  step(1, always, ({ notices, beats, snapshot }) => {
    snapshot.doubt();
    notices.length = 0;
    beats.length = 0;
  }),
  step(1, fc.integer({ min: 1, max: 1_500 }), (model, ms) => {
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

test.each<[string, (snapshot: PolicySnapshot, change: PolicyChange) => void]>([
  ['was heard of', (snapshot, change) => snapshot.hear(1, change)],
  ['this process made', (snapshot, change) => snapshot.settle(1, change)],
])('what was read before a change that %s is not kept', (_, learn) => {
  const model = known();
  learn(model.snapshot, { tenantIds: ['a1.t1'] });
  model.snapshot.keepTenants([model.row('a1.t1', 0)], 0);
  expect(model.snapshot.tenant('a1.t1')).toBeNull();
});

test('a notice that comes late proves nothing of the time after the comparison that told of it', () => {
  const model = known();
  model.snapshot.compare(1, 0);
  model.now = policySnapshotAgeMsMax;
  model.snapshot.hear(1, { tenantIds: ['a1.t1'] });
  expect(model.snapshot.tenant('a1.t2')).not.toBeNull();
  model.now += 1;
  expect(model.snapshot.tenant('a1.t2')).toBeNull();
});

test('of an application that was read anew, the tenants need not be', () => {
  const model = known();
  model.commit('a1', { applicationIds: ['a1'] });
  model.snapshot.hear(1, { applicationIds: ['a1'] });
  model.snapshot.keepApplications([model.row('a1.t1', 1).application], 1);
  expect(model.snapshot.tenant('a1.t2')?.application.displayName).toBe('2');
});

test('what was read before a change that this process made is not kept after a gap either', () => {
  const model = known();
  model.snapshot.settle(5, { tenantIds: ['a1.t1'] });
  model.snapshot.hear(3, {});
  model.snapshot.keepTenants([model.row('a1.t1', 0)], 4);
  expect(model.snapshot.tenant('a1.t1')).toBeNull();
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
