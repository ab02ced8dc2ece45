import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import type { FaultyPostgres } from './postgres.ts';
import type { Acknowledged } from './recorder.ts';

/** What holds at every moment between two calls. Each statement answers what breaks it. */
const invariants: Record<string, string> = {
  'an active authenticator without its confirmation': `
    select f.id from auth_factors f where f.type = 'TOTP' and not exists (
      select from audit_events e where e.tenant_id = f.tenant_id and e.user_id = f.user_id
        and e.action = 'auth_factor.enrolled' and e.detail->>'factorId' = f.id::text)`,
  'two active factors of one type': `
    select tenant_id, user_id, type from auth_factors group by 1, 2, 3 having count(*) > 1`,
  'a confirmation that was recorded twice': `
    select detail->>'factorId' as id from audit_events where action = 'auth_factor.enrolled'
    group by 1, tenant_id having count(*) > 1`,
  'a policy whose versions are not one event each': `
    select t.id, t.policy_version from tenants t left join audit_events e on e.tenant_id = t.id
      and e.action = 'mfa_policy_override.updated'
    group by t.id, t.policy_version
    having count(e.id) <> t.policy_version or count(distinct e.detail->'version'->>1) <> t.policy_version`,
  'a tenant that was not recorded, or twice': `
    select t.id from tenants t left join audit_events e on e.tenant_id = t.id and e.action = 'tenant.created'
    group by t.id having count(e.id) <> 1`,
  'a step that was not recorded, or without its step': `
    select u.tenant_id, u.id from users u
    where u.created_at > now() - interval '4 minutes'
      and (select count(*) from mfa_steps s where s.tenant_id = u.tenant_id and s.user_id = u.id)
        <> (select count(*) from audit_events e where e.tenant_id = u.tenant_id and e.user_id = u.id and e.action = 'mfa_step.started')`,
  'a finish that was not recorded, or twice': `
    select u.tenant_id, u.id from users u
    where u.created_at > now() - interval '4 minutes'
      and (select count(*) from mfa_steps s where s.tenant_id = u.tenant_id and s.user_id = u.id and s.finished_at is not null)
        <> (select count(*) from audit_events e where e.tenant_id = u.tenant_id and e.user_id = u.id
            and e.action in ('mfa_enrollment.completed', 'mfa_challenge.completed'))`,
  'a recovery code that is spent and was not recorded, or twice': `
    with used as (select tenant_id, user_id, count(*) filter (where action = 'recovery_code.used') as used,
        count(*) filter (where action = 'recovery_code.issued') as issued
      from audit_events where action like 'recovery_code.%' group by 1, 2)
    select u.user_id from used u left join auth_factors f
      on f.tenant_id = u.tenant_id and f.user_id = u.user_id and f.type = 'RECOVERY_CODE'
    where u.used > u.issued or f.spent is distinct from u.used`,
  'a seal that does not follow from the one before': `
    select s.tenant_id, s.application_id, s.seal from audit_seals s left join audit_seals b
      on b.tenant_id = s.tenant_id and b.application_id = s.application_id and b.seal = s.seal - 1
    where s.seal > 1 and b.hash is distinct from s.previous_hash`,
  'a chain whose head is not its last seal': `
    select c.tenant_id, c.application_id, c.seal from audit_chains c
      left join (select tenant_id, application_id, max(seal) as seal from audit_seals group by 1, 2) l
        on l.tenant_id = c.tenant_id and l.application_id = c.application_id
      left join audit_seals s on s.tenant_id = c.tenant_id and s.application_id = c.application_id and s.seal = l.seal
    where l.seal is distinct from c.seal or s.hash is distinct from c.hash`,
  'an event that is neither sealed nor queued, or twice': `
    with sealed as (select tenant_id, unnest(event_ids) as id from audit_seals),
      known as (select tenant_id, id from sealed union all select tenant_id, event_id from audit_unsealed)
    select coalesce(e.id, k.id) as id from audit_events e full join known k on k.tenant_id = e.tenant_id and k.id = e.id
    group by 1 having count(e.id) <> 1 or count(k.id) <> 1`,
  'a sealed event that is not queued once for the endpoint': `
    select s.id from (select tenant_id, application_id, unnest(event_ids) as id from audit_seals) s
      join webhook_endpoints w on w.application_id = s.application_id
      join audit_events e on e.tenant_id = s.tenant_id and e.id = s.id and e.at > w.created_at + interval '2 seconds'
      left join webhook_deliveries d on d.tenant_id = s.tenant_id and d.event_id = s.id and d.endpoint_id = w.id
    group by s.id having count(d.event_id) <> 1`,
  'something of a tenant that belongs to another application': `
    select s.id from mfa_steps s join tenants t on t.id = s.tenant_id where s.application_id <> t.application_id
    union all
    select e.id from audit_events e join tenants t on t.id = e.tenant_id where e.application_id <> t.application_id
    union all
    select d.event_id from webhook_deliveries d join webhook_endpoints w on w.id = d.endpoint_id
      left join audit_events e on e.tenant_id = d.tenant_id and e.id = d.event_id
    where w.application_id <> d.application_id or e.application_id is distinct from d.application_id`,
  'something of a tenant or a user that is not there': `
    select f.id::text from auth_factors f left join users u on u.tenant_id = f.tenant_id and u.id = f.user_id where u.id is null
    union all
    select s.id::text from mfa_steps s left join users u on u.tenant_id = s.tenant_id and u.id = s.user_id where u.id is null
    union all
    select f.id::text from pending_auth_factors f left join users u on u.tenant_id = f.tenant_id and u.id = f.user_id
      left join mfa_steps s on s.tenant_id = f.tenant_id and s.id::text = f.step_id
    where u.id is null or s.user_id is distinct from f.user_id
    union all
    select u.id from users u left join tenants t on t.id = u.tenant_id where t.id is null`,
};

