import { databaseSchema } from '../../src/database-schema.ts';
import { type Database, openDatabase } from '../../src/db/connection.ts';
import { databaseUrl } from '../setup/harness.ts';
import { startWire, type Wire } from '../setup/wire.ts';

/** The run's database at the other end of a wire. */
export interface WiredDatabase extends Wire {
  database: Database;
}

export async function wiredDatabase(): Promise<WiredDatabase> {
  const url = new URL(databaseUrl());
  const wire = await startWire(url.hostname, Number(url.port || 5432));
  url.hostname = '127.0.0.1';
  url.port = String(wire.port);
  const database = await openDatabase({ url: url.href, schema: databaseSchema });
  return {
    ...wire,
    database,
    async close() {
      await database.close();
      await wire.close();
    },
  };
}
