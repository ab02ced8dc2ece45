import { Arg, Ctx, ID, Query, Resolver } from 'type-graphql';
import type { RequestContext } from '../caller/context.ts';
import { MfaPolicyInput } from '../policy/policy.input.ts';
import * as preview from './preview.service.ts';
import { PolicyChangePreviewResult } from './preview.type.ts';

@Resolver()
export class PreviewResolver {
  @Query(() => PolicyChangePreviewResult, {
    description: 'What updateApplicationMfaPolicy would do with the same values.',
  })
  previewApplicationMfaPolicy(
    @Ctx() context: RequestContext,
    @Arg('applicationId', () => ID, { description: 'The application whose policy would change.' })
    applicationId: string,
    @Arg('policy', () => MfaPolicyInput, { description: 'The settings that would change.' })
    policy: MfaPolicyInput,
  ) {
    return preview.previewApplicationMfaPolicy(context, applicationId, policy);
  }

  @Query(() => PolicyChangePreviewResult, {
    description:
      'What setTenantMfaPolicyOverride would do with the same values, or without `enabled` updateTenantMfaPolicy.',
  })
  previewTenantMfaPolicy(
    @Ctx() context: RequestContext,
    @Arg('tenantId', () => ID, { description: 'The tenant whose override would change.' }) tenantId: string,
    @Arg('policy', () => MfaPolicyInput, {
      nullable: true,
      description: 'The settings of the override that would change.',
    })
    policy?: MfaPolicyInput | null,
    @Arg('enabled', () => Boolean, {
      nullable: true,
      description: 'The toggle; left out, it stays as it is.',
    })
    enabled?: boolean | null,
  ) {
    return preview.previewTenantMfaPolicy(context, tenantId, { policy, enabled });
  }

  @Query(() => PolicyChangePreviewResult, {
    description: 'What setTenantMfaPolicyOverrides would do with the same values, to all of them together.',
  })
  previewTenantMfaPolicyOverrides(
    @Ctx() context: RequestContext,
    @Arg('tenantIds', () => [ID], {
      description: '1 to 1,000 tenants of one application. One that is named twice counts once.',
    })
    tenantIds: string[],
    @Arg('enabled', () => Boolean, { description: 'On or off, for all of them.' }) enabled: boolean,
    @Arg('policy', () => MfaPolicyInput, {
      nullable: true,
      description: "Settings that would change in the same step, in each tenant's own values.",
    })
    policy?: MfaPolicyInput | null,
  ) {
    return preview.previewTenantMfaPolicyOverrides(context, { tenantIds, enabled, policy });
  }
}
