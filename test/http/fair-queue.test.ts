import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { FairQueue, type Place } from '../../src/http/fair-queue.ts';

/** A letter is a group; a capital one of the group of small ones is its other member. */
const turnOf = (key: string) => () => ({ group: key.toLowerCase(), member: key });

/** Enters so many of a key; tells by a letter of the key, in the order in which they had their turn. */
function fill(queue: FairQueue, keys: string, turns: string[]): Place[] {
  return [...keys].map((key) => {
    const place = queue.enter(turnOf(key));
    if (place === null) throw new Error(`${key} was refused`);
    if (place.isRunning) turns.push(key);
    place.start = () => turns.push(key);
    return place;
  });
}

describe('REL-6: the fair queue', () => {
  test.each([
    ['aaaaab', 1, 'aabaaa'],
    ['aaaaabb', 2, 'aaababa'],
    ['aaabbbccc', 1, 'aabcabcbc'],
    ['aaaa', 4, 'aaaa'],
    ['abacad', 1, 'abacda'],
    ['aaaaAA', 1, 'aaAaAa'],
    ['aaaaAAbb', 1, 'aabAbaAa'],
  ])('REL-6: of %s, %i at once, the turns are %s', (keys, runningMax, expected) => {
    const queue = new FairQueue({ runningMax, waitingMax: 10 });
    const turns: string[] = [];
    const places = fill(queue, keys, turns);
    for (let left = places.length; left > 0; left -= 1) {
      const running = places.find(({ isRunning }) => isRunning);
      if (running) queue.leave(running);
    }
    expect(turns.join('')).toBe(expected);
  });

  test('REL-6: a key that waits as often as it may is refused, and others are not', () => {
    const queue = new FairQueue({ runningMax: 1, waitingMax: 2 });
    fill(queue, 'aaa', []);
    expect(queue.enter(turnOf('a'))).toBeNull();
    expect(queue.enter(turnOf('b'))).not.toBeNull();
  });

  test('REL-6: of a group that waits as often as it may, the member with most gives up its last for another', () => {
    const queue = new FairQueue({ runningMax: 1, waitingMax: 4 });
    const turns: string[] = [];
    const places = fill(queue, 'aaaaa', turns);
    const refused: number[] = [];
    for (const [n, place] of places.entries()) place.refuse = () => refused.push(n);
    expect(queue.enter(turnOf('a'))).toBeNull();
    places.push(...fill(queue, 'AA', turns));
    expect(refused).toEqual([4, 3]);
    // Now it would only have the other's share.
    expect(queue.enter(turnOf('A'))).toBeNull();
    expect(queue.enter(turnOf('a'))).toBeNull();
    expect(queue.waiting).toBe(4);
    for (let left = places.length; left > 0; left -= 1) {
      const running = places.find(({ isRunning }) => isRunning);
      if (running) queue.leave(running);
    }
    expect(turns.join('')).toBe('aaAaA');
  });

  test('REL-6: whatever enters and leaves, nobody waits beside a free turn, no more run than may, and nothing is left', () => {
    const step = fc.oneof(
      fc.record({ enter: fc.constantFrom('a', 'b', 'c') }),
      fc.record({ leave: fc.nat(), twice: fc.boolean() }),
    );
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 4 }), fc.array(step, { maxLength: 60 }), (runningMax, steps) => {
        const queue = new FairQueue({ runningMax, waitingMax: 5 });
        const inside: { place: Place; turns: number }[] = [];
        const leave = (index: number) => inside.splice(index % inside.length, 1)[0]?.place as Place;
        for (const each of steps) {
          if ('enter' in each) {
            const place = queue.enter(turnOf(each.enter));
            const ofKey = inside.filter(({ place }) => place.turn?.group === each.enter && !place.isRunning);
            if (place === null) expect(ofKey).toHaveLength(5);
            else {
              const entry = { place, turns: place.isRunning ? 1 : 0 };
              place.start = () => {
                entry.turns += 1;
              };
              inside.push(entry);
            }
          } else if (inside.length > 0) {
            const place = leave(each.leave);
            queue.leave(place);
            if (each.twice) queue.leave(place);
          }
          const running = inside.filter(({ place }) => place.isRunning);
          expect(queue.running).toBe(running.length);
          expect(queue.waiting).toBe(inside.length - running.length);
          expect(queue.running).toBe(Math.min(runningMax, inside.length));
          for (const { place, turns } of inside) expect(turns).toBe(place.isRunning ? 1 : 0);
        }
        while (inside.length > 0) queue.leave(leave(0));
        expect({ running: queue.running, waiting: queue.waiting }).toEqual({ running: 0, waiting: 0 });
      }),
      { numRuns: 300 },
    );
  });
});
