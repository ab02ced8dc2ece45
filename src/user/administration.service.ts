import type { EntityManager } from '@mikro-orm/postgresql';
import { type AuditEntry, auditParts, record } from '../audit/audit.service.ts';
import type { Caller } from '../caller/caller.ts';
import { answer, callerOf, type RequestContext, transaction } from '../caller/context.ts';
import { countOf, partsOf, sql } from '../db/sql.ts';
import { isId, isUserId } from '../shared/text.ts';
import { InvalidInput, NotFound, parseInput } from '../shared/user-error.type.ts';
import {
  type ExemptUserFromMfaInput,
  exemptionWrite,
  type ResetUserMfaInput,
  type RevokeMfaExemptionInput,
  resetWrite,
} from './administration.type.ts';
import { clearedMfa, noFailures } from './clearing.ts';
import { isExempt } from './mfa-state.ts';
import { lockUser, readSubject, type StoredUser, type Subject } from './subject.ts';
import { toUserRow } from './user.loader.ts';
import { UserPayload } from './user.type.ts';

/*
 * What administrators do to a user's MFA. The user's row is locked first, as by everything that
 * changes factors; whoever comes second sees what the first left behind. Neither the moment of the
 * first request nor that of the first enrollment is ever touched: grace is not renewable.
 */

/** Takes all that a user has of MFA, so that the user begins anew. An exemption stays. */
export async function resetUserMfa(
  context: RequestContext,
  input: ResetUserMfaInput,
): Promise<UserPayload | NotFound | InvalidInput> {
  const caller = callerOf(context);
  caller.assertMay('auth-factor:delete');
  const valid = parseInput(resetWrite, input);
  if (valid instanceof InvalidInput) return valid;
  const changed = await changeUser(context, input, async (em, subject) => {
    const ofUser = sql`tenant_id = ${subject.tenant.id} and user_id = ${subject.userId}`;
    const event: AuditEntry = {
      ...about(subject),
      action: 'mfa_user.reset',
      detail: { reason: valid.reason, factors: Object.keys(subject.factors) },
    };
    await countOf(
      em,
      sql`with ${partsOf(clearedMfa(ofUser, context.clock.now(), sql`true`, sql`true`))}
        ${auditParts(context, caller.subject, [event])}
        update users set ${noFailures} where tenant_id = ${subject.tenant.id} and id = ${subject.userId}`,
    );
  });
  return changed ?? new NotFound('user');
}

/** Excuses a user, known or not, from required enrollment until a moment. */
export async function exemptUserFromMfa(
  context: RequestContext,
  input: ExemptUserFromMfaInput,
): Promise<UserPayload | NotFound | InvalidInput> {
  const caller = callerOf(context);
  caller.assertMay('mfa-exemption:write');
  const now = context.clock.now();
  const valid = parseInput(exemptionWrite(now), input);
  if (valid instanceof InvalidInput) return valid;
  const { until, reason } = valid;
  const grant = async (em: EntityManager, subject: Subject) => {
    const before = running(subject.user, now);
    if (before?.until.getTime() === until.getTime() && before.reason === reason) return;
    await setExemption(em, subject, { until, reason, grantedBy: caller.subject });
    await record(context, em, {
      ...about(subject),
      action: 'mfa_exemption.granted',
      detail: { until: [before?.until ?? null, until], reason: [before?.reason ?? null, reason] },
    });
  };
  return (await changeUser(context, input, grant, true)) ?? new NotFound('tenant');
}

/** Ends a running exemption; where none is running, nothing changes. */
export async function revokeMfaExemption(
  context: RequestContext,
  input: RevokeMfaExemptionInput,
): Promise<UserPayload | NotFound> {
  callerOf(context).assertMay('mfa-exemption:write');
  const changed = await changeUser(context, input, async (em, subject) => {
    const before = running(subject.user, context.clock.now());
    if (before === null) return;
    await setExemption(em, subject, null);
    await record(context, em, {
      ...about(subject),
      action: 'mfa_exemption.revoked',
      detail: { until: [before.until, null], reason: [before.reason, null], grantedBy: before.grantedBy },
    });
  });
  return changed ?? new NotFound('user');
}

interface Place {
  tenantId: string;
  userId: string;
}

/**
 * Changes a user inside the caller's boundary.
 * @param learns whether a user never seen becomes known by it
 * @returns the user as it is then; null when there is none
 */
async function changeUser(
  context: RequestContext,
  { tenantId, userId }: Place,
  change: (em: EntityManager, subject: Subject) => Promise<void>,
  learns = false,
): Promise<UserPayload | null> {
  if (!isId(tenantId) || !isUserId(userId)) return null;
  const caller = callerOf(context);
  const now = context.clock.now();
  return transaction(context, async (em) => {
    const read = () => readSubject(em, caller, tenantId, userId, now);
    if (learns) await learnUser(em, caller, { tenantId, userId }, now);
    // Only what lies inside the boundary is locked; what was read before that is old by then.
    if (!(await read())?.isKnown) return null;
    await lockUser(em, { tenantId, userId });
    const before = await read();
    if (!before?.isKnown) return null;
    await change(em, before);
    const after = await read();
    return after && new UserPayload(answer(context, toUserRow(after)));
  });
}

/** The tenant's row is held, so that it is not deleted in between. */
async function learnUser(em: EntityManager, caller: Caller, place: Place, now: Date): Promise<void> {
  await countOf(
    em,
    sql`insert into users (tenant_id, id, created_at)
      select t.id, ${place.userId}, ${now}::timestamptz from tenants t
      where t.id = ${place.tenantId} and ${caller.tenantsInBoundary('t')} for key share
      on conflict (tenant_id, id) do nothing`,
  );
}

async function setExemption(
  em: EntityManager,
  { tenant, userId }: Subject,
  exemption: StoredUser['exemption'],
): Promise<void> {
  await countOf(
    em,
    sql`update users set exempt_until = ${exemption?.until ?? null}, exemption_reason = ${exemption?.reason ?? null},
        exemption_granted_by = ${exemption?.grantedBy ?? null}
      where tenant_id = ${tenant.id} and id = ${userId}`,
  );
}

const running = (user: StoredUser, now: Date): StoredUser['exemption'] =>
  isExempt(user, now) ? user.exemption : null;

const about = ({ tenant, userId }: Subject) => ({
  applicationId: tenant.applicationId,
  tenantId: tenant.id,
  userId,
});
