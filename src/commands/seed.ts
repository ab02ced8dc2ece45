import 'reflect-metadata';
import { databaseSchema } from '../database-schema.ts';
import { openDatabase } from '../db/connection.ts';
import { assertSchemaIsKnown } from '../db/migrate.ts';
import { developmentFolder, developmentKeys } from '../development.ts';
import { readSomeEnv } from '../env.ts';
import { sentenceFor } from '../messages.ts';
import { help, readOptions, type SeedCommand, SeedRefused } from '../seed/options.ts';
import { counted, showProgress } from '../seed/progress.ts';
import { type Seeded, seed } from '../seed/seed.ts';
import { systemClock } from '../shared/clock.ts';
import { KeyRing } from '../shared/key-ring.ts';
import { withOwnerDatabase } from './owner-database.ts';

// npm run seed: fills a database with made-up data. What was begun is taken back on a signal.
const stopping = new AbortController();
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, () => stopping.abort());
try {
  const options = readOptions(process.argv.slice(2));
  if (options === null) process.stdout.write(help);
  else await run(options);
} catch (error) {
  if (error === stopping.signal.reason) console.error('Stopped. Nothing was seeded.');
  else if (error instanceof SeedRefused)
    console.error(`${error.message}\nnpm run -s seed -- --help tells more.`);
  else console.error(sentenceFor(error) ?? error);
  process.exitCode = 1;
}

async function run(options: SeedCommand): Promise<void> {
  const env = readSomeEnv(['NODE_ENV', 'DATABASE_URL', 'ENCRYPTION_KEYS', 'CLOCK_OFFSET_SECONDS']);
  if (env.production && !options.yes) {
    throw new SeedRefused([
      'NODE_ENV is production, where nobody wants made-up users by mistake; give --yes.',
    ]);
  }
  const began = performance.now();
  const seeded = await withOwnerDatabase(async (url) => {
    const encryptionKeys = env.encryptionKeys ?? [
      (await developmentKeys(developmentFolder, env.databaseUrl)).encryption,
    ];
    const database = await openDatabase({ url, schema: databaseSchema, unlimited: true });
    const progress = showProgress(process.stderr, options.tenants + options.users);
    try {
      await assertSchemaIsKnown(database);
      return await seed(
        {
          database,
          clock: systemClock(env.clockOffsetSeconds),
          keyRing: new KeyRing(encryptionKeys),
          signal: stopping.signal,
          onProgress: progress.step,
        },
        options,
      );
    } finally {
      progress.stop();
      await database.close();
    }
  }, 'made');
  printSeeded(options, seeded, (performance.now() - began) / 1000);
}

function printSeeded({ prefix }: SeedCommand, seeded: Seeded, seconds: number): void {
  const { applications, tenants, users, auth_factors: factors, pending_auth_factors: pending } = seeded;
  console.log(
    `Seeded ${counted(applications)} applications, ${counted(tenants)} tenants and ${counted(users)} users with ` +
      `${counted(factors)} factors, and ${counted(pending)} begun, in ${seconds.toFixed(1)} s.
The first are ${prefix}-a0001, ${prefix}-t0000001 and ${prefix}-u00000001.`,
  );
}
