/** Whose turn it is: groups take turns, and so do the members of a group within its turns. */
export interface Turn {
  readonly group: string;
  readonly member: string;
}

/** Whoever entered leaves once the work is done, or nobody waits for it any more. */
export interface Place {
  /** Null for one that never waited. */
  readonly turn: Turn | null;
  isRunning: boolean;
  /** Its work goes on: it leaves when that ends, whatever was answered meanwhile. */
  isWorking: boolean;
  /** Called when a place that had to wait has its turn. */
  start: () => void;
  /** Called when a place that waits had to make room for another member of its group. */
  refuse: () => void;
}

interface Group {
  /** In the order of their turns. */
  members: Map<string, Set<Place>>;
  waiting: number;
}

/**
 * Lets so many run at once. The rest wait, each behind others of its own member, and members and groups take
 * turns: who asks for much waits for itself, and nobody else does. (Kubernetes shares its API server likewise:
 * API Priority and Fairness.) Groups and members are known while somebody waits, and no longer.
 *
 * Where too many of a group wait, its member that has most of them gives up the last.
 */
export class FairQueue {
  readonly #runningMax: number;
  readonly #waitingMax: number;
  /** By name, in the order of their turns. */
  readonly #groups = new Map<string, Group>();
  #running = 0;
  #waiting = 0;

  /** @param waitingMax of one group */
  constructor({ runningMax, waitingMax }: { runningMax: number; waitingMax: number }) {
    this.#runningMax = runningMax;
    this.#waitingMax = waitingMax;
  }

  get running(): number {
    return this.#running;
  }

  get waiting(): number {
    return this.#waiting;
  }

  /**
   * @param turnOf whose turn it takes; asked where it has to wait
   * @returns a place that runs or waits; null where as many of the group wait already as may
   */
  enter(turnOf: () => Turn): Place | null {
    if (this.#running < this.#runningMax) {
      const place = placeOf(null);
      this.#run(place);
      return place;
    }
    const turn = turnOf();
    const group = this.#groups.get(turn.group) ?? { members: new Map(), waiting: 0 };
    if (group.waiting >= this.#waitingMax && !this.#makeRoom(group, turn.member)) return null;
    const queue = group.members.get(turn.member) ?? new Set();
    const place = placeOf(turn);
    queue.add(place);
    group.members.set(turn.member, queue);
    group.waiting += 1;
    this.#groups.set(turn.group, group);
    this.#waiting += 1;
    return place;
  }

  /** May be called more than once. */
  leave(place: Place): void {
    if (place.isRunning) {
      place.isRunning = false;
      this.#running -= 1;
      this.#runNext();
      return;
    }
    if (place.turn === null) return;
    const { group: name, member } = place.turn;
    const group = this.#groups.get(name);
    const queue = group?.members.get(member);
    if (!group || !queue?.delete(place)) return;
    this.#waiting -= 1;
    group.waiting -= 1;
    if (queue.size === 0) group.members.delete(member);
    if (group.waiting === 0) this.#groups.delete(name);
  }

  /** @returns whether a place was given up, by a member that has more of them even so */
  #makeRoom(group: Group, member: string): boolean {
    let most: ReadonlySet<Place> = new Set();
    for (const queue of group.members.values()) if (queue.size > most.size) most = queue;
    if (most.size <= (group.members.get(member)?.size ?? 0) + 1) return false;
    const last = [...most].at(-1) as Place;
    this.leave(last);
    last.refuse();
    return true;
  }

  #runNext(): void {
    const group = moveBack(this.#groups);
    const queue = group && moveBack(group.members);
    for (const place of queue ?? []) {
      this.leave(place);
      this.#run(place);
      place.start();
      return;
    }
  }

  #run(place: Place): void {
    place.isRunning = true;
    this.#running += 1;
  }
}

const placeOf = (turn: Turn | null): Place => ({
  turn,
  isRunning: false,
  isWorking: false,
  start: () => {},
  refuse: () => {},
});

/** The first of them, whose next turn comes after everybody else's. */
function moveBack<T>(all: Map<string, T>): T | undefined {
  const [first] = all;
  if (first === undefined) return undefined;
  all.delete(first[0]);
  all.set(...first);
  return first[1];
}
