import { Migration20261124000000 } from '../migrations/Migration20261124000000.ts';
import { Migration20261124120000 } from '../migrations/Migration20261124120000.ts';
import { Migration20261124180000 } from '../migrations/Migration20261124180000.ts';
import { Migration20261124200000 } from '../migrations/Migration20261124200000.ts';
import { Migration20261124220000 } from '../migrations/Migration20261124220000.ts';
import { Migration20261124230000 } from '../migrations/Migration20261124230000.ts';
import { prepareRecord } from './audit/append-only.ts';
import { AuditEventEntity } from './audit/audit-event.entity.ts';
import {
  AuditChainEntity,
  AuditPrunedChainEntity,
  AuditPruneEntity,
  AuditSealEntity,
  AuditUnsealedEntity,
} from './audit/audit-seal.entity.ts';
import type { Schema } from './db/connection.ts';
import { AuthFactorEntity, PendingAuthFactorEntity } from './factor/auth-factor.entity.ts';
import { IdempotencyKeyEntity } from './idempotency/idempotency-key.entity.ts';
import { MfaStepEntity } from './signin/mfa-step.entity.ts';
import { ApplicationEntity } from './tenancy/application.entity.ts';
import { PolicyFeedEntity } from './tenancy/policy-feed.entity.ts';
import { TenantEntity } from './tenancy/tenant.entity.ts';
import { UserEntity } from './user/user.entity.ts';
import { WebhookDeliveryEntity, WebhookLaneEntity } from './webhook/webhook-delivery.entity.ts';
import { WebhookEndpointEntity } from './webhook/webhook-endpoint.entity.ts';

/** Every table, and every step that led to it, oldest first. */
export const databaseSchema: Schema = {
  entities: [
    ApplicationEntity,
    TenantEntity,
    PolicyFeedEntity,
    UserEntity,
    AuthFactorEntity,
    PendingAuthFactorEntity,
    MfaStepEntity,
    AuditEventEntity,
    AuditUnsealedEntity,
    AuditChainEntity,
    AuditSealEntity,
    AuditPruneEntity,
    AuditPrunedChainEntity,
    IdempotencyKeyEntity,
    WebhookEndpointEntity,
    WebhookDeliveryEntity,
    WebhookLaneEntity,
  ],
  migrations: [
    { name: 'Migration20261124000000', class: Migration20261124000000 },
    { name: 'Migration20261124120000', class: Migration20261124120000 },
    { name: 'Migration20261124180000', class: Migration20261124180000 },
    { name: 'Migration20261124200000', class: Migration20261124200000 },
    { name: 'Migration20261124220000', class: Migration20261124220000 },
    { name: 'Migration20261124230000', class: Migration20261124230000 },
  ],
  prepare: (owner) => prepareRecord(owner, new Date()),
};
