import {
  DeleteAuthFactorDocument,
  EnrollRecoveryCodeDocument,
  VerifyRecoveryCodeDocument,
} from '../generated/documents.ts';
import type { TestCaller, TestServer } from '../setup/harness.ts';
import { wrongCode } from '../setup/totp.ts';
import { type EnrolledUser, type SignInWorld, startToken, verify } from '../signin/user-agent.ts';

/* What the tests of factors do besides signing in: recovery codes, deletion, looks into the tables. */

export async function redeem(caller: TestCaller, mfaToken: string, recoveryCode: string) {
  const { data } = await caller.call(VerifyRecoveryCodeDocument, { input: { mfaToken, recoveryCode } });
  return data.verifyRecoveryCodeAuthFactorChallenge;
}

export async function newRecoveryCode(
  caller: TestCaller,
  input: { mfaToken?: string; currentCode?: string },
) {
  const { data } = await caller.call(EnrollRecoveryCodeDocument, { input });
  const issued = data.enrollRecoveryCodeAuthFactor;
  if (issued.__typename !== 'RecoveryCodeEnrollment')
    throw new Error(`Not issued: ${JSON.stringify(issued)}`);
  return issued.recoveryCode;
}

export async function deleteFactor(caller: TestCaller, id: string, currentCode?: string) {
  const { data } = await caller.call(DeleteAuthFactorDocument, { input: { id, currentCode } });
  return data.deleteAuthFactor;
}

/** The user itself, signed in. */
export const selfOf = (
  server: TestServer,
  { applicationId, tenantId }: SignInWorld,
  userId: string,
): Promise<TestCaller> => server.caller({ sub: userId, applicationId, tenantId, scopes: [] });

/** The same world after the clock has moved: bearer tokens last an hour. */
export const renewed = async (server: TestServer, world: SignInWorld): Promise<SignInWorld> => ({
  ...world,
  service: await server.caller({ applicationId: world.applicationId, scopes: ['mfa-workflow:execute'] }),
  admin: await server.caller(),
});

/** Steps of one user, open side by side. */
export const openTokens = (world: SignInWorld, userId: string, count: number): Promise<string[]> =>
  Promise.all(Array.from({ length: count }, () => startToken(world, userId)));

/** Answers by their code, or by their type where they have none, counted. */
export function tally(answers: readonly object[]): Record<string, number> {
  const counted: Record<string, number> = {};
  for (const answer of answers) {
    const { code, __typename: type } = answer as { code?: string; __typename?: string };
    const name = code ?? type ?? 'nothing';
    counted[name] = (counted[name] ?? 0) + 1;
  }
  return counted;
}

/** Gives wrong TOTP codes in a row, waiting as long as it takes. */
export async function failTotp(
  server: TestServer,
  world: SignInWorld,
  user: Pick<EnrolledUser, 'id' | 'secret'>,
  times: number,
): Promise<void> {
  for (let n = 0; n < times; n += 1) {
    server.clock.advance(3600);
    const current = await renewed(server, world);
    const mfaToken = await startToken(current, user.id);
    const answer = await verify(current.browser, wrongCode(user.secret, server.clock.now()), mfaToken);
    if (!('code' in answer) || answer.code !== 'INVALID_CODE')
      throw new Error(`Not looked at: ${JSON.stringify(answer)}`);
  }
}

export interface Counters {
  totp_failures: number;
  totp_locked_until: unknown;
  recovery_failures: number;
  recovery_locked_until: unknown;
}

/** What the table counts of a user. */
export async function countersOf(server: TestServer, tenantId: string, userId: string): Promise<Counters> {
  const { rows } = await server.database.pool.query<Counters>(
    'select totp_failures, totp_locked_until, recovery_failures, recovery_locked_until from users where tenant_id = $1 and id = $2',
    [tenantId, userId],
  );
  const [row] = rows;
  if (row === undefined) throw new Error('no such user');
  return row;
}

export interface FactorRow {
  id: string;
  type: string;
  key_id: string;
  secret: Buffer;
  spent: string;
}

/** Rows of a table of factors that belong to a user. */
export async function factorRows(
  server: TestServer,
  tenantId: string,
  userId: string,
  table: 'auth_factors' | 'pending_auth_factors' = 'auth_factors',
): Promise<FactorRow[]> {
  const { rows } = await server.database.pool.query<FactorRow>(
    `select * from ${table} where tenant_id = $1 and user_id = $2 order by type desc`,
    [tenantId, userId],
  );
  return rows;
}
