import type { EntityManager } from '@mikro-orm/postgresql';
import { callerOf, type RequestContext, transaction } from '../caller/context.ts';
import { countOf, rowOf, sql } from '../db/sql.ts';
import { secondsAfter } from '../shared/clock.ts';
import { canonicalJson, digestOf } from '../shared/digest.ts';
import { idempotencyHours } from '../shared/limits.ts';
import { InvalidInput } from '../shared/user-error.type.ts';

/** A call that may be repeated: what it does, and how its answer is kept and given again. */
export interface RepeatableCall<Answer extends object> {
  mutation: string;
  /** The caller's key; without one the call is simply carried out. */
  key: string | null | undefined;
  input: object;
  act(em: EntityManager): Promise<Answer>;
  /** What to keep of the answer: JSON without a secret. */
  keep(answer: Answer): Record<string, unknown>;
  restore(kept: Record<string, unknown>, em: EntityManager): Answer | Promise<Answer>;
}

/**
 * Carries a call out in one transaction, at most once for a key in 24 h.
 *
 * The key's row is claimed by an insert whose row count decides; a parallel call with the same key
 * waits at that insert until the first has committed (and gets its answer) or rolled back (and acts
 * itself).
 * @returns the first call's answer; InvalidInput when the key came with another input before
 */
export function once<Answer extends object>(
  context: RequestContext,
  call: RepeatableCall<Answer>,
): Promise<Answer | InvalidInput> {
  return transaction(context, async (em) => {
    if (call.key == null) return call.act(em);
    const id = keyId(context, call.mutation, call.key);
    const inputDigest = digestOf(canonicalJson({ ...call.input, idempotencyKey: null }));
    if (await claim(context, em, id, inputDigest)) {
      const answer = await call.act(em);
      const kept = JSON.stringify(call.keep(answer));
      await countOf(em, sql`update idempotency_keys set answer = ${kept}::jsonb where id = ${id}`);
      return answer;
    }
    const first = await rowOf(
      em,
      sql<{ inputDigest: string; answer: Record<string, unknown> }>`
        select input_digest as "inputDigest", answer from idempotency_keys where id = ${id}`,
    );
    if (first === null || first.inputDigest !== inputDigest) {
      return new InvalidInput(
        'idempotencyKey',
        'idempotencyKey was used for this mutation with another input; take a new key for a new call.',
      );
    }
    return call.restore(first.answer, em);
  });
}

function keyId(context: RequestContext, mutation: string, key: string): string {
  const { subject, applicationId, tenantId } = callerOf(context);
  return digestOf(subject, applicationId ?? undefined, tenantId ?? undefined, mutation, key);
}

async function claim(
  { clock }: RequestContext,
  em: EntityManager,
  id: string,
  inputDigest: string,
): Promise<boolean> {
  const now = clock.now();
  const forgotten = secondsAfter(now, -idempotencyHours * 3600);
  const claimed = await countOf(
    em,
    sql`insert into idempotency_keys (id, input_digest, created_at) values (${id}, ${inputDigest}, ${now})
      on conflict (id) do update set input_digest = excluded.input_digest, created_at = excluded.created_at, answer = null
      where idempotency_keys.created_at <= ${forgotten}`,
  );
  return claimed === 1;
}
