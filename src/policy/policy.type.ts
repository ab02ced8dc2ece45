import { createUnionType, Field, Int, ObjectType, registerEnumType } from 'type-graphql';
import { DateTime } from '../shared/date-time.ts';
import { InvalidInput, InvalidPolicy, NotFound, VersionConflict } from '../shared/user-error.type.ts';
import { MfaEnrollment } from '../tenancy/policy-columns.ts';
import type { TenantRow } from '../tenancy/rows.ts';
import { ApplicationPayload, Tenant, TenantPayload } from '../tenancy/tenancy.type.ts';
import { PolicySource } from './effective-policy.ts';

registerEnumType(PolicySource, {
  name: 'PolicySource',
  description: 'Which policy applies.',
  valuesConfig: {
    TENANT: { description: "The tenant's override." },
    APPLICATION: { description: "The application's policy." },
  },
});

@ObjectType({
  simpleResolvers: true,
  description: 'The stored settings of one owner: an application or a tenant.',
})
export class MfaPolicy {
  @Field(() => Boolean, { description: 'Whether codes of an authenticator app (TOTP) are used at all.' })
  totpEnabled!: boolean;

  @Field(() => Boolean, { description: 'Whether a single-use recovery code may stand in for TOTP.' })
  recoveryCodesEnabled!: boolean;

  @Field(() => MfaEnrollment, { description: 'Whether users must enroll.' })
  enrollment!: MfaEnrollment;

  @Field(() => Int, {
    description:
      'Days a user may still sign in unenrolled after enrollment became REQUIRED for them. 0 = at once.',
  })
  gracePeriodDays!: number;

  @Field(() => String, { nullable: true, description: 'As typed by the admin; null when left blank.' })
  issuer!: string | null;

  @Field(() => Int, {
    description:
      'Starts at 1, grows by one with each change; for an override, switching the toggle is a change too. expectedVersion 0 means that none is expected yet.',
  })
  version!: number;

  @Field(() => DateTime, { description: 'When it was last changed.' })
  updatedAt!: Date;
}

@ObjectType({
  simpleResolvers: true,
  description: 'The tenant override toggle and the values behind it. Switching it off keeps the values.',
})
export class MfaPolicyOverride {
  @Field(() => Boolean, { description: 'Whether the override is switched on.' })
  enabled!: boolean;

  @Field(() => MfaPolicy, {
    nullable: true,
    description: 'Null until values were given or the toggle was switched on for the first time.',
  })
  policy!: MfaPolicy | null;
}

@ObjectType({ simpleResolvers: true, description: "What applies to a tenant's users now." })
export class EffectivePolicy {
  @Field(() => Tenant, { description: 'Whose users it applies to.' })
  tenant!: TenantRow;

  @Field(() => Boolean, {
    description: 'False when TOTP is off: then nobody is enrolled or challenged, whatever the rest says.',
  })
  mfaEnabled!: boolean;

  @Field(() => Boolean, { description: 'Whether codes of an authenticator app (TOTP) are used.' })
  totpEnabled!: boolean;

  @Field(() => Boolean, { description: 'Whether a single-use recovery code may stand in for TOTP.' })
  recoveryCodesEnabled!: boolean;

  @Field(() => MfaEnrollment, { description: 'Whether users must enroll.' })
  enrollment!: MfaEnrollment;

  @Field(() => Int, {
    description: 'Days a user may still sign in unenrolled. 0 = enrollment is due at once.',
  })
  gracePeriodDays!: number;

  @Field(() => String, {
    description: "Never blank: the policy's issuer, else the application's display name.",
  })
  issuer!: string;

  @Field(() => PolicySource, { description: 'Which policy applies.' })
  source!: PolicySource;

  @Field(() => Int, { description: 'The version of the policy that `source` names.' })
  version!: number;
}

@ObjectType({
  simpleResolvers: true,
  description: 'The tenants as they are now, in the order in which they were named.',
})
export class TenantsPayload {
  @Field(() => [Tenant], {
    description: 'The tenants as they are now, in the order in which they were named.',
  })
  tenants: TenantRow[];

  constructor(tenants: TenantRow[]) {
    this.tenants = tenants;
  }
}

export const UpdateApplicationMfaPolicyResult = createUnionType({
  name: 'UpdateApplicationMfaPolicyResult',
  description: 'What updateApplicationMfaPolicy answers.',
  types: () => [ApplicationPayload, InvalidInput, InvalidPolicy, VersionConflict, NotFound] as const,
});
export const UpdateTenantMfaPolicyResult = createUnionType({
  name: 'UpdateTenantMfaPolicyResult',
  description: 'What updateTenantMfaPolicy answers.',
  types: () => [TenantPayload, InvalidInput, InvalidPolicy, VersionConflict, NotFound] as const,
});
export const SetTenantMfaPolicyOverrideResult = createUnionType({
  name: 'SetTenantMfaPolicyOverrideResult',
  description: 'What setTenantMfaPolicyOverride answers.',
  types: () => [TenantPayload, InvalidInput, InvalidPolicy, VersionConflict, NotFound] as const,
});
export const SetTenantMfaPolicyOverridesResult = createUnionType({
  name: 'SetTenantMfaPolicyOverridesResult',
  description: 'What setTenantMfaPolicyOverrides answers.',
  types: () => [TenantsPayload, InvalidInput, InvalidPolicy, NotFound] as const,
});
