import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, test } from '@jest/globals';
import { CreateApplicationDocument } from '../generated/documents.ts';
import { callGraphQl } from '../setup/harness.ts';
import {
  cleanUp,
  newFolder,
  newOpenFolder,
  newStoppedFolder,
  postmasterOf,
  processesIn,
  type ServerProcess,
  startProcess,
  untilTrue,
} from './servers.ts';

afterEach(cleanUp);

const applicationNames = async (server: ServerProcess): Promise<string[]> => {
  const answer = await callGraphQl<{ applications: { nodes: { displayName: string }[] } }, never>(
    await server.ready(),
    server.token('installation'),
    '{ applications(first: 100) { nodes { displayName } } }',
  );
  return answer.data.applications.nodes.map(({ displayName }) => displayName);
};

const createApplication = async (server: ServerProcess, displayName: string): Promise<void> => {
  await callGraphQl(await server.ready(), server.token('installation'), CreateApplicationDocument, {
    input: { displayName },
  });
};

describe('the embedded database', () => {
  test('an empty folder becomes a filled server with tokens', async () => {
    const server = startProcess({ folder: await newFolder() });
    expect(await applicationNames(server)).toEqual(['Harbor CRM', 'Lantern Analytics']);
    expect(server.stderr()).toBe('');
  });

  test('a folder that everybody may enter serves as well', async () => {
    const server = startProcess({ folder: await newOpenFolder() });
    expect(await applicationNames(server)).toHaveLength(2);
  });

  test('no variable meant for another PostgreSQL reaches it', async () => {
    const server = startProcess({
      folder: await newFolder(),
      env: { PGDATA: '/nowhere', PGPORT: '1', PGHOST: 'nowhere.invalid', PGUSER: 'x' },
    });
    expect(await applicationNames(server)).toHaveLength(2);
  });
});

describe('stopping', () => {
  test.each([
    ['Ctrl-C', 'SIGINT', 'group'],
    ['SIGTERM', 'SIGTERM', 'process'],
    ['a closed terminal', 'SIGHUP', 'group'],
  ] as const)('%s ends everything, the database last, with exit code 0', async (_name, signal, whom) => {
    const folder = await newStoppedFolder();
    const server = startProcess({ folder });
    await server.ready();
    server.kill(signal, whom);
    expect(await server.ended()).toBe(0);
    expect(server.stderr()).toBe('');
    expect(await processesIn(folder)).toEqual([]);
  });

  test('the same signal again, as npm passes it on, changes nothing', async () => {
    const folder = await newStoppedFolder();
    const server = startProcess({ folder });
    await server.ready();
    for (let times = 0; times < 3; times += 1) {
      server.kill('SIGINT', 'group');
      await sleep(100);
    }
    expect(await server.ended()).toBe(0);
    expect(await processesIn(folder)).toEqual([]);
  });

  test.each([300, 900, 1500])('Ctrl-C %d ms after the start leaves nothing running', async (ms) => {
    const folder = await newFolder();
    const server = startProcess({ folder });
    await sleep(ms);
    server.kill('SIGINT', 'group');
    // Before its first line runs, Node itself ends by the signal.
    expect([0, 'SIGINT']).toContain(await server.ended());
    expect(server.stderr()).toBe('');
    await untilTrue(async () => (await processesIn(folder)).length === 0, 5_000);
  });

  test('what was stopped starts again with its data', async () => {
    const folder = await newStoppedFolder();
    const first = startProcess({ folder });
    await createApplication(first, 'Kept');
    const token = first.token('installation');
    first.kill('SIGTERM');
    await first.ended();

    const second = startProcess({ folder });
    expect(await applicationNames(second)).toEqual(['Harbor CRM', 'Kept', 'Lantern Analytics']);
    const answer = await callGraphQl(await second.ready(), token, '{ viewer { subject } }');
    expect(answer.status).toBe(200);
  });
});

describe('REL-1: kill -9', () => {
  test('REL-1: the next start adopts the running database, with all that was acknowledged', async () => {
    const folder = await newStoppedFolder();
    const first = startProcess({ folder });
    await createApplication(first, 'Acknowledged');
    const postmaster = await postmasterOf(folder);
    first.kill('SIGKILL');
    await first.ended();

    const second = startProcess({ folder });
    expect(await applicationNames(second)).toContain('Acknowledged');
    expect(await postmasterOf(folder)).toBe(postmaster);
    second.kill('SIGTERM');
    expect(await second.ended()).toBe(0);
    expect(await processesIn(folder)).toEqual([]);
  });

  test('REL-1: a killed database comes back with all that was acknowledged', async () => {
    const folder = await newStoppedFolder();
    const first = startProcess({ folder });
    await createApplication(first, 'Acknowledged');
    process.kill(await postmasterOf(folder), 'SIGKILL');
    first.kill('SIGKILL');
    await first.ended();

    const second = startProcess({ folder });
    expect(await applicationNames(second)).toContain('Acknowledged');
  });

  test.each([400, 800, 1200, 1600])(
    'REL-1: at %d ms of the first start it leaves a folder that starts',
    async (ms) => {
      const folder = await newFolder();
      const first = startProcess({ folder });
      await sleep(ms);
      first.kill('SIGKILL');
      await first.ended();
      const second = startProcess({ folder });
      expect(await applicationNames(second)).toEqual(['Harbor CRM', 'Lantern Analytics']);
    },
  );
});
