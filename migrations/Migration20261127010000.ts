import { Migration } from '@mikro-orm/migrations';

/**
 * Keys of repeated calls carry the tenant whose they are, as all that a tenant owns. A key from before
 * stands under ''.
 */
export class Migration20261127010000 extends Migration {
  override up(): void {
    this.addSql(`alter table "idempotency_keys" add column "tenant_id" text collate "C" not null default ''`);
    this.addSql(`alter table "idempotency_keys" alter column "tenant_id" drop default`);
    this.addSql(`alter table "idempotency_keys" drop constraint "idempotency_keys_pkey"`);
    this.addSql(
      `alter table "idempotency_keys" add constraint "idempotency_keys_pkey" primary key ("tenant_id", "id")`,
    );
  }
}
