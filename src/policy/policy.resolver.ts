import { Arg, Ctx, FieldResolver, ID, Mutation, Query, Resolver, Root } from 'type-graphql';
import type { RequestContext } from '../caller/context.ts';
import type { ApplicationRow, TenantRow } from '../tenancy/rows.ts';
import { loadTenants } from '../tenancy/tenancy.loader.ts';
import { Application, Tenant } from '../tenancy/tenancy.type.ts';
import { setTenantMfaPolicyOverrides } from './bulk-toggle.service.ts';
import { effectivePolicy } from './effective-policy.ts';
import {
  SetTenantMfaPolicyOverrideInput,
  SetTenantMfaPolicyOverridesInput,
  UpdateApplicationMfaPolicyInput,
  UpdateTenantMfaPolicyInput,
} from './policy.input.ts';
import * as policy from './policy.service.ts';
import {
  EffectivePolicy,
  MfaPolicy,
  MfaPolicyOverride,
  SetTenantMfaPolicyOverrideResult,
  SetTenantMfaPolicyOverridesResult,
  UpdateApplicationMfaPolicyResult,
  UpdateTenantMfaPolicyResult,
} from './policy.type.ts';

const effectivePolicyOf = (tenant: TenantRow): EffectivePolicy =>
  Object.assign(effectivePolicy(tenant), { tenant });

@Resolver()
export class PolicyResolver {
  @Query(() => EffectivePolicy, {
    nullable: true,
    description: "What applies to a tenant's users now; null when the caller sees no such tenant.",
  })
  async effectivePolicy(
    @Ctx() context: RequestContext,
    @Arg('tenantId', () => ID, { description: 'The id of the tenant.' }) tenantId: string,
  ): Promise<EffectivePolicy | null> {
    const [tenant = null] = await loadTenants(context, [tenantId]);
    return tenant && effectivePolicyOf(tenant);
  }

  @Mutation(() => UpdateApplicationMfaPolicyResult, {
    description:
      "Changes the application's policy, which applies to every tenant without an enabled override.",
  })
  updateApplicationMfaPolicy(
    @Ctx() context: RequestContext,
    @Arg('input', () => UpdateApplicationMfaPolicyInput, { description: 'What to change.' })
    input: UpdateApplicationMfaPolicyInput,
  ) {
    return policy.updateApplicationMfaPolicy(context, input);
  }

  @Mutation(() => UpdateTenantMfaPolicyResult, {
    description: "Writes the override's values, whether it is on or off.",
  })
  updateTenantMfaPolicy(
    @Ctx() context: RequestContext,
    @Arg('input', () => UpdateTenantMfaPolicyInput, { description: 'What to change.' })
    input: UpdateTenantMfaPolicyInput,
  ) {
    return policy.updateTenantMfaPolicy(context, input);
  }

  @Mutation(() => SetTenantMfaPolicyOverrideResult, {
    description:
      "The toggle. First switched on without values, it starts from a copy of the application's policy, so that switching on by itself changes nothing.",
  })
  setTenantMfaPolicyOverride(
    @Ctx() context: RequestContext,
    @Arg('input', () => SetTenantMfaPolicyOverrideInput, { description: 'Which tenant, and on or off.' })
    input: SetTenantMfaPolicyOverrideInput,
  ) {
    return policy.setTenantMfaPolicyOverride(context, input);
  }

  @Mutation(() => SetTenantMfaPolicyOverridesResult, {
    description:
      'The toggle for up to 1,000 tenants of one application, all or nothing, by the same rules as for one.',
  })
  setTenantMfaPolicyOverrides(
    @Ctx() context: RequestContext,
    @Arg('input', () => SetTenantMfaPolicyOverridesInput, { description: 'Which tenants, and on or off.' })
    input: SetTenantMfaPolicyOverridesInput,
  ) {
    return setTenantMfaPolicyOverrides(context, input);
  }
}

@Resolver(() => Application)
export class ApplicationPolicyResolver {
  @FieldResolver(() => MfaPolicy, {
    description: "The application's own policy. Applies to every tenant without an enabled override.",
  })
  mfaPolicy(@Root() application: ApplicationRow): MfaPolicy {
    return application.policy;
  }
}

@Resolver(() => Tenant)
export class TenantPolicyResolver {
  @FieldResolver(() => MfaPolicyOverride, {
    description: "The tenant's override of the application's policy.",
  })
  mfaPolicyOverride(@Root() tenant: TenantRow): MfaPolicyOverride {
    return tenant.override;
  }

  @FieldResolver(() => EffectivePolicy, { description: "What applies to the tenant's users now." })
  effectivePolicy(@Root() tenant: TenantRow): EffectivePolicy {
    return effectivePolicyOf(tenant);
  }
}
