import { ExemptUserDocument, ResetUserMfaDocument, RevokeExemptionDocument } from '../generated/documents.ts';
import type { TestCaller, TestServer } from '../setup/harness.ts';
import type { SignInWorld } from '../signin/user-agent.ts';

/* What administrators do to a user's MFA, and what the record says of it. */

type Where = Pick<SignInWorld, 'tenantId'>;

export async function reset(
  caller: TestCaller,
  { tenantId }: Where,
  userId: string,
  reason = 'lost the phone',
) {
  const { data } = await caller.call(ResetUserMfaDocument, { input: { tenantId, userId, reason } });
  return data.resetUserMfa;
}

export async function grant(
  caller: TestCaller,
  { tenantId }: Where,
  userId: string,
  until: Date,
  reason = 'phone in repair',
) {
  const input = { tenantId, userId, until: until.toISOString(), reason };
  const { data } = await caller.call(ExemptUserDocument, { input });
  return data.exemptUserFromMfa;
}

export async function revoke(caller: TestCaller, { tenantId }: Where, userId: string) {
  const { data } = await caller.call(RevokeExemptionDocument, { input: { tenantId, userId } });
  return data.revokeMfaExemption;
}

/** What the record says of a user, oldest first. @param actions a prefix of their names */
export async function eventsOf(
  { database }: TestServer,
  { tenantId }: Where,
  userId: string,
  actions: string,
): Promise<{ action: string; actor: string; detail: unknown }[]> {
  const { rows } = await database.pool.query(
    `select action, actor, detail from audit_events
     where tenant_id = $1 and user_id = $2 and starts_with(action, $3) order by at, id`,
    [tenantId, userId, actions],
  );
  return rows;
}

export const daysFrom = (now: Date, days: number): Date => new Date(now.getTime() + days * 24 * 3600 * 1000);
