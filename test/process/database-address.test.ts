import { once } from 'node:events';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from '@jest/globals';
import { cleanUp, newFolder, repository, runProcess } from './servers.ts';

/* An address that leads to a pooler, or to a server without TLS, is told as such and not as a stack. */

const servers: Server[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) server.close();
  await cleanUp();
});

/** Answers each start of a session as PgBouncer does one with a parameter that it does not know. */
async function startRefusing(parameter: string): Promise<string> {
  const fields = ['SFATAL', 'C08P01', `Munsupported startup parameter: ${parameter}`];
  const body = Buffer.from(`${fields.map((field) => `${field}\0`).join('')}\0`);
  const head = Buffer.alloc(5, 'E');
  head.writeInt32BE(body.length + 4, 1);
  return `${await startAnswering(Buffer.concat([head, body]))}?sslmode=disable`;
}

/** Answers the first bytes of each session, and ends it. @returns the address of a database there */
async function startAnswering(answer: Buffer): Promise<string> {
  const server = createServer((socket) => {
    socket.on('error', () => {}).once('data', () => socket.end(answer));
  }).listen(0, '127.0.0.1');
  servers.push(server);
  await once(server, 'listening');
  return `postgres://someone@127.0.0.1:${(server.address() as AddressInfo).port}/some`;
}

/** A server without TLS says so to who asks for it (PostgreSQL manual, message formats: SSLRequest). */
const noTls = Buffer.from('N');

const migrating: [string, string] = [process.execPath, join(repository, 'dist/src/commands/migrate.js')];

test.each([
  ['a server', {}],
  ['npm run migrate', { command: migrating }],
])('%s that meets a pooler says to set DATABASE_DIRECT_URL', async (_who, program) => {
  const env = { DATABASE_URL: await startRefusing('statement_timeout') };
  const { code, stderr } = await runProcess({ folder: await newFolder(), env, ...program });
  expect(stderr).toMatch(
    /^What answers at DATABASE_URL seems to be a pooler, such as PgBouncer \(unsupported startup parameter: statement_timeout\)\. Set DATABASE_DIRECT_URL .*docs\/scaling\.md.*\.\n$/,
  );
  expect(code).toBe(1);
});

describe('TLS to the database', () => {
  test.each([
    ['a server', {}],
    ['npm run migrate', { command: migrating }],
  ])('%s that asks for it where there is none says so in a sentence', async (_who, program) => {
    const url = `${await startAnswering(noTls)}?sslmode=verify-full`;
    const { code, stderr } = await runProcess({
      folder: await newFolder(),
      env: { DATABASE_URL: url, NODE_NO_WARNINGS: '1' },
      ...program,
    });
    expect(stderr).toMatch(/^The database of DATABASE_URL speaks no TLS, which sslmode asks for: .*\.\n$/);
    expect(code).toBe(1);
  });

  test('a file of certificates that is not there is named', async () => {
    const url = `${await startAnswering(noTls)}?sslmode=verify-full&sslrootcert=/nowhere/ca.pem`;
    const { code, stderr } = await runProcess({ folder: await newFolder(), env: { DATABASE_URL: url } });
    expect(stderr).toMatch(/^The file \/nowhere\/ca\.pem can't be read \(ENOENT\); .*sslrootcert.*\.\n$/);
    expect(code).toBe(1);
  });
});
