import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import type { FaultyPostgres } from './postgres.ts';
import type { Acknowledged } from './recorder.ts';

/** With a tenant that is deleted all goes but its events. */
const isOfTenant = 'tenant_id in (select id from tenants)';

/** What gives and takes a user's authenticator, in its order. Only what was active is removed from those. */
const authenticatorEvents = `
  select tenant_id, user_id, action, detail->>'factorId' as factor_id, detail->>'replaces' as replaces,
    lag(action) over history as action_before, lag(detail->>'factorId') over history as factor_before,
    lead(action) over history is null as is_last
  from audit_events
  where ${isOfTenant} and (action = 'mfa_user.reset'
    or action in ('auth_factor.enrolled', 'auth_factor.removed') and detail->>'type' = 'TOTP' and detail->>'pending' is null)
  window history as (partition by tenant_id, user_id order by id)`;

/** What gives, spends and takes a user's recovery code. A confirmation takes it; where it gives one, that is told next. */
const recoveryCodeEvents = `
  select tenant_id, user_id, action, lag(action) over history as action_before, lead(action) over history is null as is_last
  from audit_events
  where ${isOfTenant} and (action in ('auth_factor.enrolled', 'recovery_code.issued', 'recovery_code.used', 'mfa_user.reset')
    or action = 'auth_factor.removed' and detail->>'pending' is null)
  window history as (partition by tenant_id, user_id order by id)`;

/** That accepted codes are recorded at all: a server from before does not. */
const recordsCodes = `exists (select from audit_events where action = 'auth_factor.used')`;

/**
 * Accepted codes of each authenticator, in their order, the one that confirmed it included, with the first time step
 * that each may have been of: that before the one in which the call came, which was up to 5 s before it was told.
 */
const acceptedCodes = `
  select *, row_number() over (partition by tenant_id, user_id, activation order by id) as n,
    floor((extract(epoch from at) - 5) / 30) - 1 as first_step, floor(extract(epoch from at) / 30) as last_step,
    min(detail->>'factorId') over (partition by tenant_id, user_id, activation) as factor_id
  from (
    select *, count(*) filter (where action = 'auth_factor.enrolled') over (partition by tenant_id, user_id order by id) as activation
    from audit_events
    where ${isOfTenant} and action in ('auth_factor.enrolled', 'auth_factor.used') and detail->>'type' = 'TOTP') e`;

/**
 * What holds at every moment between two calls. Each statement answers what breaks it, in both directions: a change without its
 * event, and an event without its change. Events stand in the order of their ids: no client of the suite lets two
 * things that concern one user's factors happen at once. Steps stay for a day, which is longer than any run.
 */
