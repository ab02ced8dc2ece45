import { serverRole } from '../../src/audit/append-only.ts';
import { databaseLayout } from '../../src/database-layout.ts';
import { databaseSchema } from '../../src/database-schema.ts';
import { type Database, inRole, openDatabase } from '../../src/db/connection.ts';
import { distribute } from '../../src/db/distribute.ts';
import { migrate } from '../../src/db/migrate.ts';
import { newDatabase } from '../process/databases.ts';
import { isDistributed } from '../setup/nodes.mjs';

/** A migrated database of the test's own: its record holds nothing else, and may be tampered with. */
export interface OwnDatabase {
  url: string;
  /** As servers see it. */
  server: Database;
  /** As whoever may do everything sees it. */
  owner: Database;
  close(): Promise<void>;
}

export async function ownDatabase(): Promise<OwnDatabase> {
  const url = await newDatabase();
  await migrate(url, databaseSchema);
  if (isDistributed) await distribute(url, databaseSchema, databaseLayout, { shards: 2 });
  const open = (as: string) => openDatabase({ url: as, schema: databaseSchema, unlimited: true });
  const [server, owner] = await Promise.all([open(inRole(url, serverRole)), open(url)]);
  return {
    url,
    server,
    owner,
    async close() {
      await server.close();
      await owner.close();
    },
  };
}
