import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { startTestServer, type TestServer, uniqueId } from '../setup/harness.ts';
import { selfOf } from '../signin/step-tools.ts';
import { type SignInWorld, signInWorld } from '../signin/user-agent.ts';

/* The examples of the client, as `npm run example:…` runs them. */

let server: TestServer;
let world: SignInWorld;
beforeAll(async () => {
  server = await startTestServer();
  world = await signInWorld(server);
});
afterAll(() => server.stop());

async function run(example: string, token: string | null): Promise<{ code: unknown; output: string }> {
  const program = fileURLToPath(new URL(`../../dist/src/example/${example}.js`, import.meta.url));
  const child = spawn(process.execPath, [program], {
    env: { CUFFLINK_URL: server.url, ...(token !== null && { CUFFLINK_TOKEN: token }) },
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += chunk));
  const [code] = await once(child, 'close');
  return { code, output };
}

test("tells a signed-in user's effective policy", async () => {
  const userId = uniqueId('user');
  const { token } = await selfOf(server, world, userId);
  expect(await run('effective-policy', token)).toEqual({
    code: 0,
    output: [
      `${userId} of Tenant 001:`,
      '  MFA is on; enrollment is REQUIRED.',
      '  The policy is of the application itself.',
      '  The user is OVERDUE.',
      '',
    ].join('\n'),
  });
});

test('says which code a refusal has', async () => {
  const { code, output } = await run('effective-policy', null);
  expect(code).toBe(1);
  expect(output).toMatch(/^UNAUTHENTICATED: /);
});

test('enrolls a signed-in user from the beginning to the recovery code, once', async () => {
  const { token } = await selfOf(server, world, uniqueId('user'));
  const first = await run('self-enrollment', token);
  expect(first.output).toMatch(
    /^The user scans otpauth:\/\/totp\/.*secret=….*\nEnrolled; the user saves the recovery code\.\n$/,
  );
  expect(first.code).toBe(0);
  expect(await run('self-enrollment', token)).toEqual({
    code: 0,
    output: 'There is an authenticator already; its current code is needed to replace it.\n',
  });
});
