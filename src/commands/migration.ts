import 'reflect-metadata';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { MikroORM } from '@mikro-orm/postgresql';
import { databaseSchema } from '../database-schema.ts';
import { ormConfig } from '../db/connection.ts';
import { readSomeEnv } from '../env.ts';
import { runCommand } from './run-command.ts';

const help = `Checks that the entities and the committed snapshot, migrations/.snapshot.json, agree.

  npm run migration -- [--check] [--create]

  --check    the same
  --create   writes the migration that leads from the snapshot to the entities
  --help     this text

--create needs the DATABASE_URL of a database that is migrated so far.
`;
const options = {
  check: { type: 'boolean', default: false },
  create: { type: 'boolean', default: false },
} as const;

await runCommand({ name: 'migration', help, options }, async (values) => {
  const { databaseUrl = 'postgres://127.0.0.1/none' } = readSomeEnv(['DATABASE_URL']);
  const orm = new MikroORM(ormConfig({ url: databaseUrl, schema: databaseSchema }));
  if (values.create) {
    const { fileName } = await orm.migrator.create();
    console.log(`Wrote migrations/${fileName}. Name it in src/database-schema.ts.`);
  } else {
    const file = fileURLToPath(new URL('../../../migrations/.snapshot.json', import.meta.url));
    const snapshot: unknown = JSON.parse(await readFile(file, 'utf8'));
    const target: unknown = JSON.parse(JSON.stringify(orm.schema.getTargetSchema()));
    if (JSON.stringify(snapshot) !== JSON.stringify(target)) {
      console.error(
        'The entities differ from migrations/.snapshot.json: run "npm run migration -- --create".',
      );
      process.exitCode = 1;
    }
  }
  await orm.close(true);
});
