import { Migration } from '@mikro-orm/migrations';

/** Applications and tenants with their policies, the audit record, idempotency keys. */
export class Migration20261124000000 extends Migration {
  override up(): void {
    this.addSql(`create table "applications" (
        "id" text collate "C" not null,
        "display_name" text collate "C" not null,
        "name_key" text collate "C" not null,
        "override_rule" text collate "C" not null default 'ANY',
        "totp_enabled" boolean not null default false,
        "recovery_codes_enabled" boolean not null default false,
        "enrollment" text collate "C" not null default 'OPTIONAL',
        "grace_period_days" integer not null default 0,
        "issuer" text collate "C" null,
        "policy_version" integer not null default 1,
        "policy_updated_at" timestamptz(3) not null,
        "created_at" timestamptz(3) not null,
        primary key ("id")
      )`);
    this.addSql(`create index "applications_name_index" on "applications" ("name_key", "id")`);
    this.addSql(
      `alter table "applications" add constraint "applications_policy_check" check (override_rule in ('ANY', 'STRICTER_ONLY', 'NONE') and enrollment in ('OPTIONAL', 'REQUIRED') and grace_period_days between 0 and 365 and (totp_enabled or not (recovery_codes_enabled or enrollment = 'REQUIRED')))`,
    );
    this.addSql(`create table "audit_events" (
        "tenant_id" text collate "C" not null,
        "id" uuid not null,
        "application_id" text collate "C" not null,
        "at" timestamptz(3) not null,
        "action" text collate "C" not null,
        "actor" text collate "C" not null,
        "user_id" text collate "C" null,
        "detail" jsonb not null,
        primary key ("tenant_id", "id")
      )`);
    this.addSql(`create index "audit_events_application_index" on "audit_events" ("application_id", "id")`);
    this.addSql(`create table "idempotency_keys" (
        "id" text collate "C" not null,
        "input_digest" text collate "C" not null,
        "answer" jsonb null,
        "created_at" timestamptz(3) not null,
        primary key ("id")
      )`);
    this.addSql(`create index "idempotency_keys_created_at_index" on "idempotency_keys" ("created_at")`);
    this.addSql(`create table "tenants" (
        "id" text collate "C" not null,
        "application_id" text collate "C" not null,
        "display_name" text collate "C" not null,
        "name_key" text collate "C" not null,
        "override_enabled" boolean not null default false,
        "totp_enabled" boolean null,
        "recovery_codes_enabled" boolean null,
        "enrollment" text collate "C" null,
        "grace_period_days" integer null,
        "issuer" text collate "C" null,
        "policy_version" integer not null default 0,
        "policy_updated_at" timestamptz(3) null,
        "created_at" timestamptz(3) not null,
        primary key ("id")
      )`);
    this.addSql(
      `create index "tenants_application_name_index" on "tenants" ("application_id", "name_key", "id")`,
    );
    this.addSql(
      `alter table "tenants" add constraint "tenants_policy_check" check (enrollment in ('OPTIONAL', 'REQUIRED') and grace_period_days between 0 and 365 and (totp_enabled or not (recovery_codes_enabled or enrollment = 'REQUIRED')))`,
    );
    this.addSql(
      `alter table "tenants" add constraint "tenants_policy_whole_check" check (case when policy_version = 0 then num_nonnulls(totp_enabled, recovery_codes_enabled, enrollment, grace_period_days, issuer, policy_updated_at) = 0 and not override_enabled else num_nulls(totp_enabled, recovery_codes_enabled, enrollment, grace_period_days, policy_updated_at) = 0 end)`,
    );
    this.addSql(
      `alter table "tenants" add constraint "tenants_application_id_foreign" foreign key ("application_id") references "applications" ("id") on delete cascade`,
    );
  }
}
