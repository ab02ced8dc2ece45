import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { startTestServer, type TestCaller, type TestServer } from '../setup/harness.ts';
import { type Place, populate } from './populations.ts';

/*
 * Of more than a thousand users in random states, explainMfa, startMfa and the state that is shown
 * say the same. The seed is in the name of the failing expectation.
 */

let server: TestServer;
let admin: TestCaller;
const seed = Date.now() % 1_000_000;
let people: Place[];
beforeAll(async () => {
  server = await startTestServer();
  server.clock.fix(new Date());
  admin = await server.caller({ scopes: ['auth-factor:read'] });
  people = await populate(server.database, server.clock.now(), seed, {
    applications: 13,
    tenants: 8,
    users: 11,
  });
});
afterAll(() => server.stop());

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

/** Users of one application, a few at a time: a request has 20 root fields at most. */
const groups = (): Place[][] =>
  [...Map.groupBy(people, ({ applicationId }) => applicationId).values()].flatMap((group) =>
    Array.from({ length: Math.ceil(group.length / 10) }, (_, n) => group.slice(n * 10, n * 10 + 10)),
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

describe('for every user of a random population', () => {
  test('explainMfa, startMfa and the state agree, before the sign-in and after', async () => {
    const reasons = new Map<string, number>();
    for (const group of groups()) {
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

  test('an external identity provider decides alone, and begins no grace', async () => {
    for (const group of groups().slice(0, 20)) {
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
