import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { startTestServer, type TestCaller, type TestServer } from '../setup/harness.ts';
import { makeWorld } from '../setup/world.ts';
import { idOf, population, settle } from '../user/population.ts';

/*
 * Of more than a thousand users in random states, explainMfa, startMfa, the state that is shown and the
 * statistics say the same. A failing expectation names the seed.
 */

interface Place {
  applicationId: string;
  tenantId: string;
  userId: string;
}

let server: TestServer;
let admin: TestCaller;
const seed = Date.now() % 1_000_000;
beforeAll(async () => {
  server = await startTestServer();
  server.clock.fix(new Date());
  admin = await server.caller({ scopes: ['auth-factor:read', 'mfa-policy:read'] });
});
afterAll(() => server.stop());

/** Makes tenants, each in an application of its own, until there are enough users. The last of each was never seen. */
async function populate(usersMin: number): Promise<Place[]> {
  const people: Place[] = [];
  for (const drawn of fc.sample(population, { numRuns: 100, seed })) {
    if (people.length > usersMin) break;
    const world = await makeWorld(server);
    await settle(server, world, drawn);
    const ids = Array.from({ length: drawn.people.length + 1 }, (_, n) => idOf(n));
    const tenantId = world.tenantIds[0] as string;
    people.push(...ids.map((userId) => ({ applicationId: world.applicationId, tenantId, userId })));
  }
  return people;
}

interface Decided {
  status: string;
  reason: string;
  enrollmentDueAt: string | null;
}
interface Explained {
  decision: Decided;
  rules: { rule: string; matched: boolean; detail: string }[];
}
interface Shown {
  mfa: { state: string; enrollmentDueAt: string | null };
}

const byApplication = (people: readonly Place[]) => Map.groupBy(people, ({ applicationId }) => applicationId);

/** Users of one application, a few at a time: a request has 20 root fields at most. */
const groupsOf = (people: readonly Place[]): Place[][] =>
  [...byApplication(people).values()].flatMap((group) =>
    Array.from({ length: Math.ceil(group.length / 20) }, (_, n) => group.slice(n * 20, n * 20 + 20)),
  );

/** Asks one thing of each of some users in one request. */
async function askEach<T>(
  caller: TestCaller,
  group: readonly Place[],
  head: string,
  field: (n: number) => string,
  variables: (place: Place, n: number) => object,
): Promise<T[]> {
  const { data, errors } = await caller.call<Record<string, T>, object>(
    `${head} { ${group.map((_, n) => `a${n}: ${field(n)}`).join('\n')} }`,
    Object.assign({}, ...group.map(variables)),
  );
  if (errors.length > 0) throw new Error(JSON.stringify(errors));
  return group.map((_, n) => data[`a${n}`] as T);
}

const declared = (group: readonly Place[], types: (n: number) => string) =>
  `(${group.map((_, n) => types(n)).join(', ')})`;
const ids = ({ tenantId, userId }: Place, n: number) => ({ [`t${n}`]: tenantId, [`u${n}`]: userId });

const explainEach = (caller: TestCaller, group: readonly Place[], provider = 'LOCAL') =>
  askEach<Explained>(
    caller,
    group,
    `query ${declared(group, (n) => `$t${n}: ID!, $u${n}: ID!`)}`,
    (n) =>
      `explainMfa(tenantId: $t${n}, userId: $u${n}, identityProvider: ${provider}) {
        decision { status reason enrollmentDueAt } rules { rule matched detail } }`,
    ids,
  );

const showEach = (group: readonly Place[]) =>
  askEach<Shown>(
    admin,
    group,
    `query ${declared(group, (n) => `$t${n}: ID!, $u${n}: ID!`)}`,
    (n) => `user(id: $u${n}, tenantId: $t${n}) { mfa { state enrollmentDueAt } }`,
    ids,
  );

const startEach = (caller: TestCaller, group: readonly Place[], provider = 'LOCAL') =>
  askEach<Decided>(
    caller,
    group,
    `mutation ${declared(group, (n) => `$i${n}: StartMfaInput!`)}`,
    (n) => `startMfa(input: $i${n}) { ... on MfaDecision { status reason enrollmentDueAt } }`,
    ({ tenantId, userId }, n) => ({
      [`i${n}`]: { tenantId, userId, accountName: userId, trigger: 'LOGIN', identityProvider: provider },
    }),
  );

