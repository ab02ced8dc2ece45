import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Client } from 'pg';
import { cleanUp } from '../process/servers.ts';
import { databaseUrl, uniqueId } from '../setup/harness.ts';
import { runSeed } from './run-seed.ts';

/* What the API promises of what it wrote holds of what was seeded past it. */

let owner: Client;
const prefix = uniqueId('seed');
const seedArgs = (own: string, seed: number) => [
  '--applications',
  '5',
  '--tenants',
  '100',
  '--users',
  '2000',
  '--prefix',
  own,
  '--seed',
  String(seed),
];

beforeAll(async () => {
  owner = new Client({ connectionString: databaseUrl() });
  await owner.connect();
  expect(await runSeed(seedArgs(prefix, 42))).toMatchObject({ code: 0 });
});
afterAll(async () => {
  await owner.end();
  await cleanUp();
});

const tables = ['applications', 'tenants', 'users', 'auth_factors', 'pending_auth_factors'] as const;
type TableName = (typeof tables)[number];

const ownerColumn = (name: TableName) => (name === 'applications' || name === 'tenants' ? 'id' : 'tenant_id');

/** Conditions that no row of a table may meet. The row is `r`; of users and factors the user's is `u`. */
const never: [guarantee: string, table: TableName, condition: string][] = [
  ['an application of values has been changed since it was made', 'applications', 'r.policy_version < 2'],
  ['a policy is as old as its owner, at most', 'applications', 'r.policy_updated_at < r.created_at'],
  ['an override is as old as its tenant, at most', 'tenants', 'r.policy_updated_at < r.created_at'],
  ['a toggle is on over values only', 'tenants', 'r.override_enabled and r.policy_version = 0'],
  [
    'a policy makes sense',
    'tenants',
    "not r.totp_enabled and (r.recovery_codes_enabled or r.enrollment = 'REQUIRED')",
  ],
  ['names are found by their key', 'tenants', 'r.name_key <> lower(r.display_name)'],
  [
    'issuers have no colon and at most 64 characters',
    'tenants',
    "r.issuer like '%:%' or length(r.issuer) > 64",
  ],
  ['ids have at most 64 characters', 'tenants', 'length(r.id) > 64'],
  ['account names have at most 200 characters', 'users', 'length(r.account_name) > 200'],
  ['nobody is asked before being known', 'users', 'r.enrollment_required_at < r.created_at'],
  ['nobody enrolls before being known', 'users', 'r.first_enrolled_at < r.created_at'],
  [
    'nothing happens ahead of time',
    'users',
    'greatest(r.created_at, r.enrollment_required_at, r.first_enrolled_at) > now()',
  ],
  [
    'an exemption has reason and author, or there is none',
    'users',
    'num_nonnulls(r.exempt_until, r.exemption_reason, r.exemption_granted_by) not in (0, 3)',
  ],
  ['an exemption ends within 365 days', 'users', "r.exempt_until > now() + interval '365 days'"],
  [
    'a wait begins with the fifth wrong code',
    'users',
    '(r.totp_failures >= 5) <> (r.totp_locked_until is not null)',
  ],
  [
    'a wait of recovery codes likewise',
    'users',
    '(r.recovery_failures >= 5) <> (r.recovery_locked_until is not null)',
  ],
  ['a wait is an hour at most', 'users', "r.totp_locked_until > now() + interval '1 hour'"],
  ['wrong codes are 50 in a row at most', 'users', 'r.totp_failures > 50 or r.recovery_failures > 50'],
  [
    'whoever has a factor enrolled with it, or before',
    'auth_factors',
    'u.first_enrolled_at is null or u.first_enrolled_at > r.activated_at',
  ],
  [
    'a recovery code stands beside an authenticator',
    'auth_factors',
    `r.type = 'RECOVERY_CODE' and not exists (select from auth_factors o
       where o.tenant_id = r.tenant_id and o.user_id = r.user_id and o.type = 'TOTP' and o.activated_at <= r.activated_at)`,
  ],
  ['a factor is of TOTP or a recovery code', 'auth_factors', "r.type not in ('TOTP', 'RECOVERY_CODE')"],
  [
    'a factor is begun, then activated, then used',
    'auth_factors',
    'not r.created_at <= r.activated_at or r.last_used_at < r.activated_at or r.last_used_at > now()',
  ],
  ['the user is known before the factor', 'auth_factors', 'r.created_at < u.created_at'],
  [
    'the last step accepted is the one of the last use, and over',
    'auth_factors',
    "r.type = 'TOTP' and r.spent <> floor(extract(epoch from r.last_used_at) / 30)",
  ],
  [
    'a recovery code is redeemed once, or never',
    'auth_factors',
    "r.type = 'RECOVERY_CODE' and (r.spent not in (0, 1) or (r.spent = 1) <> (r.last_used_at is not null))",
  ],
  [
    'a TOTP secret is sealed: nonce, 160 bits, tag',
    'auth_factors',
    "r.type = 'TOTP' and length(r.secret) <> 12 + 20 + 16",
  ],
  [
    'a recovery code is a keyed digest',
    'auth_factors',
    "r.type = 'RECOVERY_CODE' and length(r.secret) <> 32",
  ],
  ['ids are of UUID version 7', 'auth_factors', "r.id::text !~ '^.{14}7'"],
  [
    'ids carry the moment of their making',
    'auth_factors',
    "('x' || translate(left(r.id::text, 13), '-', ''))::bit(48)::bigint <> (extract(epoch from r.created_at) * 1000)::bigint",
  ],
  [
    'an enrollment ends after ten minutes',
    'pending_auth_factors',
    "r.expires_at <> r.created_at + interval '10 minutes'",
  ],
  ['an enrollment allows five wrong codes', 'pending_auth_factors', 'r.failures not between 0 and 4'],
  [
    'an enrollment replaces the active factor, if there is one',
    'pending_auth_factors',
    `r.replaces is distinct from (select o.id from auth_factors o
       where o.tenant_id = r.tenant_id and o.user_id = r.user_id and o.type = 'TOTP')`,
  ],
];

