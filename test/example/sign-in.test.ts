import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { startTestServer, type TestServer } from '../setup/harness.ts';
import { enrolledUser, type SignInWorld, signInWorld } from '../signin/user-agent.ts';

const program = fileURLToPath(new URL('../../dist/src/example/sign-in.js', import.meta.url));
let server: TestServer;
let world: SignInWorld;
beforeAll(async () => {
  server = await startTestServer();
  world = await signInWorld(server);
});
afterAll(() => server.stop());

async function run(
  userId: string,
  token = world.service.token ?? '',
): Promise<{ code: unknown; output: string }> {
  const child = spawn(process.execPath, [program], {
    env: { CUFFLINK_URL: server.url, CUFFLINK_TOKEN: token, TENANT: world.tenantId, USER_ID: userId },
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += chunk));
  const [code] = await once(child, 'close');
  return { code, output };
}

test('signs a new user in, from the start of the step to the checked assertion', async () => {
  const { code, output } = await run('nora');
  expect(output).toBe(
    [
      'startMfa: MFA_ENROLLMENT_REQUIRED (ENROLLMENT_REQUIRED)',
      'The user scans the QR code.',
      'The code is right; the user keeps a recovery code.',
      `Signed in: nora of ${world.tenantId} by ["otp"]`,
      '',
    ].join('\n'),
  );
  expect(code).toBe(0);
});

test('says so where the user has an authenticator already, and where the token will not do', async () => {
  const user = await enrolledUser(server, world);
  expect((await run(user.id)).output).toMatch(/has an authenticator already/);
  const { code, output } = await run('nora', 'x');
  expect(code).toBe(1);
  expect(output).toMatch(/valid bearer token/);
});
