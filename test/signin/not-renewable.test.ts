import { afterAll, beforeAll, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { startTestServer, type TestServer, uniqueId } from '../setup/harness.ts';
import {
  enrolls,
  expectShown,
  isExempted,
  isReset,
  losesExemption,
  losesFactor,
  newModel,
  policyChanges,
  signsIn,
  timePasses,
  toggleIsSet,
} from './grace-model.ts';
import { signInWorld, start } from './user-agent.ts';

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
  server.clock.fix(new Date());
});
afterAll(() => server.stop());

const policy = fc.record({
  totpEnabled: fc.constantFrom(true, true, true, true, false),
  enrollment: fc.constantFrom('OPTIONAL' as const, 'REQUIRED' as const, 'REQUIRED' as const),
  gracePeriodDays: fc.integer({ min: 0, max: 14 }),
});
const possible = policy.map((values) =>
  values.totpEnabled ? values : { ...values, enrollment: 'OPTIONAL' as const },
);
const days = fc.integer({ min: 1, max: 9 });
const events = fc.commands(
  [
    fc.constant(signsIn()),
    fc.constant(signsIn()),
    fc.constant(enrolls()),
    fc.constant(losesFactor()),
    fc.constant(isReset()),
    days.map(isExempted),
    fc.constant(losesExemption()),
    possible.map(policyChanges),
    fc.tuple(fc.boolean(), fc.option(possible)).map(([enabled, values]) => toggleIsSet(enabled, values)),
    days.map(timePasses),
    days.map(timePasses),
  ],
  { maxCommands: 30, size: 'max' },
);

const initial = { totpEnabled: true, enrollment: 'REQUIRED' as const, gracePeriodDays: 7 };

test('grace is not renewable by any path, and explainMfa and startMfa agree at every point of it', async () => {
  await fc.assert(
    fc.asyncProperty(events, async (happened) => {
      const model = newModel(server.clock.now(), initial);
      const world = await signInWorld(server, { policy: initial });
      const real = { server, world, userId: uniqueId('user'), factorId: null };
      await fc.asyncModelRun(() => ({ model, real }), happened);
      await expectShown(model, real);
    }),
    { numRuns: 25 },
  );
}, 180_000);

test('a user who does all that is to be done to a grace has the one that began first', async () => {
  const model = newModel(server.clock.now(), initial);
  const real = {
    server,
    world: await signInWorld(server, { policy: initial }),
    userId: uniqueId('user'),
    factorId: null,
  };
  const way = [
    ...[signsIn(), timePasses(3), isExempted(2), signsIn(), losesExemption(), isReset(), signsIn()],
    ...[toggleIsSet(true, null), toggleIsSet(false, null), signsIn(), timePasses(3)],
    ...[policyChanges({ ...initial, enrollment: 'OPTIONAL' }), signsIn(), policyChanges(initial), signsIn()],
    ...[timePasses(1), signsIn(), enrolls(), isReset(), signsIn(), isExempted(1), timePasses(1), signsIn()],
  ];
  for (const step of way) await step.run(model, real);
  expect(await start(real.world, real.userId)).toMatchObject({ reason: 'ENROLLMENT_REQUIRED' });
}, 60_000);
