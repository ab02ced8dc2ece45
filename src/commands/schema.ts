import 'reflect-metadata';
import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { printSdl } from '../schema.ts';

// npm run schema: prints the SDL into schema/schema.graphql; with --check only compares.
const file = fileURLToPath(new URL('../../../schema/schema.graphql', import.meta.url));
const sdl = printSdl();
if (process.argv.includes('--check')) {
  if ((await readFile(file, 'utf8').catch(() => '')) !== sdl) {
    console.error('schema/schema.graphql is stale: run "npm run schema" and commit it.');
    process.exit(1);
  }
} else {
  await writeFile(file, sdl);
}
