import type { EntityManager } from '@mikro-orm/postgresql';
import { callerOf, type RequestContext } from '../caller/context.ts';
import { countOf, type RawBuilder, sql } from '../db/sql.ts';

/** What the record can tell (rules.md section 3, "Audit actions"). */
export type AuditAction =
  | 'application.created'
  | 'application.updated'
  | 'application.deleted'
  | 'tenant.created'
  | 'tenant.updated'
  | 'tenant.deleted'
  | 'mfa_policy.updated'
  | 'mfa_policy_override.updated'
  | 'mfa_policy_override.enabled'
  | 'mfa_policy_override.disabled'
  | 'mfa_step.started'
  | 'mfa_enrollment.completed'
  | 'mfa_challenge.completed'
  | 'mfa_challenge.failed'
  | 'auth_factor.enrolled'
  | 'auth_factor.removed'
  | 'auth_factor.disabled'
  | 'recovery_code.issued'
  | 'recovery_code.used'
  | 'mfa_user.locked';

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
  if (entries.length > 0) await countOf(em, auditInsert(context, callerOf(context).subject, entries));
}

/**
 * The statement that appends, to be part of the statement that changes.
 * @param actor the bearer's sub; for a call with an MFA token, the user's id
 * @param condition append only where it holds
 */
export function auditInsert(
  { clock, ids }: RequestContext,
  actor: string,
  entries: readonly AuditEntry[],
  condition: RawBuilder<unknown> = sql`true`,
): RawBuilder<unknown> {
  const rows = entries.map((entry) => ({
    tenant_id: entry.tenantId ?? '',
    id: ids.next(),
    application_id: entry.applicationId,
    at: clock.now(),
    action: entry.action,
    actor,
    user_id: entry.userId ?? null,
    detail: entry.detail,
  }));
  return sql`insert into audit_events (tenant_id, id, application_id, at, action, actor, user_id, detail)
    select e.tenant_id, e.id, e.application_id, e.at, e.action, e.actor, e.user_id, e.detail
    from jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) as e(tenant_id text, id uuid, application_id text,
      at timestamptz, action text, actor text, user_id text, detail jsonb)
    where ${condition}`;
}

/** The members of two records that differ, as { name: [before, after] }. */
export function changes<T extends object>(before: T, after: T): Record<string, [unknown, unknown]> {
  return Object.fromEntries(
    (Object.keys(after) as (keyof T & string)[])
      .filter((name) => before[name] !== after[name])
      .map((name) => [name, [before[name], after[name]]]),
  );
}
