import { once } from 'node:events';
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from '@jest/globals';
import { callGraphQl } from '../setup/harness.ts';
import {
  cleanUp,
  newFolder,
  newStoppedFolder,
  processesIn,
  programsIn,
  runProcess,
  type ServerProcess,
  startProcess,
} from './servers.ts';

afterEach(cleanUp);

const oneSentence = (text: string) => new RegExp(`^[^\\n]*${text}[^\\n]*\\.\\n$`);

async function expectServes(server: ServerProcess): Promise<void> {
  const { status } = await callGraphQl(
    await server.ready(),
    server.token('installation'),
    '{ applications { totalCount } }',
  );
  expect(status).toBe(200);
}

/** A data folder that only says which PostgreSQL made it. */
async function newDataFolder(version: string): Promise<string> {
  const folder = await newFolder();
  await mkdir(join(folder, '.cufflink/postgres/data'), { recursive: true });
  await writeFile(join(folder, '.cufflink/postgres/data/PG_VERSION'), `${version}\n`);
  return folder;
}

describe('a start that can not be answers one sentence and exit code 1, and leaves nothing running', () => {
  test('the port is in use', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const { port } = other.address() as AddressInfo;
    const folder = await newFolder();
    const { code, stderr } = await runProcess({ folder, env: { PORT: String(port) } });
    other.close();
    expect(stderr).toBe(`Port ${port} of 127.0.0.1 is in use; stop what uses it, or set PORT to another.\n`);
    expect(code).toBe(1);
    expect(await processesIn(folder)).toEqual([]);
  });

  test('the data are of another PostgreSQL version', async () => {
    const folder = await newDataFolder('15');
    const { code, stderr } = await runProcess({ folder });
    expect(stderr).toMatch(oneSentence('was made by PostgreSQL 15, this is 18; move the folder away'));
    expect(code).toBe(1);
    expect(await processesIn(folder)).toEqual([]);
  });

  test('a part of the folder is missing', async () => {
    const folder = await newDataFolder('18');
    const { code, stderr } = await runProcess({ folder });
    expect(stderr).toMatch(oneSentence('password is missing: the database.s folder is not whole'));
    expect(code).toBe(1);
  });

  test('the folder may not be written', async () => {
    // Nobody makes folders there, root included.
    const { code, stderr } = await runProcess({ folder: '/sys' });
    expect(stderr).toMatch(oneSentence("can't be used \\(E[A-Z]+\\); start as the user that owns it"));
    expect(code).toBe(1);
  });

  test.each([
    ['the same port', (url: string) => new URL(url).port],
    ['another port', () => '0'],
  ])('another server runs on the folder, with %s; that one is unharmed', async (_name, portOf) => {
    const folder = await newStoppedFolder();
    const first = startProcess({ folder });
    const url = await first.ready();
    const before = await programsIn(folder);
    const { code, stderr } = await runProcess({ folder, env: { PORT: portOf(url) } });
    expect(stderr).toMatch(oneSentence('Another server is running on .*; stop it first'));
    expect(code).toBe(1);
    await expectServes(first);
    expect(await programsIn(folder)).toEqual(before);
  });

  test('two starts at the same moment on a new folder: one serves, the other is told', async () => {
    const folder = await newFolder();
    const both = [startProcess({ folder }), startProcess({ folder })];
    const [refused] = await Promise.race(both.map(async (server) => [server, await server.ended()] as const));
    const serves = both.find((server) => server !== refused) as ServerProcess;
    await expectServes(serves);
    expect(refused.stderr()).toMatch(oneSentence('Another server is running on'));
    expect(await refused.ended()).toBe(1);
    serves.kill('SIGTERM');
    expect(await serves.ended()).toBe(0);
    expect(await processesIn(folder)).toEqual([]);
  });
});

test('a refused start rewrites nothing of the running one', async () => {
  const folder = await newStoppedFolder();
  const first = startProcess({ folder });
  await first.ready();
  const files = (await readdir(join(folder, '.cufflink'), { recursive: true })).filter(
    (name) => !name.startsWith('postgres/data'),
  );
  expect(files.length).toBeGreaterThan(4);
  const state = () =>
    Promise.all(
      files.map(async (name) => {
        const file = join(folder, '.cufflink', name);
        const { mtimeMs, ino } = await stat(file);
        return [name, mtimeMs, ino, await readFile(file, 'utf8').catch(() => '')];
      }),
    );
  const before = await state();
  await runProcess({ folder });
  expect(await state()).toEqual(before);
});
