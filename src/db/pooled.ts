import { escapeIdentifier, type Pool } from 'pg';
import { sessionTimeouts } from './connection.ts';

/*
 * PgBouncer in transaction mode lends a connection for a transaction: it takes no settings of a session from us
 * (unknown startup parameters are refused, or dropped), and what one transaction sets, another finds. So PostgreSQL's
 * limits on time have to be the settings of the role that the pooler logs in as.
 */

/**
 * Statements that give the role of a pool the limits that it lacks.
 * @returns none where all are set, to these values or stricter ones
 */
export async function missingTimeouts(pool: Pick<Pool, 'query'>): Promise<string[]> {
  const wanted = Object.entries(sessionTimeouts);
  const { rows } = await pool.query<{ name: string; ms: number; role: string }>(
    'select name, setting::int as ms, session_user::text as role from pg_settings where name = any($1)',
    [wanted.map(([name]) => name)],
  );
  const found = new Map(rows.map((row) => [row.name, row]));
  return wanted.flatMap(([name, msMax]) => {
    const { ms = 0, role = '' } = found.get(name) ?? {};
    const isSet = ms > 0 && ms <= msMax;
    return isSet ? [] : [`alter role ${escapeIdentifier(role)} set ${name} = '${msMax}ms';`];
  });
}
