/*
 * Where what is given to an input may be found afterwards, besides the answers to whoever may read it. Nowhere else, and
 * what stands here not at all: codes, tokens, keys of repeated calls, search texts, cursors.
 */

/** The record, and what webhooks tell of it. */
const told = ['audit_events.detail', 'webhook'];

/** What was asked for and denied, or is not there, is told by its id. */
const denied = told;

/** The answer of a call with an idempotency key, for whoever repeats it. */
const kept = 'idempotency_keys.answer';

const shownName = (table: string) => ['answer', `${table}.display_name`, `${table}.name_key`, kept, ...told];

const issuer = ['answer', 'applications.issuer', 'tenants.issuer', kept, ...told];

const userId = ['answer', 'users.id', 'mfa_steps.user_id', 'audit_events.user_id', ...told];

const newApplication = [
  'answer',
  kept,
  'applications.id',
  'audit_events.application_id',
  'audit_seals.application_id',
  'audit_chains.application_id',
  ...told,
];

const newTenant = [
  'answer',
  kept,
  'tenants.id',
  'audit_events.tenant_id',
  'audit_seals.tenant_id',
  'audit_chains.tenant_id',
  'policy_feed.tenant_id',
  'webhook_deliveries.tenant_id',
  'webhook_lanes.tenant_id',
  ...told,
];

/** By the whole path, or by its last name. */
const places: Record<string, readonly string[]> = {
  'createApplication.input.id': newApplication,
  'createApplication.input.displayName': shownName('applications'),
  'updateApplication.input.displayName': shownName('applications'),
  'createTenant.input.id': newTenant,
  'createTenant.input.displayName': shownName('tenants'),
  'updateTenant.input.displayName': shownName('tenants'),
  'startMfa.input.userId': userId,
  'exemptUserFromMfa.input.userId': userId,
  'startMfa.input.accountName': ['answer', 'mfa_steps.account_name', 'users.account_name'],
  'startMfa.input.redirectUrl': ['answer', 'mfa_steps.redirect_url'],
  'exemptUserFromMfa.input.reason': ['answer', 'users.exemption_reason', ...told],
  'resetUserMfa.input.reason': told,
  'user.id': ['answer', ...denied],
  issuer,
  url: ['answer', 'webhook_endpoints.url'],
  applicationId: denied,
  tenantId: denied,
  tenantIds: denied,
  userId: denied,
  endpointId: denied,
  id: denied,
};

export const placesOf = (path: string): readonly string[] =>
  places[path] ?? places[path.slice(path.lastIndexOf('.') + 1)] ?? [];
