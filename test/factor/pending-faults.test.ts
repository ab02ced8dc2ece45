import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { VerifyTotpDocument } from '../generated/documents.ts';
import { startTestServer, type TestCaller, type TestServer, uniqueId } from '../setup/harness.ts';
import { losing } from '../setup/statement-faults.ts';
import { codeAt, wrongCode } from '../setup/totp.ts';
import { beginTotp, type SignInWorld, signInWorld, startToken, verify } from '../signin/user-agent.ts';
import { factorRows, selfOf } from './agent.ts';

/* An enrollment whose attempts were used up while the database failed, so that nothing could end it. */

let server: TestServer;
let world: SignInWorld;
beforeAll(async () => {
  server = await startTestServer();
  server.clock.fix(new Date());
  world = await signInWorld(server);
});
afterAll(() => server.stop());

const places: [string, () => Promise<{ userId: string; caller: TestCaller; mfaToken?: string }>][] = [
  [
    'in a step',
    async () => {
      const userId = uniqueId('user');
      return { userId, caller: world.browser, mfaToken: await startToken(world, userId) };
    },
  ],
  [
    'in self-service',
    async () => {
      const userId = uniqueId('user');
      return { userId, caller: await selfOf(server, world, userId) };
    },
  ],
];
const codes = { right: codeAt, wrong: wrongCode };

test.each(
  places.flatMap((place) =>
    (['right', 'wrong'] as const).map((typed) => [place[0], typed, place[1]] as const),
  ),
)(
  'THR-3: %s, a pending factor that %s codes used up makes room for another',
  async (_place, typed, begin) => {
    const { userId, caller, mfaToken } = await begin();
    const first = await beginTotp(caller, { mfaToken });
    const input = { mfaToken, code: codes[typed](first.secret, server.clock.now()) };
    for (let n = 0; n < 5; n += 1) {
      const answer = await losing(/insert into audit_events/, () =>
        caller.call(VerifyTotpDocument, { input }),
      );
      expect(answer).toMatchObject({ status: 503, data: null });
    }
    const second = await beginTotp(caller, { mfaToken });
    expect(second.secret).not.toBe(first.secret);
    expect(await factorRows(server, world.tenantId, userId, 'pending_auth_factors')).toHaveLength(1);
    const code = codeAt(second.secret, server.clock.now());
    expect(await verify(caller, code, mfaToken)).toMatchObject({ __typename: 'FactorVerified' });
  },
);
