import type { Layout } from './db/distribute.ts';

/**
 * Where each table lies in a database of several nodes. What a tenant owns lies in its tenant's shard,
 * so that all of a sign-in is done on one node; what concerns no tenant stands there under the tenant
 * id ''. A test holds this against the schema.
 */
export const databaseLayout: Layout = {
  // A position of the feed is read together with the rows it is about, on whichever node they lie.
  reference: ['applications', 'webhook_endpoints', 'policy_feed', 'audit_prunes'],
  distributed: {
    tenants: 'id',
    users: 'tenant_id',
    auth_factors: 'tenant_id',
    pending_auth_factors: 'tenant_id',
    mfa_steps: 'tenant_id',
    // A key is its caller's, whichever tenant the call is about: used for another one, it is refused.
    idempotency_keys: 'id',
    audit_events: 'tenant_id',
    audit_unsealed: 'tenant_id',
    audit_chains: 'tenant_id',
    audit_seals: 'tenant_id',
    audit_pruned_chains: 'tenant_id',
    webhook_deliveries: 'tenant_id',
    webhook_lanes: 'tenant_id',
  },
  local: ['mikro_orm_migrations'],
};
