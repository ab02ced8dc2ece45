import { setTimeout as sleep } from 'node:timers/promises';
import pg, { type Pool } from 'pg';
import type { Failed } from '../shared/background.ts';
import { policyFeedBeatMs, policyFeedRetryMs, policyFeedTimeoutMs } from '../shared/limits.ts';
import { policyChannel, readNotice } from './policy-change.ts';
import type { PolicySnapshot } from './policy-snapshot.ts';

/** Asked at every beat, on the connection that is listened on. */
export const policyFeedBeat = 'select position from policy_feed';
/** Asked when a connection to the feed is made. */
export const policyFeedListen = `listen ${policyChannel}`;

/**
 * Keeps a snapshot coherent: listens for changes, and asks at every beat how many there have been. A
 * connection that is lost puts the snapshot in doubt until the next one stands.
 */
export function startPolicyFeed({
  pool,
  directUrl,
  snapshot,
  failed,
}: {
  pool: Pool;
  /** Past a pooler: through one, nothing can be listened to. */
  directUrl?: string | undefined;
  snapshot: PolicySnapshot;
  failed: Failed;
}): { stop(): Promise<void> } {
  const stopping = new AbortController();
  const { signal } = stopping;
  const running = (async () => {
    // An outage is told of once, however long it lasts; what fails within it is counted.
    let isTold = false;
    const onFollowed = () => {
      isTold = false;
    };
    while (!signal.aborted) {
      await follow(pool, directUrl, snapshot, signal, onFollowed).catch((error) => {
        if (signal.aborted) return;
        failed('policy_feed', error, isTold ? null : lostMessage);
        isTold = true;
      });
      snapshot.doubt();
      await sleep(policyFeedRetryMs, undefined, { signal }).catch(() => {});
    }
  })();
  return {
    async stop() {
      stopping.abort();
      await running;
    },
  };
}

const lostMessage = 'the feed of policies is lost; until it is back, policies are read from the database';

/** Follows the feed on one connection, for as long as it lasts. */
async function follow(
  { options }: Pool,
  directUrl: string | undefined,
  snapshot: PolicySnapshot,
  signal: AbortSignal,
  onFollowed: () => void,
): Promise<void> {
  const client = new pg.Client({
    ...options,
    // pg hides it from being copied.
    password: options.password,
    ...(directUrl !== undefined && { connectionString: directUrl }),
    query_timeout: policyFeedTimeoutMs,
  });
  const lost = new AbortController();
  const over = AbortSignal.any([signal, lost.signal]);
  client.on('error', () => lost.abort());
  client.on('end', () => lost.abort());
  client.on('notification', ({ payload }) => {
    const notice = readNotice(payload);
    if (notice) snapshot.hear(notice.position, notice.change);
  });
  try {
    await client.connect();
    await client.query(policyFeedListen);
    for (;;) {
      const at = performance.now();
      const { rows } = await client.query<{ position: string }>(policyFeedBeat);
      if (rows[0] === undefined) throw new Error('The feed of policies has no row.');
      over.throwIfAborted();
      snapshot.compare(Number(rows[0].position), at);
      onFollowed();
      await sleep(policyFeedBeatMs, undefined, { signal: over });
    }
  } finally {
    // Where the database does not answer, nor does it to this.
    void client.end().catch(() => {});
  }
}
