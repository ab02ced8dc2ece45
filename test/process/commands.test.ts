import { randomBytes } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from '@jest/globals';
import { cleanUp, newFolder, processesIn, repository, runProcess, startProcess } from './servers.ts';

/* What all commands have in common, each as a process of its own in an empty folder. */

afterEach(cleanUp);

const { scripts } = JSON.parse(await readFile(join(repository, 'package.json'), 'utf8')) as {
  scripts: Record<string, string>;
};
/** The name of each script that runs a command, and the command's file. */
const commands = Object.entries(scripts).flatMap(([name, script]) => {
  const [, file] = /\bnode dist\/src\/commands\/([\w-]+)\.js$/.exec(script) ?? [];
  return file === undefined ? [] : [[name, file] as const];
});

const run = (folder: string, file: string, args: readonly string[], env: Record<string, string> = {}) =>
  runProcess({
    folder,
    env,
    command: [process.execPath, join(repository, `dist/src/commands/${file}.js`), ...args],
  });

test('every file of commands is one, or shared by them', async () => {
  const files = (await readdir(join(repository, 'src/commands'))).map((name) => name.replace('.ts', ''));
  const shared = ['owner-database', 'run-command'];
  expect(files.toSorted()).toEqual([...commands.map(([, file]) => file), ...shared].toSorted());
});

describe.each(commands)('npm run %s', (name, file) => {
  test('--help says what it does and how it is called, and does nothing', async () => {
    const folder = await newFolder();
    const { code, stdout, stderr } = await run(folder, file, ['--help']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(new RegExp(`^[A-Z].*\\.\\n\\n  npm run (-s )?${name}( |\\n)`));
    expect(stdout).toMatch(/^ {2}--help +this text$/m);
    expect(await readdir(folder)).toEqual([]);
  });

  test('an option that it does not have is refused, before anything is done', async () => {
    const folder = await newFolder();
    const { code, stdout, stderr } = await run(folder, file, ['--no-such-thing'], {
      // Nobody is there: who went on would say so.
      DATABASE_URL: 'postgres://127.0.0.1:9/none',
    });
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toContain('--no-such-thing');
    expect(stderr).toMatch(new RegExp(`npm run (-s )?${name} -- --help`));
    expect(stderr).not.toContain('DATABASE_URL');
    expect(await readdir(folder)).toEqual([]);
  });
});

describe.each([
  ['audit:verify', 'audit-verify', []],
  ['audit:prune', 'audit-prune', ['--before', '2020-01']],
  ['restore:seal', 'restore-seal', ['--plan']],
  ['keys:rotate', 'keys-rotate', ['--plan']],
] as const)('npm run %s without DATABASE_URL', (_name, file, args) => {
  const env = { ENCRYPTION_KEYS: `k1:${randomBytes(32).toString('base64')}` };

  test('is refused in production', async () => {
    const folder = await newFolder();
    const { code, stdout, stderr } = await run(folder, file, args, { ...env, NODE_ENV: 'production' });
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toBe("The settings can't be used:\n  - DATABASE_URL is required in production.\n");
    expect(await readdir(folder)).toEqual([]);
  });

  test('is refused where there is no embedded database, and makes none', async () => {
    const folder = await newFolder();
    const { code, stdout, stderr } = await run(folder, file, args, env);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toBe(
      `DATABASE_URL is not given, and there is no embedded database in ${folder}/.cufflink/postgres; set DATABASE_URL to that of the tables' owner, or run this in the folder where npm start made one.\n`,
    );
    expect(await readdir(folder)).toEqual([]);
  });
});

test('a command on the embedded database says so, whether or not a server runs on it', async () => {
  const folder = await newFolder();
  const server = startProcess({ folder });
  await server.ready();
  const said = `DATABASE_URL is not given: this is about the embedded database in ${folder}/.cufflink/postgres.\n`;
  const seen = { code: 0, stdout: expect.stringMatching(/: all is as it was recorded\.\n$/), stderr: said };
  expect(await run(folder, 'audit-verify', [])).toEqual(seen);
  server.kill('SIGTERM');
  await server.ended();
  expect(await run(folder, 'audit-verify', [])).toEqual(seen);
  expect(await processesIn(folder)).toEqual([]);
});
