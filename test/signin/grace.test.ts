import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { SetTenantMfaPolicyOverrideDocument } from '../generated/documents.ts';
import { startTestServer, type TestServer, uniqueId } from '../setup/harness.ts';
import { deleteFactor, exempt, openConnections, renewed, setPolicy } from './step-tools.ts';
import { enrolledUser, mfaOf, type SignInWorld, signInWorld, start } from './user-agent.ts';

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
});
afterAll(() => server.stop());

const dayMs = 24 * 3600 * 1000;

/** What happens to a user and to the policy that applies. */
const event = fc.oneof(
  { arbitrary: fc.record({ kind: fc.constant('sign in' as const) }), weight: 4 },
  {
    arbitrary: fc.record({ kind: fc.constant('wait' as const), days: fc.integer({ min: 1, max: 9 }) }),
    weight: 3,
  },
  {
    arbitrary: fc.record({
      kind: fc.constant('policy' as const),
      enrollment: fc.constantFrom('OPTIONAL' as const, 'REQUIRED' as const, 'REQUIRED' as const),
      gracePeriodDays: fc.integer({ min: 0, max: 14 }),
    }),
    weight: 2,
  },
  { arbitrary: fc.record({ kind: fc.constant('toggle' as const), enabled: fc.boolean() }), weight: 2 },
  {
    arbitrary: fc.record({
      kind: fc.constant('exempt' as const),
      days: fc.option(fc.integer({ min: 1, max: 9 })),
    }),
    weight: 1,
  },
);

/** The values behind the override toggle. */
const overrideValues = { totpEnabled: true, enrollment: 'REQUIRED' as const, gracePeriodDays: 5 };

async function toggle(world: SignInWorld, enabled: boolean): Promise<void> {
  await world.admin.call(SetTenantMfaPolicyOverrideDocument, {
    input: { tenantId: world.tenantId, enabled, policy: overrideValues },
  });
}

describe('grace', () => {
  test('runs from the first request to enroll and from no later one, whatever happens in between', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(event, { minLength: 6, maxLength: 14 }), async (events) => {
        let world = await signInWorld(server, {
          policy: { totpEnabled: true, enrollment: 'REQUIRED', gracePeriodDays: 3 },
        });
        const userId = uniqueId('user');
        const own = { enrollment: 'REQUIRED' as 'OPTIONAL' | 'REQUIRED', gracePeriodDays: 3 };
        let isOverridden = false;
        let requiredAt: number | null = null;
        let exemptUntil = 0;
        let isKnown = false;

        for (const happened of [...events, { kind: 'sign in' as const }]) {
          if (happened.kind === 'wait') {
            server.clock.advance(happened.days * 24 * 3600);
            world = await renewed(server, world);
          } else if (happened.kind === 'policy') {
            Object.assign(own, {
              enrollment: happened.enrollment,
              gracePeriodDays: happened.gracePeriodDays,
            });
            await setPolicy(world, own);
          } else if (happened.kind === 'toggle') {
            isOverridden = happened.enabled;
            await toggle(world, happened.enabled);
          } else if (happened.kind === 'exempt') {
            if (!isKnown) continue;
            exemptUntil = happened.days === null ? 0 : server.clock.now().getTime() + happened.days * dayMs;
            await exempt(server, world, userId, happened.days === null ? null : new Date(exemptUntil));
          } else {
            server.clock.fix(server.clock.now());
            const now = server.clock.now().getTime();
            const policy = isOverridden ? overrideValues : own;
            const isRequired = policy.enrollment === 'REQUIRED' && exemptUntil <= now;
            if (isRequired) requiredAt ??= now;
            const due = (requiredAt ?? now) + policy.gracePeriodDays * dayMs;
            const decision = await start(world, userId);
            const expected =
              exemptUntil > now
                ? 'EXEMPT'
                : !isRequired
                  ? 'ENROLLMENT_OPTIONAL'
                  : due > now
                    ? 'GRACE_PERIOD'
                    : 'ENROLLMENT_REQUIRED';
            expect(decision).toMatchObject({
              reason: expected,
              enrollmentDueAt: expected === 'GRACE_PERIOD' ? new Date(due).toISOString() : null,
            });
            isKnown = true;
            const { state, enrollmentDueAt } = await mfaOf(world, userId);
            if (expected === 'GRACE_PERIOD') expect(state).toBe('PENDING');
            expect(enrollmentDueAt).toBe(isRequired ? new Date(due).toISOString() : null);
          }
        }
      }),
      { numRuns: 8 },
    );
  }, 120_000);

  test('is over for a user who ever was enrolled, also after the factor was deleted', async () => {
    const world = await signInWorld(server, {
      policy: { totpEnabled: true, enrollment: 'REQUIRED', gracePeriodDays: 30 },
    });
    const user = await enrolledUser(server, world);
    await deleteFactor(world, user.factorId);
    expect(await start(world, user.id)).toMatchObject({
      status: 'MFA_ENROLLMENT_REQUIRED',
      reason: 'ENROLLMENT_REQUIRED',
      enrollmentDueAt: null,
    });
    expect(await mfaOf(world, user.id)).toMatchObject({ state: 'OVERDUE' });
  });

  test('is one for parallel first sign-ins', async () => {
    await openConnections(server);
    const world = await signInWorld(server, {
      policy: { totpEnabled: true, enrollment: 'REQUIRED', gracePeriodDays: 1 },
    });
    const userId = uniqueId('user');
    const decisions = await Promise.all(Array.from({ length: 20 }, () => start(world, userId)));
    const dues = decisions.map((decision) => 'enrollmentDueAt' in decision && decision.enrollmentDueAt);
    expect(new Set(dues).size).toBe(1);
    expect(dues[0]).toBe((await mfaOf(world, userId)).enrollmentDueAt);
  });
});
