import { Migration } from '@mikro-orm/migrations';

/** Users, their factors, and the MFA step. */
export class Migration20261124120000 extends Migration {
  override up(): void {
    this.addSql(`create table "users" (
        "tenant_id" text collate "C" not null,
        "id" text collate "C" not null,
        "account_name" text collate "C" null,
        "enrollment_required_at" timestamptz(3) null,
        "first_enrolled_at" timestamptz(3) null,
        "exempt_until" timestamptz(3) null,
        "exemption_reason" text collate "C" null,
        "exemption_granted_by" text collate "C" null,
        "totp_failures" integer not null default 0,
        "totp_locked_until" timestamptz(3) null,
        "recovery_failures" integer not null default 0,
        "recovery_locked_until" timestamptz(3) null,
        "created_at" timestamptz(3) not null,
        primary key ("tenant_id", "id")
      )`);
    this.addSql(`create index "users_id_index" on "users" ("id")`);
    this.addSql(`create table "pending_auth_factors" (
        "tenant_id" text collate "C" not null,
        "id" uuid not null,
        "user_id" text collate "C" not null,
        "type" text collate "C" not null,
        "step_id" text collate "C" not null default '',
        "key_id" text collate "C" not null,
        "secret" bytea not null,
        "replaces" uuid null,
        "failures" integer not null default 0,
        "created_at" timestamptz(3) not null,
        "expires_at" timestamptz(3) not null,
        primary key ("tenant_id", "id")
      )`);
    this.addSql(
      `alter table "pending_auth_factors" add constraint "pending_auth_factors_one_unique" unique ("tenant_id", "user_id", "type", "step_id")`,
    );
    this.addSql(`create table "mfa_steps" (
        "tenant_id" text collate "C" not null,
        "id" uuid not null,
        "application_id" text collate "C" not null,
        "user_id" text collate "C" not null,
        "token_hash" text collate "C" not null,
        "purpose" text collate "C" not null,
        "trigger" text collate "C" not null,
        "account_name" text collate "C" not null,
        "redirect_url" text collate "C" null,
        "satisfied_by" text collate "C" null,
        "created_at" timestamptz(3) not null,
        "expires_at" timestamptz(3) not null,
        "finished_at" timestamptz(3) null,
        "ended_at" timestamptz(3) null,
        primary key ("tenant_id", "id")
      )`);
    this.addSql(`create index "mfa_steps_user_index" on "mfa_steps" ("tenant_id", "user_id")`);
    this.addSql(`create index "mfa_steps_expires_at_index" on "mfa_steps" ("expires_at")`);
    this.addSql(
      `alter table "mfa_steps" add constraint "mfa_steps_token_unique" unique ("tenant_id", "token_hash")`,
    );
    this.addSql(`create table "auth_factors" (
        "tenant_id" text collate "C" not null,
        "user_id" text collate "C" not null,
        "type" text collate "C" not null,
        "id" uuid not null,
        "key_id" text collate "C" not null,
        "secret" bytea not null,
        "spent" bigint not null default '0',
        "created_at" timestamptz(3) not null,
        "activated_at" timestamptz(3) not null,
        "last_used_at" timestamptz(3) null,
        primary key ("tenant_id", "user_id", "type")
      )`);
    this.addSql(`create index "auth_factors_id_index" on "auth_factors" ("id")`);
    this.addSql(
      `alter table "users" add constraint "users_tenant_id_foreign" foreign key ("tenant_id") references "tenants" ("id") on update no action on delete cascade`,
    );
    this.addSql(
      `alter table "pending_auth_factors" add constraint "pending_auth_factors_tenant_id_user_id_foreign" foreign key ("tenant_id", "user_id") references "users" ("tenant_id", "id") on update no action on delete cascade`,
    );
    this.addSql(
      `alter table "mfa_steps" add constraint "mfa_steps_tenant_id_user_id_foreign" foreign key ("tenant_id", "user_id") references "users" ("tenant_id", "id") on update no action on delete cascade`,
    );
    this.addSql(
      `alter table "auth_factors" add constraint "auth_factors_tenant_id_user_id_foreign" foreign key ("tenant_id", "user_id") references "users" ("tenant_id", "id") on update no action on delete cascade`,
    );
  }
}
