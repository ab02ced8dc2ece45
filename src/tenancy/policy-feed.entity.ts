import { defineEntity, p } from '@mikro-orm/core';

/**
 * One row: how many changes there have been of what effective policies are made of. Whoever commits such
 * a change moves it on in the same transaction, so a number that is skipped is a change that was missed.
 */
export const PolicyFeedEntity = defineEntity({
  name: 'PolicyFeed',
  tableName: 'policy_feed',
  properties: {
    /** Always 1. */
    id: p.smallint().primary().autoincrement(false),
    position: p.bigint('number').columnType('bigint').default(0),
  },
  checks: [{ name: 'policy_feed_one_check', expression: 'id = 1' }],
});
