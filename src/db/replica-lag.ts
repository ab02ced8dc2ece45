/**
 * How far replicas are behind, by the primary's own account: where its write-ahead log stood at moments of the
 * near past. A replica that has replayed up to such a place has all that was committed before that moment.
 *
 * Not chosen: `now() - pg_last_xact_replay_timestamp()`, which grows while nobody writes and compares two clocks;
 * and received against replayed, which are equal on a replica that has lost its primary.
 */
export class ReplicaLag {
  /** Oldest first; positions never fall. */
  #samples: { position: bigint; at: number }[] = [];
  readonly #rememberedMs: number;

  constructor(rememberedMs: number) {
    this.#rememberedMs = rememberedMs;
  }

  /**
   * @param position up to where the primary's log was on disk. What it has not flushed no replica can have, and an
   *   idle primary may leave a rest unflushed for good: its insert position would make replicas seem late for ever
   * @param at when it was asked, on a clock that is never set; not when it answered
   */
  saw(position: bigint, at: number): void {
    const last = this.#samples.at(-1);
    // Another primary, which lacks what the one before had: nothing is known of its past.
    if (last !== undefined && position < last.position) this.#samples = [];
    // Of a place where it stood for long, the last moment is as good as all.
    if (last?.position === position) this.#samples.pop();
    this.#samples.push({ position, at });
    while ((this.#samples[0]?.at ?? at) < at - this.#rememberedMs) this.#samples.shift();
  }

  /** The last moment before which all commits are known to be replayed; -Infinity where none is known. */
  completeAt(replayed: bigint): number {
    return this.#samples.findLast(({ position }) => position <= replayed)?.at ?? Number.NEGATIVE_INFINITY;
  }
}
