import { Migration } from '@mikro-orm/migrations';

/** The record by months, and its hash chains. What was recorded before is queued for its first seal. */
export class Migration20261124180000 extends Migration {
  override up(): void {
    this.addSql(`alter table "audit_events" rename to "audit_events_before"`);
    this.addSql(`alter index "audit_events_pkey" rename to "audit_events_before_pkey"`);
    this.addSql(`drop index "audit_events_application_index"`);
    this.addSql(`create table "audit_events" (
        "tenant_id" text collate "C" not null,
        "at" timestamptz(3) not null,
        "id" uuid not null,
        "application_id" text collate "C" not null,
        "action" text collate "C" not null,
        "actor" text collate "C" not null,
        "user_id" text collate "C" null,
        "detail" jsonb not null,
        primary key ("tenant_id", "at", "id")
      ) partition by range ("at")`);
    this.addSql(`create table "audit_events_default" partition of "audit_events" default`);
    this.addSql(
      `create index "audit_events_application_index" on "audit_events" ("application_id", "at", "id")`,
    );
    this.addSql(`create index "audit_events_user_index" on "audit_events" ("tenant_id", "user_id", "at")`);
    this.addSql(`create table "audit_unsealed" (
        "tenant_id" text collate "C" not null,
        "position" bigint generated always as identity not null,
        "application_id" text collate "C" not null,
        "event_id" uuid not null,
        "digest" bytea not null,
        primary key ("tenant_id", "position")
      )`);
    this.addSql(`create table "audit_chains" (
        "tenant_id" text collate "C" not null,
        "application_id" text collate "C" not null,
        "seal" bigint not null,
        "previous_hash" bytea not null,
        "hash" bytea not null,
        primary key ("tenant_id", "application_id")
      )`);
    this.addSql(`create table "audit_seals" (
        "tenant_id" text collate "C" not null,
        "application_id" text collate "C" not null,
        "seal" bigint not null,
        "event_ids" uuid[] not null,
        "event_digests" bytea[] not null,
        "sealed_at" timestamptz(3) not null,
        "previous_hash" bytea not null,
        "hash" bytea not null,
        primary key ("tenant_id", "application_id", "seal")
      )`);
    this.addSql(`create table "audit_prunes" (
        "before" timestamptz(3) not null,
        "pruned_at" timestamptz(3) not null,
        primary key ("before")
      )`);
    this.addSql(`insert into "audit_events" ("tenant_id", "at", "id", "application_id", "action", "actor", "user_id", "detail")
      select "tenant_id", "at", "id", "application_id", "action", "actor", "user_id", "detail" from "audit_events_before"`);
    this.addSql(`insert into "audit_unsealed" ("tenant_id", "event_id", "application_id", "digest")
      select "tenant_id", "id", "application_id", sha256(convert_to(jsonb_build_array("tenant_id", "id", "application_id",
        (extract(epoch from "at") * 1000)::bigint, "action", "actor", "user_id", "detail")::text, 'UTF8'))
      from "audit_events" order by "at", "id"`);
    this.addSql(`drop table "audit_events_before"`);
  }
}
