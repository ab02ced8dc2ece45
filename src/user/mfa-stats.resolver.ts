import { Ctx, FieldResolver, Resolver, Root } from 'type-graphql';
import type { RequestContext } from '../caller/context.ts';
import type { ApplicationRow, TenantRow } from '../tenancy/rows.ts';
import { Application, Tenant } from '../tenancy/tenancy.type.ts';
import { applicationStatsLoader, tenantStatsLoader } from './mfa-stats.loader.ts';
import { MfaStats } from './mfa-stats.type.ts';

@Resolver(() => Application)
export class ApplicationStatsResolver {
  @FieldResolver(() => MfaStats, {
    description:
      'Where the users of all its tenants stand. Needs auth-factor:read, and a caller who is not bound to one tenant.',
  })
  mfaStats(@Root() { id }: ApplicationRow, @Ctx() context: RequestContext): Promise<MfaStats> {
    return context.once(applicationStatsLoader).load(id);
  }
}

@Resolver(() => Tenant)
export class TenantStatsResolver {
  @FieldResolver(() => MfaStats, {
    description: "Where the tenant's users stand. Needs auth-factor:read.",
  })
  mfaStats(@Root() { id }: TenantRow, @Ctx() context: RequestContext): Promise<MfaStats> {
    return context.once(tenantStatsLoader).load(id);
  }
}
