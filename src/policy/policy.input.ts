import { Field, ID, InputType, Int } from 'type-graphql';
import * as z from 'zod';
import { bulkTenantsMax, gracePeriodDaysMax } from '../shared/limits.ts';
import { issuer } from '../shared/text.ts';
import { MfaEnrollment, type PolicyValues } from '../tenancy/policy-columns.ts';

const expectedVersionDescription =
  'The version you read. When it is stale, nothing is written and the answer is VersionConflict. 0: none is expected yet.';

@InputType({
  description: 'Settings of a policy. Only what is given changes; `issuer: null` or blank clears the issuer.',
})
export class MfaPolicyInput {
  @Field(() => Boolean, {
    nullable: true,
    description: 'Whether codes of an authenticator app (TOTP) are used.',
  })
  totpEnabled?: boolean | null;

  @Field(() => Boolean, {
    nullable: true,
    description: 'Whether recovery codes may be used. Needs totpEnabled.',
  })
  recoveryCodesEnabled?: boolean | null;

  @Field(() => MfaEnrollment, {
    nullable: true,
    description: 'Whether users must enroll. REQUIRED needs totpEnabled.',
  })
  enrollment?: MfaEnrollment | null;

  @Field(() => Int, { nullable: true, description: 'Days a user may still sign in unenrolled: 0 to 365.' })
  gracePeriodDays?: number | null;

  @Field(() => String, {
    nullable: true,
    description:
      'Shown in the authenticator app: at most 64 characters, no colon. Null or blank: the display name of the application.',
  })
  issuer?: string | null;
}

@InputType({ description: "Changes to an application's policy." })
export class UpdateApplicationMfaPolicyInput {
  @Field(() => ID, { description: 'The application whose policy to change.' })
  applicationId!: string;

  @Field(() => MfaPolicyInput, { description: 'The settings to change.' })
  policy!: MfaPolicyInput;

  @Field(() => Int, { nullable: true, description: expectedVersionDescription })
  expectedVersion?: number | null;
}

@InputType({ description: "Changes to the values of a tenant's override." })
export class UpdateTenantMfaPolicyInput {
  @Field(() => ID, { description: 'The tenant whose override to change.' })
  tenantId!: string;

  @Field(() => MfaPolicyInput, {
    description:
      "The settings to change. The first time, what is left out is copied from the application's policy.",
  })
  policy!: MfaPolicyInput;

  @Field(() => Int, { nullable: true, description: expectedVersionDescription })
  expectedVersion?: number | null;
}

@InputType({ description: "A tenant's override toggle." })
export class SetTenantMfaPolicyOverrideInput {
  @Field(() => ID, { description: 'The tenant whose override to switch.' })
  tenantId!: string;

  @Field(() => Boolean, { description: 'On or off. Off keeps the values.' })
  enabled!: boolean;

  @Field(() => MfaPolicyInput, { nullable: true, description: 'Settings to change in the same step.' })
  policy?: MfaPolicyInput | null;

  @Field(() => Int, { nullable: true, description: expectedVersionDescription })
  expectedVersion?: number | null;
}

@InputType({ description: 'The override toggle of many tenants of one application.' })
export class SetTenantMfaPolicyOverridesInput {
  @Field(() => [ID], {
    description: '1 to 1,000 tenants of one application. One that is named twice counts once.',
  })
  tenantIds!: string[];

  @Field(() => Boolean, { description: 'On or off, for all of them. Off keeps the values.' })
  enabled!: boolean;

  @Field(() => MfaPolicyInput, {
    nullable: true,
    description: "Settings to change in the same step, in each tenant's own values.",
  })
  policy?: MfaPolicyInput | null;
}

const gracePeriodDays = z
  .int()
  .min(0, { error: `must be 0 to ${gracePeriodDaysMax} days` })
  .max(gracePeriodDaysMax, { error: `must be 0 to ${gracePeriodDaysMax} days` });

/** Null means "not given", save for the issuer, which it clears. */
const settings = z.object({
  totpEnabled: z.boolean().nullish(),
  recoveryCodesEnabled: z.boolean().nullish(),
  enrollment: z.enum(MfaEnrollment).nullish(),
  gracePeriodDays: gracePeriodDays.nullish(),
  issuer: issuer.optional(),
});

export const policyWrite = z.object({
  policy: settings.nullish(),
  expectedVersion: z.int().min(0, { error: 'must be 0 or more' }).nullish(),
});

export const bulkWrite = z.object({
  tenantIds: z
    .array(z.string())
    .min(1, { error: 'must name at least one tenant' })
    .max(bulkTenantsMax, { error: `must name at most ${bulkTenantsMax} tenants` })
    .transform((ids) => [...new Set(ids)]),
  policy: settings.nullish(),
});

export type BulkWrite = z.infer<typeof bulkWrite>;

export type PolicyChange = z.infer<typeof settings>;

/** The policy that would result from a change. */
export function withChange(before: PolicyValues, change: PolicyChange): PolicyValues {
  return {
    totpEnabled: change.totpEnabled ?? before.totpEnabled,
    recoveryCodesEnabled: change.recoveryCodesEnabled ?? before.recoveryCodesEnabled,
    enrollment: change.enrollment ?? before.enrollment,
    gracePeriodDays: change.gracePeriodDays ?? before.gracePeriodDays,
    issuer: change.issuer === undefined ? before.issuer : change.issuer,
  };
}
