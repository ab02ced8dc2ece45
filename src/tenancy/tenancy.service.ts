import type { EntityManager } from '@mikro-orm/postgresql';
import { changes, record } from '../audit/audit.service.ts';
import { answer, callerOf, type RequestContext, transaction } from '../caller/context.ts';
import { countOf, rowOf, sql } from '../db/sql.ts';
import { once } from '../idempotency/idempotency.service.ts';
import { forbidden, isOrphaned } from '../shared/errors.ts';
import { isId, nameKey } from '../shared/text.ts';
import { AlreadyExists, InvalidInput, NotFound, parseInput } from '../shared/user-error.type.ts';
import { lockApplication, lockTenant } from './locks.ts';
import { publish } from './policy-change.ts';
import { type ApplicationRow, reviveApplication, reviveTenant, type TenantRow } from './rows.ts';
import {
  type CreateApplicationInput,
  type CreateTenantInput,
  newThing,
  renaming,
  type UpdateApplicationInput,
  type UpdateTenantInput,
} from './tenancy.input.ts';
import { ApplicationPayload, DeletedPayload, TenantPayload } from './tenancy.type.ts';

export async function createApplication(
  context: RequestContext,
  input: CreateApplicationInput,
): Promise<ApplicationPayload | InvalidInput | AlreadyExists> {
  assertMayManageApplications(context);
  const valid = parseInput(newThing, input);
  if (valid instanceof InvalidInput) return valid;
  return once<ApplicationPayload | AlreadyExists>(context, {
    mutation: 'createApplication',
    key: valid.idempotencyKey,
    input,
    async act(em) {
      const id = valid.id ?? context.ids.next();
      const now = context.clock.now();
      const created = await countOf(
        em,
        sql`insert into applications (id, display_name, name_key, policy_updated_at, created_at)
          values (${id}, ${valid.displayName}, ${nameKey(valid.displayName)}, ${now}, ${now})
          on conflict (id) do nothing`,
      );
      if (created === 0) return new AlreadyExists('application');
      const application = (await lockApplication(em, callerOf(context), id)) as ApplicationRow;
      await record(context, em, {
        action: 'application.created',
        applicationId: id,
        detail: { displayName: application.displayName },
      });
      return new ApplicationPayload(answer(context, application));
    },
    keep: (given) => ('application' in given ? { application: given.application } : {}),
    restore: ({ application }) =>
      application
        ? new ApplicationPayload(answer(context, reviveApplication(application as ApplicationRow)))
        : new AlreadyExists('application'),
  });
}

export function updateApplication(
  context: RequestContext,
  input: UpdateApplicationInput,
): Promise<ApplicationPayload | InvalidInput | NotFound> {
  const caller = callerOf(context);
  caller.assertMay('application:write');
  return transaction(context, async (em) => {
    const before = await lockApplication(em, caller, input.id);
    if (before === null) return new NotFound('application');
    const valid = parseInput(renaming, input);
    if (valid instanceof InvalidInput) return valid;
    if (input.expectedOverrideRule != null && input.expectedOverrideRule !== before.overrideRule) {
      return new InvalidInput(
        'expectedOverrideRule',
        `expectedOverrideRule is stale: the rule is ${before.overrideRule} by now. Read it again.`,
      );
    }
    const displayName = valid.displayName ?? before.displayName;
    const overrideRule = input.overrideRule ?? before.overrideRule;
    const after = { ...before, displayName, nameKey: nameKey(displayName), overrideRule };
    const changed = changes(
      { displayName: before.displayName, overrideRule: before.overrideRule },
      { displayName, overrideRule },
    );
    if (Object.keys(changed).length > 0) {
      await countOf(
        em,
        sql`update applications set display_name = ${displayName}, name_key = ${after.nameKey}, override_rule = ${overrideRule}
          where id = ${before.id}`,
      );
      await record(context, em, { action: 'application.updated', applicationId: before.id, detail: changed });
      await publish(context, em, { applicationIds: [before.id] });
    }
    return new ApplicationPayload(answer(context, after));
  });
}

export function deleteApplication(context: RequestContext, id: string): Promise<DeletedPayload | NotFound> {
  assertMayManageApplications(context);
  return transaction(context, async (em) => {
    const application = await lockApplication(em, callerOf(context), id);
    if (application === null) return new NotFound('application');
    const tenants = await countOf(em, sql`delete from tenants where application_id = ${id}`);
    // Before their endpoints, which go with the application: see webhook/lane.ts.
    await countOf(
      em,
      sql`delete from webhook_lanes
        where endpoint_id in (select id from webhook_endpoints where application_id = ${id})`,
    );
    await countOf(em, sql`delete from applications where id = ${id}`);
    await record(context, em, {
      action: 'application.deleted',
      applicationId: id,
      detail: { displayName: application.displayName, tenants },
    });
    await publish(context, em, { applicationIds: [id], tenantsOf: id });
    return new DeletedPayload(id);
  });
}

