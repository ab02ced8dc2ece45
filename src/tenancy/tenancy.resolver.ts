import { Arg, Ctx, FieldResolver, ID, Int, Mutation, Query, Resolver, Root } from 'type-graphql';
import { callerOf, type RequestContext } from '../caller/context.ts';
import { type Connection, pageArgs } from '../shared/connection.ts';
import type { ApplicationRow, TenantRow } from './rows.ts';
import {
  CreateApplicationInput,
  CreateTenantInput,
  DeleteApplicationInput,
  DeleteTenantInput,
  TenantFilter,
  UpdateApplicationInput,
  UpdateTenantInput,
} from './tenancy.input.ts';
import {
  applicationLoader,
  applicationPage,
  loadTenants,
  tenantLoader,
  tenantPageLoader,
} from './tenancy.loader.ts';
import * as tenancy from './tenancy.service.ts';
import {
  Application,
  ApplicationConnection,
  CreateApplicationResult,
  CreateTenantResult,
  DeleteApplicationResult,
  DeleteTenantResult,
  Tenant,
  TenantConnection,
  UpdateApplicationResult,
  UpdateTenantResult,
  Viewer,
} from './tenancy.type.ts';

const firstDescription = 'Size of the page: 1 to 100.';
const afterDescription = 'Where to continue: an endCursor or cursor of the page before.';

@Resolver()
export class TenancyResolver {
  @Query(() => Viewer, { description: 'Who the bearer token speaks for.' })
  async viewer(@Ctx() context: RequestContext): Promise<Viewer> {
    const { subject, scopes, applicationId, tenantId } = callerOf(context);
    const [application, tenant] = await Promise.all([
      applicationId === null ? null : context.once(applicationLoader).load(applicationId),
      tenantId === null ? null : context.once(tenantLoader).load(tenantId),
    ]);
    return { subject, scopes: [...scopes], application, tenant };
  }

  @Query(() => Application, {
    nullable: true,
    description: 'One application; null when the caller sees none of this id.',
  })
  application(
    @Ctx() context: RequestContext,
    @Arg('id', () => ID, { description: 'The id of the application.' }) id: string,
  ): Promise<ApplicationRow | null> {
    return context.once(applicationLoader).load(id);
  }

  @Query(() => Tenant, {
    nullable: true,
    description: 'One tenant; null when the caller sees none of this id.',
  })
  tenant(
    @Ctx() context: RequestContext,
    @Arg('id', () => ID, { description: 'The id of the tenant.' }) id: string,
  ): Promise<TenantRow | null> {
    return context.once(tenantLoader).load(id);
  }

  @Query(() => ApplicationConnection, {
    description:
      'For a caller of the whole installation; others see their own only. Ordered by display name.',
  })
  applications(
    @Ctx() context: RequestContext,
    @Arg('first', () => Int, { defaultValue: 20, description: firstDescription }) first: number,
    @Arg('after', () => String, { nullable: true, description: afterDescription }) after?: string | null,
    @Arg('search', () => String, { nullable: true, description: 'Part of the display name, in any case.' })
    search?: string | null,
  ): Promise<Connection<ApplicationRow>> {
    return applicationPage(context, pageArgs(first, after, 2), search);
  }

  @Query(() => [Tenant], {
    nullable: 'items',
    description:
      'Tenants by id, in the order asked; null where the caller sees no such tenant. At most 200 ids.',
  })
  tenants(
    @Ctx() context: RequestContext,
    @Arg('ids', () => [ID], { description: 'The ids of the tenants, at most 200.' }) ids: string[],
  ): (TenantRow | null)[] | Promise<(TenantRow | null)[]> {
    return loadTenants(context, ids);
  }

  @Mutation(() => CreateApplicationResult, {
    description: 'Makes an application with a policy that asks nothing: TOTP off, enrollment OPTIONAL.',
  })
  createApplication(
    @Ctx() context: RequestContext,
    @Arg('input', () => CreateApplicationInput, { description: 'The new application.' })
    input: CreateApplicationInput,
  ) {
    return tenancy.createApplication(context, input);
  }

  @Mutation(() => UpdateApplicationResult, {
    description: "Changes an application's name or what its tenants may override.",
  })
  updateApplication(
    @Ctx() context: RequestContext,
    @Arg('input', () => UpdateApplicationInput, { description: 'What to change.' })
    input: UpdateApplicationInput,
  ) {
    return tenancy.updateApplication(context, input);
  }

  @Mutation(() => DeleteApplicationResult, {
    description: 'Deletes the application with its tenants and all of theirs.',
  })
  deleteApplication(
    @Ctx() context: RequestContext,
    @Arg('input', () => DeleteApplicationInput, { description: 'Which one.' })
    input: DeleteApplicationInput,
  ) {
    return tenancy.deleteApplication(context, input.id);
  }

  @Mutation(() => CreateTenantResult, {
    description: "Makes a tenant. The application's policy applies until it overrides.",
  })
  createTenant(
    @Ctx() context: RequestContext,
    @Arg('input', () => CreateTenantInput, { description: 'The new tenant.' }) input: CreateTenantInput,
  ) {
    return tenancy.createTenant(context, input);
  }

  @Mutation(() => UpdateTenantResult, { description: "Changes a tenant's name." })
  updateTenant(
    @Ctx() context: RequestContext,
    @Arg('input', () => UpdateTenantInput, { description: 'What to change.' }) input: UpdateTenantInput,
  ) {
    return tenancy.updateTenant(context, input);
  }

  @Mutation(() => DeleteTenantResult, {
    description: 'Deletes the tenant with its override, users and factors.',
  })
  deleteTenant(
    @Ctx() context: RequestContext,
    @Arg('input', () => DeleteTenantInput, { description: 'Which one.' }) input: DeleteTenantInput,
  ) {
    return tenancy.deleteTenant(context, input.id);
  }
}

@Resolver(() => Application)
export class ApplicationTenantsResolver {
  @FieldResolver(() => TenantConnection, {
    description: 'The tenants of the application that the caller sees, ordered by display name.',
  })
  tenants(
    @Root() application: ApplicationRow,
    @Ctx() context: RequestContext,
    @Arg('first', () => Int, { defaultValue: 20, description: firstDescription }) first: number,
    @Arg('after', () => String, { nullable: true, description: afterDescription }) after?: string | null,
    @Arg('filter', () => TenantFilter, { nullable: true, description: 'Which tenants to list.' })
    filter?: TenantFilter | null,
  ): Promise<Connection<TenantRow>> {
    return context
      .once(tenantPageLoader)
      .load({ applicationId: application.id, page: pageArgs(first, after, 2), filter: filter ?? {} });
  }
}
