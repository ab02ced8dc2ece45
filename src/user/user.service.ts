import { auditParts } from '../audit/audit.service.ts';
import { answer, callerOf, type RequestContext, transaction } from '../caller/context.ts';
import { partsOf, rowOf, sql } from '../db/sql.ts';
import { type InvalidCode, StepUpRequired, type TooManyAttempts } from '../factor/factor-error.type.ts';
import type { AuthFactorType } from '../factor/rows.ts';
import { totp } from '../factor/totp.ts';
import { isUuid } from '../shared/text.ts';
import { NotFound } from '../shared/user-error.type.ts';
import { clearedMfa, noFailures, noRecoveryFailures } from './clearing.ts';
import { type Effects, tryCode } from './code-check.ts';
import { isPending, lockUser, readSubject, type Subject } from './subject.ts';
import { assertMayDeleteFactors, isSelf } from './user.access.ts';
import { toUserRow } from './user.loader.ts';
import { type DeleteAuthFactorInput, UserPayload } from './user.type.ts';

interface FoundFactor {
  id: string;
  type: AuthFactorType;
  isPending: boolean;
}

/**
 * Deletes a factor. With the authenticator go the recovery code, pending factors, open steps and
 * counters. A user proves itself with a current code; whoever deletes for others needs the scope.
 */
export async function deleteAuthFactor(
  context: RequestContext,
  input: DeleteAuthFactorInput,
): Promise<UserPayload | NotFound | StepUpRequired | InvalidCode | TooManyAttempts> {
  const caller = callerOf(context);
  assertMayDeleteFactors(caller);
  const found = await findFactor(context, input.id);
  if (found === null) return new NotFound('factor');
  const { subject, factor } = found;
  const isOwn = isSelf(caller, { id: subject.userId, tenantId: subject.tenant.id });
  if (!isOwn && !caller.may('auth-factor:delete')) return new NotFound('factor');
  if (isOwn && !factor.isPending) {
    if (input.currentCode == null) return new StepUpRequired();
    const effects = deletion(context, subject, factor, true);
    const result = await tryCode(context, subject, caller.subject, totp, input.currentCode, effects);
    if (!('spent' in result)) return result;
  } else {
    const effects = deletion(context, subject, factor, false);
    if (!(await carryOut(context, caller.subject, subject, factor, effects))) return new NotFound('factor');
  }
  const after = await readSubject(context.em, caller, subject.tenant.id, subject.userId, context.clock.now());
  return after === null ? new NotFound('factor') : new UserPayload(answer(context, toUserRow(after)));
}

/** Finds a factor, active or pending, inside the caller's boundary. */
async function findFactor(
  context: RequestContext,
  id: string,
): Promise<{ subject: Subject; factor: FoundFactor } | null> {
  if (!isUuid(id.toLowerCase())) return null;
  const caller = callerOf(context);
  const row = await rowOf(
    context.em,
    sql<{ tenantId: string; userId: string; type: AuthFactorType; isPending: boolean }>`
      select f.tenant_id as "tenantId", f.user_id as "userId", f.type, f."isPending" from (
        select tenant_id, user_id, type, false as "isPending" from auth_factors where id = ${id}::uuid and not (type = 'RECOVERY_CODE' and spent > 0)
        union all
        select tenant_id, user_id, type, true from pending_auth_factors p where id = ${id}::uuid and ${isPending('p', context.clock.now())}
      ) f join tenants t on t.id = f.tenant_id where ${caller.tenantsInBoundary('t')}`,
  );
  if (row === null) return null;
  const subject = await readSubject(context.em, caller, row.tenantId, row.userId, context.clock.now());
  if (subject === null) return null;
  const factor = { id: id.toLowerCase(), type: row.type, isPending: row.isPending };
  // Another may have taken its place between the two reads; it is not the one that was named.
  const isGone = !factor.isPending && subject.factors[factor.type]?.id !== factor.id;
  return isGone ? null : { subject, factor };
}

/**
 * What deleting a factor brings about.
 * @param byCode whether a code of the authenticator, spent in the same statement, proves who deletes
 */
function deletion(
  { clock }: RequestContext,
  { tenant, userId }: Subject,
  factor: FoundFactor,
  byCode: boolean,
): Effects {
  const ofUser = sql`tenant_id = ${tenant.id} and user_id = ${userId}`;
  const about = { applicationId: tenant.applicationId, tenantId: tenant.id, userId };
  const detail = { type: factor.type, factorId: factor.id, ...(factor.isPending && { pending: true }) };
  const events = [{ ...about, action: 'auth_factor.removed' as const, detail }];
  if (factor.isPending) {
    return {
      events,
      statements: () => ({
        removed: sql`delete from pending_auth_factors where ${ofUser} and id = ${factor.id}::uuid returning 1`,
      }),
    };
  }
  if (factor.type === 'RECOVERY_CODE') {
    return {
      events,
      onUser: noRecoveryFailures,
      statements: (allowed) => ({
        removed: sql`delete from auth_factors where ${ofUser} and id = ${factor.id}::uuid and ${allowed} returning 1`,
      }),
    };
  }
  return {
    events,
    removesFactor: true,
    // A code that is accepted clears the counters of its kind by itself.
    onUser: byCode ? noRecoveryFailures : noFailures,
    statements: (allowed) =>
      clearedMfa(ofUser, clock.now(), byCode ? sql`type <> 'TOTP'` : sql`true`, allowed),
  };
}

/**
 * Carries a deletion out by the right of the caller. The user's row is locked before: what was begun
 * or issued until then is seen and goes too, and a factor that was replaced meanwhile is not found.
 * @returns false when somebody else was first
 */
async function carryOut(
  context: RequestContext,
  actor: string,
  { tenant, userId }: Subject,
  factor: FoundFactor,
  effects: Effects,
): Promise<boolean> {
  const ofUser = sql`tenant_id = ${tenant.id} and user_id = ${userId}`;
  const removed = sql`exists (select from removed)`;
  const cleared = effects.onUser
    ? sql`cleared as (update users set ${effects.onUser} where tenant_id = ${tenant.id} and id = ${userId} and ${removed}),`
    : sql``;
  return transaction(context, async (em) => {
    await lockUser(em, { tenantId: tenant.id, userId });
    const row = await rowOf(
      em,
      sql<{ removed: boolean }>`
        with found as (select 1 from auth_factors where ${ofUser} and id = ${factor.id}::uuid),
        ${partsOf(effects.statements(sql`exists (select from found)`))} ${cleared}
        ${auditParts(context, actor, effects.events, removed)} select ${removed} as removed`,
    );
    return row?.removed ?? false;
  });
}
