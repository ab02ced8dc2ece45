import { Migration } from '@mikro-orm/migrations';

/** The feed by which servers learn of changes of policies. */
export class Migration20261124220000 extends Migration {
  override up(): void {
    this.addSql(
      `create table "policy_feed" ("id" smallint not null, "position" bigint not null default '0', primary key ("id"))`,
    );
    this.addSql(`alter table "policy_feed" add constraint "policy_feed_one_check" check (id = 1)`);
    this.addSql(`insert into "policy_feed" ("id") values (1)`);
  }
}
