import { type RawBuilder, sql } from '../db/sql.ts';

/** Every user `x`, with the TOTP factor `f` that makes it enrolled. */
export const usersWithFactor: RawBuilder<unknown> = sql`
  users x left join auth_factors f on f.tenant_id = x.tenant_id and f.user_id = x.id and f.type = 'TOTP'`;

/**
 * mfaState() in SQL, of `usersWithFactor`; a test holds the two against each other.
 * @param policy what stands before the names of the effective policy's columns, e.g. `p.`
 */
export function mfaStateSql(policy: string, now: Date): RawBuilder<unknown> {
  const column = (name: string) => sql.ref(`${policy}${name}`);
  return sql`case
    when not ${column('totp_enabled')} then 'DISABLED'
    when f.user_id is not null then 'ENROLLED'
    when x.exempt_until > ${now} then 'EXEMPT'
    when ${column('enrollment')} = 'OPTIONAL' then 'OPTIONAL'
    when x.first_enrolled_at is null
      and coalesce(x.enrollment_required_at, ${now}) + ${column('grace_period_days')} * interval '24 hours' > ${now} then 'PENDING'
    else 'OVERDUE' end`;
}
