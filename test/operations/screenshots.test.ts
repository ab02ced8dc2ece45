import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { repository } from '../process/servers.ts';

test('the README shows every screenshot that is kept, each page in light and dark, wide and narrow', async () => {
  const kept = (await readdir(join(repository, 'docs/screenshots'))).sort();
  const readme = await readFile(join(repository, 'README.md'), 'utf8');
  const shown = [...readme.matchAll(/!\[[^\]]+\]\(docs\/screenshots\/([^)]+)\)/g)]
    .map(([, file]) => file)
    .sort();
  expect(shown).toEqual(kept);
  const pages = [...new Set(kept.map((file) => file.replace(/-(light|dark)-(1280|390)\.webp$/, '')))];
  expect(pages.length).toBeGreaterThan(10);
  expect(kept).toEqual(
    pages
      .flatMap((page) =>
        ['light', 'dark'].flatMap((scheme) => [1280, 390].map((width) => `${page}-${scheme}-${width}.webp`)),
      )
      .sort(),
  );
});
