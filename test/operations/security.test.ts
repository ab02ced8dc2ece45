import { readFile } from 'node:fs/promises';
import { expect, test } from '@jest/globals';

const read = (path: string) => readFile(new URL(`../../${path}`, import.meta.url), 'utf8');

/** Rows of the tables of requirements: the id, and the files of its tests. */
const rows = async () =>
  [...(await read('SECURITY.md')).matchAll(/^\| ([A-Z]+-\d) +\|.*\|(.*)\|$/gm)].map(([, id, tests]) => ({
    id: id as string,
    files: [...(tests ?? '').matchAll(/\]\((test\/[\w./-]+)\)/g)].map(([, file]) => file as string),
  }));

/** So many requirements begin with each of these. */
const requirements = {
  OTP: 5,
  THR: 3,
  REC: 2,
  ENR: 3,
  STEP: 4,
  JWT: 3,
  TEN: 3,
  GQL: 5,
  CRY: 2,
  LOG: 2,
  REL: 6,
};

test('SECURITY.md names every requirement once', async () => {
  const ids = Object.entries(requirements).flatMap(([area, count]) =>
    Array.from({ length: count }, (_, n) => `${area}-${n + 1}`),
  );
  expect((await rows()).map(({ id }) => id).toSorted()).toEqual(ids.toSorted());
});

test('each requirement in SECURITY.md names tests that there are, and whose names begin with its id', async () => {
  for (const { id, files } of await rows()) {
    expect(files).not.toEqual([]);
    for (const file of files) {
      const names = (await read(file)).matchAll(/['"`]([A-Z]+-\d): /g);
      expect({ id, file, tested: [...names].map(([, name]) => name) }).toMatchObject({
        tested: expect.arrayContaining([id]),
      });
    }
  }
});
