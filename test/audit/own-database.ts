import { serverRole } from '../../src/audit/append-only.ts';
import { databaseSchema } from '../../src/database-schema.ts';
import { type Database, inRole, openDatabase } from '../../src/db/connection.ts';
import { newMigratedDatabase } from '../process/databases.ts';

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
  const url = await newMigratedDatabase();
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
