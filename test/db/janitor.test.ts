import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { cleanUp } from '../../src/janitor.ts';
import { startTestServer, type TestServer, uniqueId } from '../setup/harness.ts';
import {
  beginTotp,
  enrolledUser,
  mfaOf,
  type SignInWorld,
  signInWorld,
  startToken,
} from '../signin/user-agent.ts';

let server: TestServer;
let world: SignInWorld;
beforeAll(async () => {
  server = await startTestServer();
  world = await signInWorld(server);
});
afterAll(() => server.stop());

const rowsOf = async (table: string): Promise<number> => {
  const { rows } = await server.database.pool.query(
    `select count(*)::int as count from ${table} where tenant_id = $1`,
    [world.tenantId],
  );
  return rows[0].count;
};

test('what is over is deleted, and nothing else', async () => {
  const user = await enrolledUser(server, world);
  await beginTotp(world.browser, { mfaToken: await startToken(world, uniqueId('user')) });
  const open = await rowsOf('mfa_steps');
  await cleanUp(server.database, server.clock);
  expect([await rowsOf('mfa_steps'), await rowsOf('pending_auth_factors')]).toEqual([open, 1]);

  server.clock.advance(25 * 3600);
  expect(await cleanUp(server.database, server.clock)).toBeGreaterThan(0);
  expect([await rowsOf('mfa_steps'), await rowsOf('pending_auth_factors')]).toEqual([0, 0]);
  const admin = await server.caller();
  expect(await mfaOf({ ...world, admin }, user.id)).toMatchObject({
    state: 'ENROLLED',
    recoveryCodeState: 'ACTIVE',
  });
});
