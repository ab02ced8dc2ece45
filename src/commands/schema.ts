import 'reflect-metadata';
import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { printSdl } from '../schema.ts';
import { runCommand } from './run-command.ts';

const help = `Prints the SDL into schema/schema.graphql.

  npm run schema -- [--check]

  --check   only compares
  --help    this text
`;
const options = { check: { type: 'boolean', default: false } } as const;

await runCommand({ name: 'schema', help, options }, async (values) => {
  const file = fileURLToPath(new URL('../../../schema/schema.graphql', import.meta.url));
  const sdl = printSdl();
  if (values.check) {
    if ((await readFile(file, 'utf8').catch(() => '')) !== sdl) {
      console.error('schema/schema.graphql is stale: run "npm run schema" and commit it.');
      process.exitCode = 1;
    }
  } else {
    await writeFile(file, sdl);
  }
});