async function rowsWhere(table: TableName, condition: string): Promise<number> {
  const join = table.endsWith('factors')
    ? 'join users u on u.tenant_id = r.tenant_id and u.id = r.user_id'
    : '';
  const { rowCount } = await owner.query(
    `select from ${table} r ${join} where r.${ownerColumn(table)} like $1 and (${condition})`,
    [`${prefix}-%`],
  );
  return rowCount ?? 0;
}

describe('of what is seeded', () => {
  test.each(never)('%s (%s)', async (_guarantee, table, condition) => {
    expect(await rowsWhere(table, 'true')).toBeGreaterThan(0);
    expect(await rowsWhere(table, condition)).toBe(0);
  });

  test('no two secrets have the same nonce', async () => {
    const { rows } = await owner.query<{ sealed: number; nonces: number }>(
      `select count(*)::int as sealed, count(distinct substr(secret, 1, 12))::int as nonces
       from auth_factors where tenant_id like $1 and type = 'TOTP'`,
      [`${prefix}-%`],
    );
    expect(rows[0]?.sealed).toBeGreaterThan(500);
    expect(rows[0]?.nonces).toBe(rows[0]?.sealed);
  });
});

describe('--seed', () => {
  const uuid = /^[0-9a-f]{8}-/;
  const moment = /^\d{4}-\d\d-\d\dT/;

  /** All that was seeded under a prefix, without it, and without secrets; moments as counted from the first. */
  async function dataOf(own: string): Promise<unknown> {
    const dump: Record<string, unknown[]> = {};
    const { rows } = await owner.query<{ at: Date }>(
      'select created_at as at from applications where id = $1',
      [`${own}-a0001`],
    );
    const origin = rows[0]?.at.getTime() ?? Number.NaN;
    const plain = (name: string, value: unknown) => {
      if (typeof value !== 'string') return name === 'spent' ? Number(value) > 1 : value;
      if (moment.test(value)) return new Date(value).getTime() - origin;
      // The first half of an id is its moment.
      return uuid.test(value) ? value.slice(-12) : value.replaceAll(own, '');
    };
    for (const table of tables) {
      const found = await owner.query<{ row: Record<string, unknown> }>(
        `select to_jsonb(r) - 'secret' as row from ${table} r where r.${ownerColumn(table)} like $1 order by to_jsonb(r) - 'secret'`,
        [`${own}-%`],
      );
      const entries = found.rows.map(({ row }) =>
        Object.fromEntries(Object.entries(row).map(([name, value]) => [name, plain(name, value)])),
      );
      dump[table] = entries.map((row) => JSON.stringify(row)).sort();
    }
    return dump;
  }

  test('the same number makes the same data, another makes others', async () => {
    const [same, other] = [uniqueId('seed'), uniqueId('seed')];
    expect(await runSeed(seedArgs(same, 42))).toMatchObject({ code: 0 });
    expect(await runSeed(seedArgs(other, 43))).toMatchObject({ code: 0 });
    const data = await dataOf(prefix);
    expect(await dataOf(same)).toEqual(data);
    expect(await dataOf(other)).not.toEqual(data);
  });
});
