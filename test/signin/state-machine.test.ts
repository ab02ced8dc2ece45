import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { startTestServer, type TestServer, uniqueId } from '../setup/harness.ts';
import { readDrawing } from './step-drawing.ts';
import { events, idleEvents, inState, reachableStates, stateOf } from './step-drivers.ts';
import { introspect, setPolicy, stepOf } from './step-tools.ts';
import { enrolledUser, signInWorld, startToken } from './user-agent.ts';

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
});
afterAll(() => server.stop());

const { states, edges } = readDrawing();
const begins = edges.filter(({ from }) => from === '[*]');
const moves = edges.filter(({ from }) => from !== '[*]');
const over = ['Finished', 'Ended', 'Expired'];

describe('the drawing of the MFA step', () => {
  test('names every state once, and connects only those', () => {
    expect([...new Set(states)]).toEqual(states);
    const connected = new Set(edges.flatMap(({ from, to }) => [from, to]).filter((state) => state !== '[*]'));
    expect([...connected].sort()).toEqual([...states].sort());
    expect([...states].sort()).toEqual([...reachableStates].sort());
  });

  test('has a driver for every event, and an edge for every driver', () => {
    expect([...new Set(moves.map(({ event }) => event))].sort()).toEqual(Object.keys(events).sort());
  });

  test('lets an event lead from a state to one other only', () => {
    const keys = moves.map(({ from, event }) => `${from}: ${event}`);
    expect([...new Set(keys)]).toEqual(keys);
  });

  test('leaves what is over alone', () => {
    expect(moves.filter(({ from }) => over.includes(from))).toEqual([]);
  });

  test('begins as startMfa does', async () => {
    expect(begins).toEqual([
      { from: '[*]', to: 'EnrollmentOpen', event: 'startMfa for a user who is not enrolled' },
      { from: '[*]', to: 'ChallengeOpen', event: 'startMfa for an enrolled user' },
    ]);
    const world = await signInWorld(server);
    const user = await enrolledUser(server, world);
    const purposeOf = async (userId: string) => (await stepOf(server, await startToken(world, userId))).purpose;
    expect(await purposeOf(user.id)).toBe('CHALLENGE');
    expect(await purposeOf(uniqueId('user'))).toBe('ENROLLMENT');
    await setPolicy(world, { gracePeriodDays: 3 });
    expect(await purposeOf(uniqueId('user'))).toBe('ENROLLMENT');
  });
});

describe.each(states)('a step in the state %s', (state) => {
  test.each(Object.keys(events))('goes where the drawing says: %s', async (event) => {
    const driven = await inState(server, state);
    await events[event]?.(driven);
    const drawn = moves.find((edge) => edge.from === state && edge.event === event);
    expect(await stateOf(driven)).toBe(drawn?.to ?? state);
  });

  test.each(Object.keys(idleEvents))('stays where it is: %s', async (event) => {
    const driven = await inState(server, state);
    await idleEvents[event]?.(driven);
    expect(await stateOf(driven)).toBe(state);
  });

  test('is shown by its token as long as it is not over', async () => {
    const { world, mfaToken } = await inState(server, state);
    const info = await introspect(world.browser, mfaToken);
    if (over.includes(state)) expect(info).toBeNull();
    else expect(info?.satisfied).toBe(!state.endsWith('Open'));
  });
});
