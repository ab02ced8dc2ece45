import type { EntityManager } from '@mikro-orm/postgresql';
import { callerOf, type RequestContext } from '../caller/context.ts';
import { countOf, hot, type RawBuilder, sql } from '../db/sql.ts';
import { madeAt } from '../shared/ids.ts';

/** What the record can tell (rules.md section 3, "Audit actions"). */
export const auditActions = [
  'application.created',
  'application.updated',
  'application.deleted',
  'tenant.created',
  'tenant.updated',
  'tenant.deleted',
  'mfa_policy.updated',
  'mfa_policy_override.updated',
  'mfa_policy_override.enabled',
  'mfa_policy_override.disabled',
  'mfa_step.started',
  'mfa_enrollment.completed',
  'mfa_challenge.completed',
  'mfa_challenge.failed',
  'auth_factor.enrolled',
  'auth_factor.used',
  'auth_factor.removed',
  'auth_factor.disabled',
  'recovery_code.issued',
  'recovery_code.used',
  'mfa_user.locked',
  'mfa_user.reset',
  'mfa_exemption.granted',
  'mfa_exemption.revoked',
  'access.denied',
] as const;
export type AuditAction = (typeof auditActions)[number];

export interface AuditEntry {
  action: AuditAction;
  applicationId: string;
  /** Left out for what concerns the application as a whole. */
  tenantId?: string;
  userId?: string;
  /** What changed, before and after. Never a secret, a code or a token. */
  detail: Record<string, unknown>;
}

/** Appends to the record, in the transaction of the change itself: both are there, or neither. */
export async function record(
  context: RequestContext,
  em: EntityManager,
  ...entries: readonly AuditEntry[]
): Promise<void> {
  await recordAs(context, em, callerOf(context).subject, entries);
}

/**
 * The same for an actor who is not the caller: the user of an MFA token. What changes nothing, a denial
 * or an attempt that was counted before and failed, has no transaction to share and is told right after.
 */
export async function recordAs(
  context: RequestContext,
  em: EntityManager,
  actor: string,
  entries: readonly AuditEntry[],
): Promise<void> {
  if (entries.length > 0) await countOf(em, hot(sql`with ${auditParts(context, actor, entries)} select 1`));
}

/**
 * The parts of a WITH that append to the record, for the statement that makes the change: the events,
 * and their digests in the queue of the sealer.
 * @param actor the bearer's sub; for a call with an MFA token, the user's id
 * @param condition append only where it holds
 */
export function auditParts(
  { ids }: Pick<RequestContext, 'ids'>,
  actor: string,
  entries: readonly AuditEntry[],
  condition: RawBuilder<unknown> = sql`true`,
): RawBuilder<unknown> {
  const rows = entries.map((entry) => {
    const id = ids.next();
    return {
      tenant_id: entry.tenantId ?? '',
      id,
      application_id: entry.applicationId,
      // The id's own moment: a second reading of the clock could fall into the next month.
      at: madeAt(id),
      action: entry.action,
      actor,
      user_id: entry.userId ?? null,
      detail: entry.detail,
    };
  });
  return sql`recorded as (
      insert into audit_events as e (tenant_id, id, application_id, at, action, actor, user_id, detail)
      select r.tenant_id, r.id, r.application_id, r.at, r.action, r.actor, r.user_id, r.detail
      from jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) as r(tenant_id text, id uuid, application_id text,
        at timestamptz, action text, actor text, user_id text, detail jsonb)
      where ${condition}
      returning e.tenant_id, e.id, e.application_id, e.at, e.action, ${eventDigest} as digest
    ),
    queued as (
      insert into audit_unsealed (tenant_id, event_id, application_id, at, action, digest)
      select tenant_id, id, application_id, at, action, digest from recorded
    )`;
}

/** SHA-256 over all of an event `e`, in a form that does not depend on a session's settings. */
export const eventDigest = sql`sha256(convert_to(jsonb_build_array(e.tenant_id, e.id, e.application_id,
  (extract(epoch from e.at) * 1000)::bigint, e.action, e.actor, e.user_id, e.detail)::text, 'UTF8'))`;

/** The members of two records that differ, as { name: [before, after] }. */
export function changes<T extends object>(before: T, after: T): Record<string, [unknown, unknown]> {
  return Object.fromEntries(
    (Object.keys(after) as (keyof T & string)[])
      .filter((name) => before[name] !== after[name])
      .map((name) => [name, [before[name], after[name]]]),
  );
}
