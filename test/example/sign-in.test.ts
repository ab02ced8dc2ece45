import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { publicUrl, startTestServer, type TestServer, uniqueId } from '../setup/harness.ts';
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
  more: Record<string, string> = {},
): Promise<{ code: unknown; output: string }> {
  const child = spawn(process.execPath, [program], {
    env: {
      CUFFLINK_URL: server.url,
      CUFFLINK_TOKEN: token,
      ISSUER: publicUrl,
      APPLICATION: world.applicationId,
      TENANT: world.tenantId,
      USER_ID: userId,
      ...more,
    },
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

test.each([
  ['another issuer', { ISSUER: 'https://other.test' }, /"iss"/],
  ['another application', { APPLICATION: 'another' }, /"aud"/],
])('takes no assertion of %s', async (_what, more, message) => {
  const { code, output } = await run(uniqueId('user'), world.service.token ?? '', more);
  expect(code).toBe(1);
  expect(output).toMatch(message);
});

test('lets a user in who is within the grace period', async () => {
  const graceful = await signInWorld(server, {
    policy: { totpEnabled: true, enrollment: 'REQUIRED', gracePeriodDays: 7 },
  });
  const { output } = await run('nora', graceful.service.token ?? '', {
    APPLICATION: graceful.applicationId,
    TENANT: graceful.tenantId,
  });
  expect(output).toBe(
    'startMfa: AUTHENTICATED (GRACE_PERIOD)\nNothing more is asked; the user is signed in.\n',
  );
});
