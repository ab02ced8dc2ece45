import { createHash } from 'node:crypto';
import {
  DeleteAuthFactorDocument,
  EnrollRecoveryCodeDocument,
  ExplainDocument,
  type ExplainQueryVariables,
  IntrospectDocument,
  UpdateApplicationMfaPolicyDocument,
  VerifyRecoveryCodeDocument,
} from '../generated/documents.ts';
import type { TestCaller, TestServer } from '../setup/harness.ts';
import { codeAt } from '../setup/totp.ts';
import { beginTotp, type SignInWorld, startToken, verify } from './user-agent.ts';

/* What tests of the MFA step do besides signing in: changing what it depends on, and looking at it. */

type Policy = {
  totpEnabled?: boolean;
  recoveryCodesEnabled?: boolean;
  enrollment?: 'OPTIONAL' | 'REQUIRED';
  gracePeriodDays?: number;
};

export async function setPolicy(world: SignInWorld, policy: Policy): Promise<void> {
  const { data } = await world.admin.call(UpdateApplicationMfaPolicyDocument, {
    input: { applicationId: world.applicationId, policy },
  });
  const result = data.updateApplicationMfaPolicy;
  if (result.__typename !== 'ApplicationPayload') throw new Error(`Refused: ${JSON.stringify(result)}`);
}

/** The same world with new bearer tokens, for a clock that was moved far. */
export async function renewed(server: TestServer, world: SignInWorld): Promise<SignInWorld> {
  return {
    ...world,
    service: await server.caller({ applicationId: world.applicationId, scopes: ['mfa-workflow:execute'] }),
    admin: await server.caller(),
  };
}

/** A world's second tenant, or another, as the one that is signed in to. */
export const at = (world: SignInWorld, tenantId: string): SignInWorld => ({ ...world, tenantId });

/** A signed-in user. */
export const selfOf = (server: TestServer, world: SignInWorld, userId: string): Promise<TestCaller> =>
  server.caller({ sub: userId, applicationId: world.applicationId, tenantId: world.tenantId, scopes: [] });

/** Grants an exemption, or takes it away. */
export async function exempt(
  server: TestServer,
  world: SignInWorld,
  userId: string,
  until: Date | null,
): Promise<void> {
  const { rowCount } = await server.database.pool.query(
    `update users set exempt_until = $3, exemption_reason = $4, exemption_granted_by = $5 where tenant_id = $1 and id = $2`,
    [world.tenantId, userId, until, until && 'phone in repair', until && 'admin'],
  );
  if (rowCount !== 1) throw new Error('no such user');
}

export async function deleteFactor(world: SignInWorld, id: string): Promise<void> {
  const { data } = await world.admin.call(DeleteAuthFactorDocument, { input: { id } });
  if (data.deleteAuthFactor.__typename !== 'UserPayload') {
    throw new Error(`Refused: ${JSON.stringify(data.deleteAuthFactor)}`);
  }
}

export async function redeem(caller: TestCaller, mfaToken: string, recoveryCode: string | null) {
  const { data } = await caller.call(VerifyRecoveryCodeDocument, {
    input: { mfaToken, recoveryCode: recoveryCode ?? 'none' },
  });
  return data.verifyRecoveryCodeAuthFactorChallenge;
}

export async function newRecoveryCode(
  caller: TestCaller,
  input: { mfaToken?: string; currentCode?: string },
) {
  const { data } = await caller.call(EnrollRecoveryCodeDocument, { input });
  return data.enrollRecoveryCodeAuthFactor;
}

export async function introspect(caller: TestCaller, mfaToken: string) {
  const { data } = await caller.call(IntrospectDocument, { mfaToken });
  return data.introspectMfaToken;
}

/** What explainMfa says of a user of the world's tenant. */
export async function explain(
  caller: TestCaller,
  { tenantId }: Pick<SignInWorld, 'tenantId'>,
  userId: string,
  identityProvider?: ExplainQueryVariables['identityProvider'],
) {
  const { data, errors } = await caller.call(ExplainDocument, { tenantId, userId, identityProvider });
  if (data === null) throw new Error(JSON.stringify(errors));
  return data.explainMfa;
}

/** Enrolls a user by a sign-in of its own, whatever other steps are open. @returns the new secret */
export async function enrollElsewhere(
  server: TestServer,
  world: SignInWorld,
  userId: string,
): Promise<string> {
  const mfaToken = await startToken(world, userId);
  const { secret } = await beginTotp(world.browser, { mfaToken });
  const verified = await verify(world.browser, codeAt(secret, server.clock.now()), mfaToken);
  if (verified.__typename !== 'FactorVerified') throw new Error(`Not enrolled: ${JSON.stringify(verified)}`);
  return secret;
}

export interface StepRow {
  id: string;
  purpose: 'ENROLLMENT' | 'CHALLENGE';
  satisfied_by: 'otp' | 'recovery' | null;
  finished_at: Date | null;
  ended_at: Date | null;
  expires_at: Date;
}

/** The step of a token, as it is stored. */
export async function stepOf({ database }: TestServer, mfaToken: string): Promise<StepRow> {
  const [random = ''] = mfaToken.split('.');
  const hash = createHash('sha256').update(random).digest('base64url');
  const { rows } = await database.pool.query<Record<keyof StepRow, string | null>>(
    'select id, purpose, satisfied_by, finished_at, ended_at, expires_at from mfa_steps where token_hash = $1',
    [hash],
  );
  const [row] = rows;
  if (row === undefined) throw new Error('no such step');
  const date = (text: string | null) => (text === null ? null : new Date(text));
  return {
    ...(row as unknown as StepRow),
    finished_at: date(row.finished_at),
    ended_at: date(row.ended_at),
    expires_at: new Date(row.expires_at ?? Number.NaN),
  };
}

/** Opens the pool's connections one after the other, so that a burst of calls need not wait for them. */
export async function openConnections({ database: { pool } }: TestServer): Promise<void> {
  const clients = [];
  for (let n = 0; n < (pool.options.max ?? 0); n += 1) clients.push(await pool.connect());
  for (const client of clients) client.release();
}
