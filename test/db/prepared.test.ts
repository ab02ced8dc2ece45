import { expect, test } from '@jest/globals';
import { databaseSchema } from '../../src/database-schema.ts';
import { openDatabase } from '../../src/db/connection.ts';
import { hot, rowsOf, sql } from '../../src/db/sql.ts';
import { preparedStatementsMax } from '../../src/shared/limits.ts';
import { databaseUrl } from '../setup/harness.ts';

/* Hot statements are read and planned once for each connection; pg_prepared_statements tells. */

async function opened(preparesStatements: boolean) {
  const database = await openDatabase({
    url: databaseUrl(),
    schema: databaseSchema,
    poolConnectionsMax: 1,
    preparesStatements,
  });
  const em = database.fork();
  const prepared = async () =>
    Number((await rowsOf(em, sql<{ n: string }>`select count(*) as n from pg_prepared_statements`))[0]?.n);
  return { database, em, prepared };
}

test('a hot statement is prepared once, whatever its values; another is not prepared', async () => {
  const { database, em, prepared } = await opened(true);
  for (const value of [1, 2, 3]) {
    expect(await rowsOf(em, hot(sql<{ it: number }>`select ${value}::int as it`))).toEqual([{ it: value }]);
    expect(await rowsOf(em, sql<{ it: number }>`select ${value}::int + 1 as it`)).toEqual([
      { it: value + 1 },
    ]);
  }
  expect(await prepared()).toBe(1);
  await database.close();
});

test('a connection keeps so many and no more; the rest works unprepared', async () => {
  const { database, em, prepared } = await opened(true);
  for (let n = 0; n < preparedStatementsMax + 5; n += 1) {
    expect(await rowsOf(em, hot(sql<{ it: number }>`select ${n}::int as it, ${sql.lit(n)}`))).toMatchObject([
      { it: n },
    ]);
  }
  expect(await prepared()).toBe(preparedStatementsMax);
  await database.close();
});

test('PREPARED_STATEMENTS=off prepares none', async () => {
  const { database, em, prepared } = await opened(false);
  expect(await rowsOf(em, hot(sql<{ it: number }>`select ${7}::int as it`))).toEqual([{ it: 7 }]);
  expect(await prepared()).toBe(0);
  await database.close();
});
