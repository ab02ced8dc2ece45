import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, expect, test } from '@jest/globals';
import { newClone } from './clone.ts';
import { cleanUp, processesIn, runProcess, startProcess, untilTrue } from './servers.ts';

afterEach(cleanUp);

const npmStart: [string, ...string[]] = ['npm', 'start'];

const filesIn = async (folder: string) =>
  Promise.all(
    (await readdir(folder, { recursive: true })).sort().map(async (name) => {
      const { mtimeMs, ctimeMs, ino } = await stat(join(folder, name));
      return { name, mtimeMs, ctimeMs, ino };
    }),
  );

test.each([
  ['Ctrl-C', 'SIGINT', 'group'],
  ['SIGTERM', 'SIGTERM', 'process'],
] as const)(
  'npm start serves until %s, ends with exit code 0 and leaves nothing running',
  async (_name, signal, whom) => {
    const folder = await newClone();
    const server = startProcess({ folder, command: npmStart });
    await server.ready();
    expect(server.stderr()).toBe('');
    server.kill(signal, whom);
    expect(await server.ended()).toBe(0);
    await untilTrue(async () => (await processesIn(folder)).length === 0);
  },
);

test('a second npm start says one sentence, exits with 1, and rewrites nothing of what is built', async () => {
  const folder = await newClone();
  const first = startProcess({ folder, command: npmStart });
  const url = await first.ready();
  const before = await filesIn(join(folder, 'dist'));
  expect(before.length).toBeGreaterThan(50);
  const { code, stderr } = await runProcess({ folder, command: npmStart });
  expect(stderr).toMatch(/^Another server is running on [^\n]*\.\n$/);
  expect(code).toBe(1);
  expect(await filesIn(join(folder, 'dist'))).toEqual(before);
  expect((await fetch(`${url}/health/ready`)).status).toBe(200);
});
