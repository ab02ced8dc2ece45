import { defineEntity, p } from '@mikro-orm/core';
import { moment, text } from '../db/columns.ts';

/*
 * The record's hash chains. An event's digest is queued in the transaction that records it; a sealer
 * takes what is queued and appends it to the chain, so that writers never wait on one another.
 */

/** What was recorded and is in no seal yet. */
export const AuditUnsealedEntity = defineEntity({
  name: 'AuditUnsealed',
  tableName: 'audit_unsealed',
  properties: {
    tenantId: text().primary(),
    /** The order in which they are sealed. */
    position: p.bigint().generated('identity').primary(),
    applicationId: text(),
    eventId: p.uuid(),
    digest: p.blob(),
    at: moment(),
    action: text(),
  },
});

/** The head of each chain: one per tenant, and one per application for what concerns it as a whole. */
export const AuditChainEntity = defineEntity({
  name: 'AuditChain',
  tableName: 'audit_chains',
  properties: {
    tenantId: text().primary(),
    applicationId: text().primary(),
    /** Number of the newest seal; the first is 1. */
    seal: p.bigint(),
    previousHash: p.blob(),
    hash: p.blob(),
  },
});

/** A seal over some events. Append-only. */
export const AuditSealEntity = defineEntity({
  name: 'AuditSeal',
  tableName: 'audit_seals',
  properties: {
    tenantId: text().primary(),
    applicationId: text().primary(),
    seal: p.bigint().primary(),
    eventIds: p.array().columnType('uuid[]'),
    /** SHA-256 of each event, in the order of eventIds. */
    eventDigests: p.blob().columnType('bytea[]'),
    sealedAt: moment(),
    previousHash: p.blob(),
    /** SHA-256 over previousHash, the number, and ids and digests of all events. */
    hash: p.blob(),
  },
});

/** Before which moment the record was pruned. */
export const AuditPruneEntity = defineEntity({
  name: 'AuditPrune',
  tableName: 'audit_prunes',
  properties: {
    before: moment().primary(),
    prunedAt: moment(),
  },
});

/** The last seal of a chain that was pruned: the one from which what is kept goes on. */
export const AuditPrunedChainEntity = defineEntity({
  name: 'AuditPrunedChain',
  tableName: 'audit_pruned_chains',
  properties: {
    tenantId: text().primary(),
    applicationId: text().primary(),
    seal: p.bigint(),
    hash: p.blob(),
  },
});
