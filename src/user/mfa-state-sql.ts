import { type RawBuilder, sql } from '../db/sql.ts';

/** Every user `x`, with the TOTP factor `f` that makes it enrolled. */
export const usersWithFactor: RawBuilder<unknown> = sql`
  users x left join auth_factors f on f.tenant_id = x.tenant_id and f.user_id = x.id and f.type = 'TOTP'`;

/** Whether a user of `usersWithFactor` is enrolled. */
export const isEnrolledSql: RawBuilder<unknown> = sql`f.user_id is not null`;

/**
 * mfaState() in SQL, of the users `x`; a test holds the two against each other.
 * @param policy what stands before the names of the effective policy's columns, e.g. `p.`
 * @param isEnrolled a condition
 */
export function mfaStateSql(policy: string, isEnrolled: RawBuilder<unknown>, now: Date): RawBuilder<unknown> {
  const column = (name: string) => sql.ref(`${policy}${name}`);
  return sql`case
    when not ${column('totp_enabled')} then 'DISABLED'
    when ${isEnrolled} then 'ENROLLED'
    when x.exempt_until > ${now} then 'EXEMPT'
    when ${column('enrollment')} = 'OPTIONAL' then 'OPTIONAL'
    when x.first_enrolled_at is null
      and coalesce(x.enrollment_required_at, ${now}) + ${column('grace_period_days')} * interval '24 hours' > ${now} then 'PENDING'
    else 'OVERDUE' end`;
}
