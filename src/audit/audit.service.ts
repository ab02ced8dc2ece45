import type { EntityManager } from '@mikro-orm/postgresql';
import { callerOf, type RequestContext } from '../caller/context.ts';
import { AuditEventEntity } from './audit-event.entity.ts';

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
  | 'mfa_policy_override.disabled';

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
  if (entries.length === 0) return;
  const actor = callerOf(context).subject;
  await em.insertMany(
    AuditEventEntity,
    entries.map((entry) => ({
      id: context.ids.next(),
      at: context.clock.now(),
      actor,
      action: entry.action,
      applicationId: entry.applicationId,
      tenantId: entry.tenantId ?? '',
      userId: entry.userId ?? null,
      detail: entry.detail,
    })),
  );
}

/** The members of two records that differ, as { name: [before, after] }. */
export function changes<T extends object>(before: T, after: T): Record<string, [unknown, unknown]> {
  return Object.fromEntries(
    (Object.keys(after) as (keyof T & string)[])
      .filter((name) => before[name] !== after[name])
      .map((name) => [name, [before[name], after[name]]]),
  );
}