const reasonOf: Record<string, string> = {
  DISABLED: 'MFA_NOT_ENABLED',
  ENROLLED: 'ENROLLED',
  EXEMPT: 'EXEMPT',
  OPTIONAL: 'ENROLLMENT_OPTIONAL',
  PENDING: 'GRACE_PERIOD',
  OVERDUE: 'ENROLLMENT_REQUIRED',
};

async function statistics(applicationId: string): Promise<Record<string, number>> {
  const { data } = await admin.call<{ application: { mfaStats: Record<string, number> } }, object>(
    `query ($id: ID!) { application(id: $id) {
      mfaStats { users enrolled optional pending overdue exempt disabled } } }`,
    { id: applicationId },
  );
  return data.application.mfaStats;
}

/** What the statistics must be, by the decision about each. */
async function counted(people: readonly Place[]): Promise<Record<string, number>> {
  const explained = await Promise.all(groupsOf(people).map((group) => explainEach(admin, group)));
  const reasons = explained.flat().map(({ decision }) => decision.reason);
  const states = Object.entries(reasonOf).map(([state, reason]) => [
    state.toLowerCase(),
    reasons.filter((one) => one === reason).length,
  ]);
  return { users: people.length, ...Object.fromEntries(states) };
}

describe('for every user of a random population', () => {
  test('explainMfa, startMfa and the state agree, before the sign-in and after', async () => {
    const people = await populate(1_000);
    const reasons = new Map<string, number>();
    for (const group of groupsOf(people)) {
      const service = await server.caller({
        applicationId: group[0]?.applicationId as string,
        scopes: ['mfa-workflow:execute'],
      });
      const before = await explainEach(service, group);
      const shown = await showEach(group);
      const started = await startEach(service, group);
      const after = await explainEach(admin, group);
      group.forEach((place, n) => {
        const [explained, start, again] = [before[n], started[n], after[n]] as [
          Explained,
          Decided,
          Explained,
        ];
        const label = `seed ${seed}, user ${people.indexOf(place)}`;
        const { status, reason } = start;
        reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
        expect([label, explained.decision]).toMatchObject([label, { status, reason }]);
        expect([label, explained.rules.find(({ matched }) => matched)?.rule]).toEqual([label, reason]);
        expect([label, reasonOf[shown[n]?.mfa.state ?? '']]).toEqual([label, reason]);
        // Only the sign-in itself begins the grace; where it had begun, all know the same end of it.
        expect([label, explained.decision.enrollmentDueAt ?? start.enrollmentDueAt]).toEqual([
          label,
          start.enrollmentDueAt,
        ]);
        if (reason === 'GRACE_PERIOD') {
          expect([label, shown[n]?.mfa.enrollmentDueAt]).toEqual([label, explained.decision.enrollmentDueAt]);
        }
        expect([label, again.decision]).toEqual([label, start]);
      });
    }
    expect(people.length).toBeGreaterThan(1_000);
    expect([...reasons.keys()].sort()).toEqual(Object.values(reasonOf).sort());
  }, 240_000);

  test('the statistics count what is decided of each who is known, before the sign-ins and after', async () => {
    for (const [applicationId, people] of byApplication(await populate(400))) {
      const label = `seed ${seed}, application ${applicationId}`;
      const neverAsked = await statistics(applicationId);
      expect([label, neverAsked]).toEqual([label, await counted(people.slice(0, -1))]);
      const service = await server.caller({ applicationId, scopes: ['mfa-workflow:execute'] });
      for (const group of groupsOf(people)) await startEach(service, group);
      expect([label, await statistics(applicationId)]).toEqual([label, await counted(people)]);
    }
  }, 120_000);

  test('an external identity provider decides alone, and begins no grace', async () => {
    for (const group of groupsOf(await populate(300))) {
      const service = await server.caller({
        applicationId: group[0]?.applicationId as string,
        scopes: ['mfa-workflow:execute'],
      });
      const local = await explainEach(service, group);
      const external = {
        status: 'AUTHENTICATED',
        reason: 'EXTERNAL_IDENTITY_PROVIDER',
        enrollmentDueAt: null,
      };
      const explained = await explainEach(service, group, 'EXTERNAL');
      expect(explained.map(({ decision }) => decision)).toEqual(group.map(() => external));
      expect(await startEach(service, group, 'EXTERNAL')).toEqual(group.map(() => external));
      expect(await explainEach(service, group)).toEqual(local);
    }
  }, 120_000);
});
