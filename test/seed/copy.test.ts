import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { Client } from 'pg';
import { from } from 'pg-copy-streams';
import { type Cell, copyLine } from '../../src/seed/tables.ts';
import { databaseUrl } from '../setup/harness.ts';

let client: Client;
beforeAll(async () => {
  client = new Client({ connectionString: databaseUrl() });
  await client.connect();
});
afterEach(() => client.query('rollback'));
afterAll(() => client.end());

test.each<[type: string, cell: Cell]>([
  ['text', ''],
  ['text', '\\N'],
  ['text', '\\.'],
  ['text', 'a\tb\nc\rd\\e\\\\t'],
  ['text', 'Zoë & 株式会社 "\'{}'],
  ['text', null],
  ['bytea', Buffer.from([0, 9, 10, 13, 92, 255])],
  ['bytea', Buffer.alloc(0)],
  ['integer', -7],
  ['boolean', true],
  ['boolean', false],
  ['timestamptz(3)', new Date('2026-02-28T23:59:59.999Z')],
  ['timestamptz(3)', null],
])('a cell of %s comes out as it went in: %j', async (type, cell) => {
  await client.query('begin');
  await client.query(`create temporary table copied (before text, cell ${type}, after text) on commit drop`);
  const table = { name: 'copied', columns: ['before', 'cell', 'after'] };
  const copy = client.query(from('copy copied (before, cell, after) from stdin'));
  await new Promise<void>((resolve, reject) => {
    copy
      .once('finish', resolve)
      .once('error', reject)
      .end(copyLine(table, { before: 'x', cell, after: 'y' }));
  });
  const { rows } = await client.query('select * from copied');
  expect(rows).toEqual([{ before: 'x', cell, after: 'y' }]);
});
