import { VerifyTotpDocument } from '../generated/documents.ts';
import { type Answer, type TestCaller, type TestServer, uniqueId } from '../setup/harness.ts';
import { codeAt } from '../setup/totp.ts';
import { selfOf, stepOf } from './step-tools.ts';
import { beginTotp, type EnrolledUser, enrolledUser, type SignInWorld, startToken } from './user-agent.ts';

/* A call of the MFA step, ready to be made while something fails, and what such calls start from. */

export interface ReadyCall {
  call(): Promise<Answer<unknown>>;
  /** Whether it was carried out, whatever was answered. */
  isDone(): Promise<boolean>;
  userId: string;
  /** Of the authenticator that the user has in the end; of one enrolled on the way, none. */
  secret?: string;
  /** The step that the user is in. */
  mfaToken?: string;
}

/** Worlds by what their policies ask. */
export type Policies = 'required' | 'optional' | 'graceful';

export interface FailingCall {
  name: string;
  policies?: Policies;
  /** What it answers: the status of a decision, the code of a refusal, the type of anything else. */
  answers: string;
  /** What it answers when it was carried out before; the same unless told. */
  answersAgain?: string;
  /** Recorded once, however often the call is repeated. */
  recordedOnce?: string;
  prepare(server: TestServer, world: SignInWorld): Promise<ReadyCall>;
}

export const code = (server: TestServer, secret: string) => codeAt(secret, server.clock.now());

/** Rows that a condition on a user's tenant ($1) and id ($2) finds. */
export async function countOf(
  server: TestServer,
  world: SignInWorld,
  userId: string,
  from: string,
  ...more: unknown[]
) {
  const { rowCount } = await server.database.pool.query(
    `select from ${from} where tenant_id = $1 and ${from === 'users' ? 'id' : 'user_id'} = $2 ${more.length > 0 ? 'and id = $3' : ''}`,
    [world.tenantId, userId, ...more],
  );
  return rowCount ?? 0;
}

/** The user's recorded acts of a kind. */
export async function recordedOf(server: TestServer, world: SignInWorld, userId: string, action: string) {
  const { rowCount } = await server.database.pool.query(
    'select from audit_events where tenant_id = $1 and user_id = $2 and action = $3',
    [world.tenantId, userId, action],
  );
  return rowCount ?? 0;
}

/** A challenge that waits for an answer. */
export async function challenged(server: TestServer, world: SignInWorld) {
  const user = await enrolledUser(server, world);
  return { user, mfaToken: await startToken(world, user.id) };
}

/** Somebody in an enrollment step, with an authenticator begun. */
export async function enrolling(server: TestServer, world: SignInWorld) {
  const userId = uniqueId('user');
  const mfaToken = await startToken(world, userId);
  const { secret, factor } = await beginTotp(world.browser, { mfaToken });
  const confirm = () =>
    world.browser.call(VerifyTotpDocument, { input: { mfaToken, code: code(server, secret) } });
  return { userId, mfaToken, secret, factorId: factor.id, confirm };
}

export const isSatisfied = (server: TestServer, mfaToken: string) => async () =>
  (await stepOf(server, mfaToken)).satisfied_by !== null;
export const isFinished = (server: TestServer, mfaToken: string) => async () =>
  (await stepOf(server, mfaToken)).finished_at !== null;

/** A signed-in user with an authenticator. */
export async function signedIn(
  server: TestServer,
  world: SignInWorld,
): Promise<{ user: EnrolledUser; self: TestCaller }> {
  const user = await enrolledUser(server, world);
  return { user, self: await selfOf(server, world, user.id) };
}
