import type { EntityManager } from '@mikro-orm/postgresql';
import type { Caller } from '../caller/caller.ts';
import { hot, type RawBuilder, rowOf, sql } from '../db/sql.ts';
import {
  type AuthFactorType,
  type PendingFactor,
  type PendingFactorJson,
  type StoredFactor,
  type StoredFactorJson,
  toPendingFactor,
  toStoredFactor,
} from '../factor/rows.ts';
import { type TenantColumns, type TenantRow, tenantColumns, toTenant } from '../tenancy/rows.ts';

/** What is known of a user; of one never seen, the same with nothing in it. */
export interface StoredUser {
  accountName: string | null;
  enrollmentRequiredAt: Date | null;
  firstEnrolledAt: Date | null;
  exemption: { until: Date; reason: string; grantedBy: string } | null;
  totpFailures: number;
  totpLockedUntil: Date | null;
  recoveryFailures: number;
  recoveryLockedUntil: Date | null;
}

/**
 * A user of a tenant with all that decides the MFA step: the tenant's policies, what is known of
 * the user, and the factors. Read in one statement, so that it is of one moment.
 */
export interface Subject {
  tenant: TenantRow;
  userId: string;
  /** False for a user never seen. */
  isKnown: boolean;
  user: StoredUser;
  factors: Partial<Record<AuthFactorType, StoredFactor>>;
  pending: PendingFactor[];
}

interface UserJson {
  account_name: string | null;
  enrollment_required_at: string | null;
  first_enrolled_at: string | null;
  exempt_until: string | null;
  exemption_reason: string | null;
  exemption_granted_by: string | null;
  totp_failures: number;
  totp_locked_until: string | null;
  recovery_failures: number;
  recovery_locked_until: string | null;
}

export type SubjectColumns = TenantColumns & {
  userId: string;
  user: UserJson | null;
  factors: StoredFactorJson[] | null;
  pending: PendingFactorJson[] | null;
};

/**
 * The columns of a subject, of the user `userId` of the tenant `t` joined with `a`.
 * @param userId an expression
 * @param tenantId the tenant's id where it is known: a value in each part is what tells a database of several
 *   nodes that all of them lie in one shard
 */
export const subjectColumns = (
  userId: RawBuilder<unknown>,
  now: Date,
  tenantId: RawBuilder<unknown> = sql`t.id`,
): RawBuilder<SubjectColumns> => sql`
  ${tenantColumns}, ${userId} as "userId",
  (select to_jsonb(u) from users u where u.tenant_id = ${tenantId} and u.id = ${userId}) as "user",
  (select jsonb_agg(to_jsonb(f) order by f.type desc) from auth_factors f where f.tenant_id = ${tenantId} and f.user_id = ${userId}) as factors,
  (select jsonb_agg(to_jsonb(f)) from pending_auth_factors f
    where f.tenant_id = ${tenantId} and f.user_id = ${userId} and ${isPending('f', now)}) as pending`;

/**
 * The condition under which a factor that was begun can still be confirmed: it ends with its step.
 * @param f alias of pending_auth_factors
 */
export const isPending = (f: string, now: Date): RawBuilder<unknown> =>
  sql`${sql.ref(`${f}.expires_at`)} > ${now} and not exists (select from mfa_steps s where s.tenant_id = ${sql.ref(`${f}.tenant_id`)}
    and s.id = nullif(${sql.ref(`${f}.step_id`)}, '')::uuid and (s.finished_at is not null or s.ended_at is not null))`;

export function toSubject(row: SubjectColumns): Subject {
  const factors = (row.factors ?? []).map(toStoredFactor);
  return {
    tenant: toTenant(row),
    userId: row.userId,
    isKnown: row.user !== null,
    user: row.user === null ? nobody : toUser(row.user),
    factors: Object.fromEntries(factors.map((factor) => [factor.type, factor])),
    pending: (row.pending ?? []).map(toPendingFactor),
  };
}

/** Reads a subject inside the caller's boundary; null when there is no such tenant. */
export async function readSubject(
  em: EntityManager,
  caller: Caller,
  tenantId: string,
  userId: string,
  now: Date,
): Promise<Subject | null> {
  const row = await rowOf(
    em,
    hot(sql<SubjectColumns>`select ${subjectColumns(sql`${userId}::text collate "C"`, now, sql`${tenantId}`)}
      from tenants t join applications a on a.id = t.application_id
      where t.id = ${tenantId} and ${caller.tenantsInBoundary('t')}`),
  );
  return row && toSubject(row);
}

/**
 * Locks a user's row until the transaction ends. Whatever changes a user's factors locks it first, so
 * changes take turns, and a statement that comes after it sees all that was there before.
 */
export async function lockUser(
  em: EntityManager,
  { tenantId, userId }: { tenantId: string; userId: string },
): Promise<void> {
  await rowOf(em, sql`select id from users where tenant_id = ${tenantId} and id = ${userId} for update`);
}

/** The user's TOTP factor, active or disabled: the one that makes the user enrolled. */
export const enrolledFactor = ({ factors }: Subject): StoredFactor | undefined => factors.TOTP;

const nobody: StoredUser = {
  accountName: null,
  enrollmentRequiredAt: null,
  firstEnrolledAt: null,
  exemption: null,
  totpFailures: 0,
  totpLockedUntil: null,
  recoveryFailures: 0,
  recoveryLockedUntil: null,
};

const toUser = (row: UserJson): StoredUser => ({
  accountName: row.account_name,
  enrollmentRequiredAt: date(row.enrollment_required_at),
  firstEnrolledAt: date(row.first_enrolled_at),
  exemption:
    row.exempt_until === null
      ? null
      : {
          until: new Date(row.exempt_until),
          reason: row.exemption_reason ?? '',
          grantedBy: row.exemption_granted_by ?? '',
        },
  totpFailures: row.totp_failures,
  totpLockedUntil: date(row.totp_locked_until),
  recoveryFailures: row.recovery_failures,
  recoveryLockedUntil: date(row.recovery_locked_until),
});

const date = (text: string | null): Date | null => (text === null ? null : new Date(text));
