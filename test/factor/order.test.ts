import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { startTestServer, type TestServer } from '../setup/harness.ts';
import { codeAt } from '../setup/totp.ts';
import {
  beginTotp,
  type EnrolledUser,
  enroll,
  enrolledUser,
  type SignInWorld,
  signInWorld,
  startToken,
  verify,
} from '../signin/user-agent.ts';
import { deleteFactor, factorRows, newRecoveryCode, renewed, selfOf } from './agent.ts';
import { lineUp, totpRow, userRow } from './lock.ts';

/* Changes of one user's factors that meet: the one that comes first wins, the other sees it. */

let server: TestServer;
let world: SignInWorld;
let user: EnrolledUser;
beforeAll(async () => {
  server = await startTestServer();
  world = await signInWorld(server);
});
beforeEach(async () => {
  world = await renewed(server, world);
  user = await enrolledUser(server, world);
});
afterAll(() => server.stop());

const right = (secret = user.secret) => codeAt(secret, server.clock.now());
const totpIds = async () =>
  (await factorRows(server, world.tenantId, user.id)).flatMap(({ type, id }) =>
    type === 'TOTP' ? [id] : [],
  );
const pendingIds = async () =>
  (await factorRows(server, world.tenantId, user.id, 'pending_auth_factors')).map(({ id }) => id);

describe('at the same time', () => {
  test('ENR-1: a code of the old factor and the confirmation of a new one both get an answer', async () => {
    const self = await selfOf(server, world, user.id);
    const begun = await beginTotp(self, { currentCode: right() });
    server.clock.advance(30);
    const mfaToken = await startToken(world, user.id);
    const [challenged, confirmed] = await lineUp(
      totpRow(world.tenantId, user.id),
      () => verify(world.browser, right(), mfaToken),
      () => verify(self, right(begun.secret)),
    );
    expect(challenged).toMatchObject({ factor: { id: user.factorId } });
    expect(confirmed).toMatchObject({ factor: { id: begun.factor.id } });
    expect(await totpIds()).toEqual([begun.factor.id]);
  });

  test('ENR-1: a code of the old factor is worth nothing once the new one was confirmed before it', async () => {
    const self = await selfOf(server, world, user.id);
    const begun = await beginTotp(self, { currentCode: right() });
    server.clock.advance(30);
    const mfaToken = await startToken(world, user.id);
    const [confirmed, challenged] = await lineUp(
      userRow(world.tenantId, user.id),
      () => verify(self, right(begun.secret)),
      () => verify(world.browser, right(), mfaToken),
    );
    expect(confirmed).toMatchObject({ factor: { id: begun.factor.id } });
    expect(challenged).toMatchObject({ code: 'INVALID_CODE' });
  });

  test('ENR-2: a confirmation that comes first survives the deletion of the factor it replaced', async () => {
    const self = await selfOf(server, world, user.id);
    const begun = await beginTotp(self, { currentCode: right() });
    const [confirmed, deleted] = await lineUp(
      userRow(world.tenantId, user.id),
      () => verify(self, right(begun.secret)),
      () => deleteFactor(world.admin, user.factorId),
    );
    expect(confirmed).toMatchObject({ factor: { id: begun.factor.id } });
    expect(deleted).toMatchObject({ code: 'NOT_FOUND' });
    expect(await totpIds()).toEqual([begun.factor.id]);
  });

  test('ENR-2: a deletion that comes first leaves nothing to confirm', async () => {
    const self = await selfOf(server, world, user.id);
    const begun = await beginTotp(self, { currentCode: right() });
    const [deleted, confirmed] = await lineUp(
      userRow(world.tenantId, user.id),
      () => deleteFactor(world.admin, user.factorId),
      () => verify(self, right(begun.secret)),
    );
    expect(deleted).toMatchObject({ __typename: 'UserPayload' });
    expect(confirmed).toMatchObject({ code: 'INVALID_CODE' });
    expect(await factorRows(server, world.tenantId, user.id)).toEqual([]);
  });

  test('ENR-2: what is begun just before a deletion goes with it', async () => {
    const self = await selfOf(server, world, user.id);
    const [, deleted] = await lineUp(
      totpRow(world.tenantId, user.id),
      () => enroll(self, { currentCode: right() }),
      () => deleteFactor(world.admin, user.factorId),
    );
    expect(deleted).toMatchObject({ __typename: 'UserPayload' });
    expect(await pendingIds()).toEqual([]);
    expect(await factorRows(server, world.tenantId, user.id)).toEqual([]);
  });

  test('ENR-2: a recovery code issued just before a deletion goes with it', async () => {
    const recovery = (await factorRows(server, world.tenantId, user.id)).find(({ type }) => type !== 'TOTP');
    await deleteFactor(world.admin, recovery?.id ?? '');
    const self = await selfOf(server, world, user.id);
    await lineUp(
      totpRow(world.tenantId, user.id),
      () => newRecoveryCode(self, { currentCode: right() }),
      () => deleteFactor(world.admin, user.factorId),
    );
    expect(await factorRows(server, world.tenantId, user.id)).toEqual([]);
  });

  test('ENR-2: a sign-in begun just before a deletion is ended by it', async () => {
    const [mfaToken] = await lineUp(
      userRow(world.tenantId, user.id),
      () => startToken(world, user.id),
      () => deleteFactor(world.admin, user.factorId),
    );
    expect(await verify(world.browser, right(), mfaToken)).toMatchObject({ code: 'INVALID_MFA_TOKEN' });
  });

  test('ENR-2: two deletions, by the user and by an administrator: one finds it', async () => {
    const self = await selfOf(server, world, user.id);
    const [own, deleted] = await lineUp(
      totpRow(world.tenantId, user.id),
      () => deleteFactor(self, user.factorId, right()),
      () => deleteFactor(world.admin, user.factorId),
    );
    expect(own).toMatchObject({ __typename: 'UserPayload' });
    expect(deleted).toMatchObject({ code: 'NOT_FOUND' });
    expect(await factorRows(server, world.tenantId, user.id)).toEqual([]);
  });
});
