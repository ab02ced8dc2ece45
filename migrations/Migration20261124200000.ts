import { Migration } from '@mikro-orm/migrations';

/** Webhooks: endpoints, deliveries, and the lanes in which they wait. The queue of seals tells what they need. */
export class Migration20261124200000 extends Migration {
  override up(): void {
    this.addSql(
      `alter table "audit_unsealed" add column "at" timestamptz(3) null, add column "action" text collate "C" null`,
    );
    this.addSql(`update "audit_unsealed" u set "at" = e."at", "action" = e."action"
      from "audit_events" e where e."tenant_id" = u."tenant_id" and e."id" = u."event_id"`);
    this.addSql(
      `alter table "audit_unsealed" alter column "at" set not null, alter column "action" set not null`,
    );
    this.addSql(`create table "webhook_endpoints" (
        "id" uuid not null,
        "application_id" text collate "C" not null,
        "url" text collate "C" not null,
        "actions" text[] null,
        "enabled" boolean not null,
        "gone" boolean not null default false,
        "key_id" text collate "C" not null,
        "secret" bytea not null,
        "previous_key_id" text collate "C" null,
        "previous_secret" bytea null,
        "previous_until" timestamptz(3) null,
        "created_at" timestamptz(3) not null,
        "updated_at" timestamptz(3) not null,
        primary key ("id")
      )`);
    this.addSql(
      `create index "webhook_endpoints_application_index" on "webhook_endpoints" ("application_id", "created_at", "id")`,
    );
    this.addSql(`create table "webhook_deliveries" (
        "tenant_id" text collate "C" not null,
        "endpoint_id" uuid not null,
        "seal" bigint not null,
        "ordinal" integer not null,
        "application_id" text collate "C" not null,
        "event_id" uuid not null,
        "event_at" timestamptz(3) not null,
        "action" text collate "C" not null,
        "state" text collate "C" not null,
        "attempts" integer not null default 0,
        "last_error" text collate "C" null,
        "last_attempt_at" timestamptz(3) null,
        "queued_at" timestamptz(3) not null,
        "settled_at" timestamptz(3) null,
        primary key ("tenant_id", "endpoint_id", "seal", "ordinal")
      )`);
    this.addSql(
      `create index "webhook_deliveries_state_index" on "webhook_deliveries" ("state", "tenant_id", "endpoint_id", "seal", "ordinal")`,
    );
    this.addSql(
      `create index "webhook_deliveries_application_index" on "webhook_deliveries" ("application_id", "event_at", "event_id", "endpoint_id")`,
    );
    this.addSql(
      `create index "webhook_deliveries_endpoint_index" on "webhook_deliveries" ("endpoint_id", "event_id")`,
    );
    this.addSql(`create index "webhook_deliveries_settled_index" on "webhook_deliveries" ("settled_at")`);
    this.addSql(
      `alter table "webhook_deliveries" add constraint "webhook_deliveries_state_check" check (state in ('PENDING', 'DELIVERED', 'DEAD') and (state = 'PENDING') = (settled_at is null))`,
    );
    this.addSql(`create table "webhook_lanes" (
        "tenant_id" text collate "C" not null,
        "endpoint_id" uuid not null,
        "due_at" timestamptz(3) not null,
        "failures" integer not null default 0,
        "lease" uuid null,
        "leased_until" timestamptz(3) null,
        "version" bigint not null,
        primary key ("tenant_id", "endpoint_id")
      )`);
    this.addSql(`create index "webhook_lanes_due_index" on "webhook_lanes" ("due_at")`);
    this.addSql(`create index "webhook_lanes_endpoint_index" on "webhook_lanes" ("endpoint_id")`);
    this.addSql(
      `alter table "webhook_endpoints" add constraint "webhook_endpoints_application_id_foreign" foreign key ("application_id") references "applications" ("id") on delete cascade`,
    );
    // Lanes go before deliveries, as whoever sends locks them.
    this.addSql(
      `alter table "webhook_lanes" add constraint "webhook_lanes_endpoint_id_foreign" foreign key ("endpoint_id") references "webhook_endpoints" ("id") on delete cascade`,
    );
    this.addSql(
      `alter table "webhook_deliveries" add constraint "webhook_deliveries_endpoint_id_foreign" foreign key ("endpoint_id") references "webhook_endpoints" ("id") on delete cascade`,
    );
  }
}