export async function createTenant(
  context: RequestContext,
  input: CreateTenantInput,
): Promise<TenantPayload | InvalidInput | AlreadyExists | NotFound> {
  const caller = callerOf(context);
  caller.assertMay('tenant:write');
  const valid = parseInput(newThing, input);
  if (valid instanceof InvalidInput) return valid;
  return once<TenantPayload | AlreadyExists | NotFound>(context, {
    mutation: 'createTenant',
    key: valid.idempotencyKey,
    input,
    async act(em) {
      if (!(await isApplication(context, em, input.applicationId))) return new NotFound('application');
      const id = valid.id ?? context.ids.next();
      const created = await countOf(
        em,
        sql`insert into tenants (id, application_id, display_name, name_key, created_at)
          values (${id}, ${input.applicationId}, ${valid.displayName}, ${nameKey(valid.displayName)}, ${context.clock.now()})
          on conflict (id) do nothing`,
      );
      if (created === 0) return new AlreadyExists('tenant');
      const tenant = (await lockTenant(em, caller, id)) as TenantRow;
      await record(context, em, {
        action: 'tenant.created',
        applicationId: tenant.applicationId,
        tenantId: id,
        detail: { displayName: tenant.displayName },
      });
      return new TenantPayload(answer(context, tenant));
    },
    keep: (given) => ('tenant' in given ? { tenant: given.tenant } : { code: given.code }),
    restore: ({ tenant, code }) => {
      if (tenant) return new TenantPayload(answer(context, reviveTenant(tenant as TenantRow)));
      return code === 'NOT_FOUND' ? new NotFound('application') : new AlreadyExists('tenant');
    },
  }).catch((error: unknown) => {
    if (isOrphaned(error)) return new NotFound('application');
    throw error;
  });
}

export function updateTenant(
  context: RequestContext,
  input: UpdateTenantInput,
): Promise<TenantPayload | InvalidInput | NotFound> {
  const caller = callerOf(context);
  caller.assertMay('tenant:write');
  return transaction(context, async (em) => {
    const before = await lockTenant(em, caller, input.id);
    if (before === null) return new NotFound('tenant');
    const valid = parseInput(renaming, input);
    if (valid instanceof InvalidInput) return valid;
    const displayName = valid.displayName ?? before.displayName;
    const after = { ...before, displayName, nameKey: nameKey(displayName) };
    if (displayName !== before.displayName) {
      await countOf(
        em,
        sql`update tenants set display_name = ${displayName}, name_key = ${after.nameKey} where id = ${before.id}`,
      );
      await record(context, em, {
        action: 'tenant.updated',
        applicationId: before.applicationId,
        tenantId: before.id,
        detail: { displayName: [before.displayName, displayName] },
      });
      await publish(context, em, { tenantIds: [before.id] });
    }
    return new TenantPayload(answer(context, after));
  });
}

export function deleteTenant(context: RequestContext, id: string): Promise<DeletedPayload | NotFound> {
  const caller = callerOf(context);
  caller.assertMay('tenant:write');
  return transaction(context, async (em) => {
    const tenant = await lockTenant(em, caller, id);
    if (tenant === null) return new NotFound('tenant');
    await countOf(em, sql`delete from tenants where id = ${id}`);
    await record(context, em, {
      action: 'tenant.deleted',
      applicationId: tenant.applicationId,
      tenantId: id,
      detail: { displayName: tenant.displayName },
    });
    await publish(context, em, { tenantIds: [id] });
    return new DeletedPayload(id);
  });
}

/** Applications come and go only by callers of the whole installation. */
function assertMayManageApplications(context: RequestContext): void {
  const caller = callerOf(context);
  caller.assertMay('application:write');
  if (caller.boundary.kind !== 'installation') {
    throw forbidden('Only a caller of the whole installation may do this.');
  }
}

/** Where it is deleted before a tenant of it is made, the foreign key refuses the tenant. */
async function isApplication(context: RequestContext, em: EntityManager, id: string): Promise<boolean> {
  if (!isId(id) || !callerOf(context).reachesApplication(id)) return false;
  return (await rowOf(em, sql`select id from applications where id = ${id}`)) !== null;
}