export const invariants: Record<string, string> = {
  'an authenticator without its confirmation, or a confirmation without its authenticator': `
    with told as (${authenticatorEvents})
    select coalesce(f.user_id, e.user_id) as user_id, f.id, e.factor_id as told
    from (select * from auth_factors where type = 'TOTP') f
      full join (select * from told where is_last and action = 'auth_factor.enrolled') e
        on e.tenant_id = f.tenant_id and e.user_id = f.user_id
    where f.id::text is distinct from e.factor_id`,
  'an authenticator that took the place of another, or was removed, and the record tells it otherwise': `
    with told as (${authenticatorEvents})
    select user_id, factor_id, replaces, action_before, factor_before from told
    where action = 'auth_factor.enrolled'
        and replaces is distinct from case when action_before = 'auth_factor.enrolled' then factor_before end
      or action = 'auth_factor.removed'
        and factor_id is distinct from case when action_before = 'auth_factor.enrolled' then factor_before end`,
  'an authenticator that is confirmed and waits for its confirmation': `
    select p.id from pending_auth_factors p join audit_events e on e.tenant_id = p.tenant_id and e.user_id = p.user_id
      and e.action = 'auth_factor.enrolled' and e.detail->>'factorId' = p.id::text`,
  'a first enrollment without its confirmation, or the other way round': `
    select u.tenant_id, u.id from users u
    where (u.first_enrolled_at is null) = exists (
      select from audit_events e where e.tenant_id = u.tenant_id and e.user_id = u.id and e.action = 'auth_factor.enrolled')`,
  'two active factors of one type': `
    select tenant_id, user_id, type from auth_factors group by 1, 2, 3 having count(*) > 1`,
  'a confirmation that was recorded twice': `
    select detail->>'factorId' as id from audit_events where action = 'auth_factor.enrolled'
    group by 1, tenant_id having count(*) > 1`,
  'an application whose making and changes are not one event each, or an event without them': `
    select coalesce(a.id, e.application_id) as id, e.there, e.changes, a.policy_version
    from applications a full join (
      select application_id, count(*) filter (where action = 'mfa_policy.updated') as changes,
        count(*) filter (where action = 'application.created') - count(*) filter (where action = 'application.deleted') as there
      from audit_events where tenant_id = '' group by 1) e on e.application_id = a.id
    where coalesce(e.there, 0) <> (a.id is not null)::int or a.policy_version <> e.changes + 1`,
  'a policy whose versions are not one event each': `
    select t.id, t.policy_version from tenants t left join audit_events e on e.tenant_id = t.id
      and e.action = 'mfa_policy_override.updated'
    group by t.id, t.policy_version
    having count(e.id) <> t.policy_version or count(distinct e.detail->'version'->>1) <> t.policy_version
      or max((e.detail->'version'->>1)::int) <> t.policy_version`,
  'a tenant that was not recorded, or twice, or an event without its tenant': `
    select coalesce(t.id, e.tenant_id) as id, e.there from tenants t full join (
      select tenant_id, count(*) filter (where action = 'tenant.created') - count(*) filter (where action = 'tenant.deleted') as there
      from audit_events where tenant_id <> '' group by 1) e on e.tenant_id = t.id
    where coalesce(e.there, 0) <> (t.id is not null)::int`,
  // A denial, and a code of somebody never seen, are told of users who are not learned of.
  'an event of a user who is not there': `
    select e.id, e.action from audit_events e left join users u on u.tenant_id = e.tenant_id and u.id = e.user_id
    where e.${isOfTenant} and e.user_id is not null and u.id is null and e.action not in ('access.denied', 'mfa_challenge.failed')`,
  'a step that was not recorded, or an event without its step': `
    select coalesce(s.user_id, e.user_id) as user_id, s.purpose, s.n as steps, e.purpose as told, e.n as events
    from (select tenant_id, user_id, purpose, count(*) as n from mfa_steps group by 1, 2, 3) s
      full join (
        select tenant_id, user_id, case detail->>'status' when 'MFA_ENROLLMENT_REQUIRED' then 'ENROLLMENT'
          when 'MFA_CHALLENGE_REQUIRED' then 'CHALLENGE' end as purpose, count(*) as n
        from audit_events
        where ${isOfTenant} and action = 'mfa_step.started'
          and detail->>'status' in ('MFA_ENROLLMENT_REQUIRED', 'MFA_CHALLENGE_REQUIRED') group by 1, 2, 3) e
        on e.tenant_id = s.tenant_id and e.user_id = s.user_id and e.purpose = s.purpose
    where s.n is distinct from e.n`,
  'a finish that was not recorded, or an event without its finish': `
    select coalesce(s.user_id, e.user_id) as user_id, s.purpose, s.satisfied_by, s.n as steps, e.purpose as told, e.amr, e.n as events
    from (
        select tenant_id, user_id, purpose, satisfied_by, count(*) as n from mfa_steps where finished_at is not null
        group by 1, 2, 3, 4) s
      full join (
        select tenant_id, user_id, case action when 'mfa_enrollment.completed' then 'ENROLLMENT' else 'CHALLENGE' end as purpose,
          detail->>'amr' as amr, count(*) as n
        from audit_events
        where ${isOfTenant} and action in ('mfa_enrollment.completed', 'mfa_challenge.completed') group by 1, 2, 3, 4) e
        on e.tenant_id = s.tenant_id and e.user_id = s.user_id and e.purpose = s.purpose and e.amr = s.satisfied_by
    where s.n is distinct from e.n`,
  'a step that is satisfied by what was not recorded': `
    with satisfied as (
      select tenant_id, user_id, case purpose when 'ENROLLMENT' then 'auth_factor.enrolled' else 'recovery_code.used' end as action,
        count(*) as n
      from mfa_steps where purpose = 'ENROLLMENT' and satisfied_by is not null or satisfied_by = 'recovery' group by 1, 2, 3)
    select s.user_id, s.action, s.n from satisfied s left join audit_events e
      on e.tenant_id = s.tenant_id and e.user_id = s.user_id and e.action = s.action
    group by s.tenant_id, s.user_id, s.action, s.n having count(e.id) < s.n`,
  // Of k steps and the one before them, k + 1 codes are accepted at most: those from one up to another, or up to the
  // last step that was spent.
  'more codes of an authenticator than time steps went by: one was used twice': `
    with accepted as (${acceptedCodes}),
      bounded as (
        select *, min(n - first_step) over (partition by tenant_id, user_id, activation order by id) as most from accepted)
    select user_id, factor_id, n, at from bounded where n - last_step > most
    union all
    select f.user_id, factor_id, max(n), max(at) from bounded b
      join auth_factors f on f.tenant_id = b.tenant_id and f.user_id = b.user_id and f.id::text = b.factor_id
    group by f.tenant_id, f.user_id, factor_id having max(n) - max(f.spent) > min(most)`,
  'an authenticator that was used when none of its codes was recorded': `
    with accepted as (${acceptedCodes})
    select f.user_id, f.last_used_at, max(at) as told from auth_factors f
      left join accepted a on a.tenant_id = f.tenant_id and a.user_id = f.user_id and a.factor_id = f.id::text
    where ${recordsCodes} and f.type = 'TOTP'
    group by f.tenant_id, f.user_id, f.last_used_at
    having (abs(extract(epoch from f.last_used_at - max(at))) < 5) is not true`,
  'a challenge that was answered by a code that was not recorded': `
    select s.tenant_id, s.user_id, count(*) from mfa_steps s
    where ${recordsCodes} and s.purpose = 'CHALLENGE' and s.satisfied_by = 'otp'
    group by 1, 2 having count(*) > (select count(*) from audit_events e
      where e.tenant_id = s.tenant_id and e.user_id = s.user_id and e.action = 'auth_factor.used')`,
  'a recovery code that was used without being issued, or twice': `
    with told as (${recoveryCodeEvents})
    select user_id, action_before from told
    where action = 'recovery_code.used' and action_before is distinct from 'recovery_code.issued'`,
  'a recovery code that is not as it was last recorded: issued, spent or gone': `
    with told as (${recoveryCodeEvents})
    select coalesce(f.user_id, e.user_id) as user_id, f.spent, e.action as told
    from (select * from auth_factors where type = 'RECOVERY_CODE') f
      full join (select * from told where is_last) e on e.tenant_id = f.tenant_id and e.user_id = f.user_id
    where f.spent is distinct from case e.action when 'recovery_code.issued' then 0 when 'recovery_code.used' then 1 end`,
  'a call that was claimed and not carried out': `
    select id from idempotency_keys where answer is null`,
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

/**
 * @param only one of them; all when left out
 * @returns what is broken, in sentences
 */
export async function brokenInvariants(
  postgres: Pick<FaultyPostgres, 'rows'>,
  only?: string,
): Promise<string[]> {
  const broken: string[] = [];
  for (const [what, statement] of Object.entries(invariants)) {
    if (only !== undefined && what !== only) continue;
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

  const used = await counts(`'auth_factor.used'`);

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
    // Servers from before do not record a code.
    const isCounted = it.did === 'code' && used.size > 0;
    if (isCounted || it.did === 'step' || it.did === 'finish' || it.did === 'recovery') {
      const key = `${it.did} ${it.tenantId} ${it.userId}`;
      need.set(key, (need.get(key) ?? 0) + 1);
    }
  }
  const recorded = { step: started, code: used, finish: finished, recovery: redeemed };
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
