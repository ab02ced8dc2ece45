import { afterEach, expect, test } from '@jest/globals';
import { dropDatabases } from './databases.ts';
import { startProduction } from './production.ts';
import { cleanUp, newFolder, startProcess } from './servers.ts';

afterEach(async () => {
  await cleanUp();
  await dropDatabases();
});

test.each(['info', 'warn'])(
  'in production, standard output has JSON lines alone, and one says the mode (LOG_LEVEL=%s)',
  async (level) => {
    const server = await startProduction({ LOG_LEVEL: level });
    await fetch(`${server.url}/health/live`);
    await server.stop();
    const lines = server.output().split('\n');
    expect(lines.pop()).toBe('');
    expect(lines.map((line) => JSON.parse(line) as unknown)).toContainEqual(
      expect.objectContaining({ level: 30, mode: 'production', url: server.url, msg: 'Cufflink serves' }),
    );
  },
);

test('outside production a line says the mode too, before the address and the tokens for people', async () => {
  const server = startProcess({ folder: await newFolder() });
  const url = await server.ready();
  expect(server.stdout()).toContain(`"mode":"development","url":"${url}","msg":"Cufflink serves"`);
  expect(server.stdout()).toContain(`\nCufflink listens on ${url}/graphql\nThe console is at ${url}/\n`);
});
