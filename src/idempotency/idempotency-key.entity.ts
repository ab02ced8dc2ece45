import { defineEntity, p } from '@mikro-orm/core';
import { moment, text } from '../db/columns.ts';

/** Which calls were carried out already, and what they answered. No secret is ever kept here. */
export const IdempotencyKeyEntity = defineEntity({
  name: 'IdempotencyKey',
  tableName: 'idempotency_keys',
  properties: {
    /** Digest of caller, boundary, mutation and key. */
    id: text().primary(),
    inputDigest: text(),
    /** Null only inside the transaction that carries the call out. */
    answer: p.json<Record<string, unknown>>().columnType('jsonb').nullable(),
    createdAt: moment(),
  },
  indexes: [{ name: 'idempotency_keys_created_at_index', properties: ['createdAt'] }],
});
