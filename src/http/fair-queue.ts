/** Whoever entered leaves once the work is done, or nobody waits for it any more. */
export interface Place {
  readonly key: string;
  isRunning: boolean;
  /** Called when a place that had to wait has its turn. */
  start: () => void;
}

/**
 * Lets so many run at once. The rest wait, each behind others of its own key, and the keys take turns: who
 * asks for much waits for itself, and nobody else does. (Kubernetes shares its API server likewise: API
 * Priority and Fairness.) Keys are known while somebody waits, and no longer.
 */
export class FairQueue {
  readonly #runningMax: number;
  readonly #waitingMax: number;
  /** By key, in the order of their turns. */
  readonly #queues = new Map<string, Set<Place>>();
  #running = 0;
  #waiting = 0;

  /** @param waitingMax of one key */
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

  /** @returns a place that runs or waits; null where as many of the key wait already as may */
  enter(key: string): Place | null {
    const place: Place = { key, isRunning: false, start: () => {} };
    if (this.#running < this.#runningMax) {
      this.#run(place);
      return place;
    }
    const queue = this.#queues.get(key) ?? new Set();
    if (queue.size >= this.#waitingMax) return null;
    queue.add(place);
    this.#queues.set(key, queue);
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
    const queue = this.#queues.get(place.key);
    if (!queue?.delete(place)) return;
    this.#waiting -= 1;
    if (queue.size === 0) this.#queues.delete(place.key);
  }

  #runNext(): void {
    const [first] = this.#queues;
    if (first === undefined) return;
    const [key, queue] = first;
    // The key's next turn comes after everybody else's.
    this.#queues.delete(key);
    this.#queues.set(key, queue);
    for (const place of queue) {
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
