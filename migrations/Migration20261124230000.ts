import { Migration } from '@mikro-orm/migrations';

/** Where each pruned chain goes on, and the record by action and by user alone. */
export class Migration20261124230000 extends Migration {
  override up(): void {
    this.addSql(`create table "audit_pruned_chains" (
        "tenant_id" text collate "C" not null,
        "application_id" text collate "C" not null,
        "seal" bigint not null,
        "hash" bytea not null,
        primary key ("tenant_id", "application_id")
      )`);
    // Chains that were pruned before this was kept go on from where they are now. Where nothing was pruned,
    // nothing may be missing.
    this.addSql(`insert into "audit_pruned_chains" ("tenant_id", "application_id", "seal", "hash")
      select c."tenant_id", c."application_id", coalesce(k."seal" - 1, c."seal"), coalesce(k."previous_hash", c."hash")
      from "audit_chains" c
        left join (
          select distinct on ("tenant_id", "application_id") "tenant_id", "application_id", "seal", "previous_hash"
          from "audit_seals" order by "tenant_id", "application_id", "seal"
        ) k using ("tenant_id", "application_id")
      where exists (select from "audit_prunes") and k."seal" is distinct from 1`);
    this.addSql(
      `create index "audit_events_action_index" on "audit_events" ("application_id", "action", "at", "id")`,
    );
    this.addSql(
      `create index "audit_events_application_user_index" on "audit_events" ("application_id", "user_id", "at", "id")`,
    );
  }
}