/** @returns what is broken, in sentences */
export async function brokenInvariants(postgres: FaultyPostgres): Promise<string[]> {
  const broken: string[] = [];
  for (const [what, statement] of Object.entries(invariants)) {
    const rows = await postgres.rows(statement);
    if (rows.length > 0) broken.push(`${what}: ${rows.length}, e.g. ${JSON.stringify(rows[0])}`);
  }
  return broken;
}

/** What was acknowledged and is not there, or was acknowledged twice. */
export async function missing(postgres: FaultyPostgres, all: readonly Acknowledged[]): Promise<string[]> {
  const keysOf = async (statement: string) =>
    new Set((await postgres.rows<{ key: string }>(statement)).map(({ key }) => key));
  const tenants = await keysOf('select id as key from tenants');
  const versions = await keysOf(`
    select tenant_id || ' ' || (detail->'version'->>1) as key from audit_events where action = 'mfa_policy_override.updated'`);
  const factors = await keysOf(`
    select tenant_id || ' ' || (detail->>'factorId') as key from audit_events where action = 'auth_factor.enrolled'`);
  const counts = async (actions: string) =>
    new Map(
      (
        await postgres.rows<{ key: string; n: string }>(`
          select tenant_id || ' ' || user_id as key, count(*) as n from audit_events where action in (${actions}) group by 1`)
      ).map(({ key, n }) => [key, Number(n)]),
    );
  const started = await counts(`'mfa_step.started'`);
  const finished = await counts(`'mfa_challenge.completed'`);
  const redeemed = await counts(`'recovery_code.used'`);

  const spent = new Map(
    (
      await postgres.rows<{ key: string; spent: string }>(
        `select tenant_id || ' ' || user_id as key, spent from auth_factors where type = 'TOTP'`,
      )
    ).map((row) => [row.key, Number(row.spent)]),
  );

  const lost: string[] = [];
  const seen = new Set<string>();
  const need = new Map<string, number>();
  for (const it of all) {
    const once = JSON.stringify(it);
    if (seen.has(once)) lost.push(`acknowledged twice: ${once}`);
    seen.add(once);
    if (it.did === 'tenant' && !tenants.has(it.tenantId)) lost.push(once);
    if (it.did === 'policy' && !versions.has(`${it.tenantId} ${it.version}`)) lost.push(once);
    if (it.did === 'factor' && !factors.has(`${it.tenantId} ${it.factorId}`)) lost.push(once);
    // A code that is forgotten could be used again.
    if (it.did === 'code' && !((spent.get(`${it.tenantId} ${it.userId}`) ?? 0) >= it.step)) lost.push(once);
    if (it.did === 'step' || it.did === 'finish' || it.did === 'recovery') {
      const key = `${it.did} ${it.tenantId} ${it.userId}`;
      need.set(key, (need.get(key) ?? 0) + 1);
    }
  }
  const recorded = { step: started, finish: finished, recovery: redeemed };
  for (const [key, n] of need) {
    const [did = '', ...user] = key.split(' ');
    const there = recorded[did as keyof typeof recorded].get(user.join(' ')) ?? 0;
    if (there < n) lost.push(`${key}: ${n} acknowledged, ${there} recorded`);
  }
  return lost;
}

const verify = fileURLToPath(new URL('../../dist/src/commands/audit-verify.js', import.meta.url));

/** Verifies the whole record. @returns what it found */
export async function brokenRecord(databaseUrl: string): Promise<string[]> {
  const child = spawn(process.execPath, [verify], {
    env: { DATABASE_URL: databaseUrl },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const [out, error, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'close'),
  ]);
  return code === 0 ? [] : [`${out}${error}`.trim()];
}
