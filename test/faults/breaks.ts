/*
 * What the judge must find: each of its statements, broken by hand, in each direction in which it can be.
 */

/** Deletes one row that has an id. */
const lose = (table: string, which = 'true'): string =>
  `delete from ${table} where (tenant_id, id) = (select tenant_id, id from ${table} where ${which} limit 1)`;

/** Changes one row that has an id. */
const change = (table: string, assignment: string, which = 'true'): string =>
  `update ${table} set ${assignment} where (tenant_id, id) = (select tenant_id, id from ${table} where ${which} limit 1)`;

/** Records what did not happen, of whom another event is about, so many times. */
const tell = (action: string, likeThatOf: string, detail = '{}', times = 1): string => `
  insert into audit_events (tenant_id, at, id, application_id, action, actor, user_id, detail)
  select tenant_id, at, uuidv7(), application_id, '${action}', actor, user_id, '${detail}'::jsonb
  from (select * from audit_events where action = '${likeThatOf}' limit 1) e, generate_series(1, ${times})`;

const authenticator = `type = 'TOTP'`;
const usedOnce = tell('auth_factor.used', 'auth_factor.enrolled', '{"type": "TOTP"}');
const unspentCode = `type = 'RECOVERY_CODE' and spent = 0`;

/** What is to be found, and what breaks it: each of it alone. */
export const breaks: Readonly<Record<string, readonly string[]>> = {
  'an authenticator without its confirmation, or a confirmation without its authenticator': [
    lose('auth_factors', authenticator),
    lose('audit_events', `action = 'auth_factor.enrolled'`),
    tell('mfa_user.reset', 'auth_factor.enrolled'),
  ],
  'an authenticator that took the place of another, or was removed, and the record tells it otherwise': [
    tell('auth_factor.removed', 'auth_factor.enrolled', '{"type": "TOTP", "factorId": "another"}'),
    tell('auth_factor.enrolled', 'auth_factor.enrolled', '{"type": "TOTP", "factorId": "another"}'),
  ],
  'an authenticator that is confirmed and waits for its confirmation': [
    `insert into pending_auth_factors (tenant_id, id, user_id, type, key_id, secret, created_at, expires_at)
      select tenant_id, id, user_id, type, key_id, secret, created_at, created_at from auth_factors where ${authenticator} limit 1`,
  ],
  'a first enrollment without its confirmation, or the other way round': [
    change('users', 'first_enrolled_at = null', 'first_enrolled_at is not null'),
    lose('audit_events', `action = 'auth_factor.enrolled'`),
  ],
  'two active factors of one type': [
    `alter table auth_factors drop constraint auth_factors_pkey;
      insert into auth_factors select * from auth_factors where ${authenticator} limit 1`,
  ],
  'a confirmation that was recorded twice': [
    `insert into audit_events (tenant_id, at, id, application_id, action, actor, user_id, detail)
      select tenant_id, at, uuidv7(), application_id, action, actor, user_id, detail
      from audit_events where action = 'auth_factor.enrolled' limit 1`,
  ],
  'an application whose making and changes are not one event each, or an event without them': [
    `delete from applications where id = (select id from applications limit 1)`,
    lose('audit_events', `action = 'application.created'`),
    tell('mfa_policy.updated', 'mfa_policy.updated'),
  ],
  'a policy whose versions are not one event each': [
    tell('mfa_policy_override.updated', 'tenant.created', '{"version": [0, 1]}'),
  ],
  'a tenant that was not recorded, or twice, or an event without its tenant': [
    `delete from tenants where id = (select id from tenants limit 1)`,
    lose('audit_events', `action = 'tenant.created'`),
    tell('tenant.created', 'tenant.created'),
    tell('tenant.deleted', 'tenant.created'),
  ],
  'an event of a user who is not there': [lose('users')],
  'a step that was not recorded, or an event without its step': [
    lose('mfa_steps'),
    lose('audit_events', `action = 'mfa_step.started'`),
  ],
  'a finish that was not recorded, or an event without its finish': [
    change('mfa_steps', 'finished_at = null', 'finished_at is not null'),
    change('mfa_steps', 'satisfied_by = null', 'finished_at is not null'),
    lose('audit_events', `action = 'mfa_enrollment.completed'`),
    tell('mfa_challenge.completed', 'mfa_enrollment.completed', '{"amr": "otp"}'),
  ],
  'a step that is satisfied by what was not recorded': [
    change('mfa_steps', `satisfied_by = 'recovery'`, `purpose = 'CHALLENGE'`),
    lose('audit_events', `action = 'auth_factor.enrolled'`),
  ],
  'more codes of an authenticator than time steps went by: one was used twice': [
    tell('auth_factor.used', 'auth_factor.enrolled', '{"type": "TOTP"}', 3),
    change('auth_factors', 'spent = spent - 3', authenticator),
  ],
  'an authenticator that was used when none of its codes was recorded': [
    `${usedOnce}; ${change('auth_factors', `last_used_at = last_used_at + interval '1 minute'`, authenticator)}`,
  ],
  'a challenge that was answered by a code that was not recorded': [
    `delete from audit_events where action = 'auth_factor.used'; ${usedOnce}`,
  ],
  'a recovery code that was used without being issued, or twice': [
    tell('recovery_code.used', 'recovery_code.issued', '{}', 2),
  ],
  'a recovery code that is not as it was last recorded: issued, spent or gone': [
    tell('recovery_code.used', 'auth_factor.enrolled'),
    change('auth_factors', 'spent = 1', unspentCode),
    lose('auth_factors', unspentCode),
    tell('mfa_user.reset', 'recovery_code.issued'),
  ],
  'a call that was claimed and not carried out': [
    `insert into idempotency_keys (id, input_digest, created_at) values ('claimed', '', now())`,
  ],
  'a seal that does not follow from the one before': [
    `update audit_seals set previous_hash = hash where seal = 2`,
  ],
  'a chain whose head is not its last seal': [`update audit_chains set seal = seal + 1`],
  'an event that is neither sealed nor queued, or twice': [
    tell('tenant.updated', 'tenant.created'),
    lose('audit_events'),
  ],
  'a sealed event that is not queued once for the endpoint': ['delete from webhook_deliveries'],
  'something of a tenant that belongs to another application': [
    change('mfa_steps', `application_id = 'another'`),
  ],
  'something of a tenant or a user that is not there': [lose('users')],
};
