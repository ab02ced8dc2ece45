import type { EntityManager } from '@mikro-orm/postgresql';
import { callerOf, type RequestContext, transaction } from '../caller/context.ts';
import { countOf, type RawBuilder, rowOf, sql } from '../db/sql.ts';
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
    const key = keyOf(context, call.mutation, call.key, call.input);
    if ((await countOf(em, claim(context, key, null))) === 1) {
      const answer = await call.act(em);
      const kept = JSON.stringify(call.keep(answer));
      await countOf(em, sql`update idempotency_keys set answer = ${kept}::jsonb where id = ${key.id}`);
      return answer;
    }
    const first = await rowOf(
      em,
      sql<{ inputDigest: string; answer: Record<string, unknown> }>`
        select input_digest as "inputDigest", answer from idempotency_keys where id = ${key.id}`,
    );
    return first?.inputDigest === key.inputDigest ? call.restore(first.answer, em) : usedForAnother();
  });
}

/** A call's key as it is stored: bound to caller, boundary and mutation, with a digest of its input. */
export interface IdempotencyKey {
  id: string;
  inputDigest: string;
}

export function keyOf(context: RequestContext, mutation: string, key: string, input: object): IdempotencyKey {
  const { subject, applicationId, tenantId } = callerOf(context);
  return {
    id: digestOf(subject, applicationId ?? undefined, tenantId ?? undefined, mutation, key),
    inputDigest: digestOf(canonicalJson({ ...input, idempotencyKey: null })),
  };
}

/**
 * The insert that claims a key, whose row count decides. A parallel call with the key waits at it.
 * @param answer what is kept of the answer, where it is known by now; never a secret
 */
export function claim(
  { clock }: RequestContext,
  { id, inputDigest }: IdempotencyKey,
  answer: object | null,
): RawBuilder<unknown> {
  const now = clock.now();
  const forgotten = secondsAfter(now, -idempotencyHours * 3600);
  return sql`insert into idempotency_keys (id, input_digest, created_at, answer)
    values (${id}, ${inputDigest}, ${now}, ${answer && JSON.stringify(answer)}::jsonb)
    on conflict (id) do update set input_digest = excluded.input_digest, created_at = excluded.created_at, answer = excluded.answer
    where idempotency_keys.created_at <= ${forgotten}`;
}

export const usedForAnother = (): InvalidInput =>
  new InvalidInput(
    'idempotencyKey',
    'idempotencyKey was used for this mutation with another input; take a new key for a new call.',
  );
