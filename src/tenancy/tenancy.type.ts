import { createUnionType, Directive, Field, ID, ObjectType, registerEnumType } from 'type-graphql';
import { connectionType } from '../shared/connection.ts';
import { AlreadyExists, InvalidInput, NotFound } from '../shared/user-error.type.ts';
import { MfaEnrollment, OverrideRule } from './policy-columns.ts';
import type { ApplicationRow, TenantRow } from './rows.ts';

registerEnumType(MfaEnrollment, {
  name: 'MfaEnrollment',
  description: 'Whether users must enroll in MFA.',
  valuesConfig: {
    OPTIONAL: { description: 'Users may enroll; who has enrolled is challenged.' },
    REQUIRED: { description: 'Users must enroll, at once or within the grace period.' },
  },
});

registerEnumType(OverrideRule, {
  name: 'OverrideRule',
  description: 'What the tenants of an application may do with their override.',
  valuesConfig: {
    ANY: { description: 'A tenant may override with any values.' },
    STRICTER_ONLY: {
      description: "A tenant's override may only be as strict as the application's policy, or stricter.",
    },
    NONE: { description: 'No tenant override applies; stored ones are kept and ignored.' },
  },
});

@Directive('@key(fields: "id")')
@ObjectType({
  simpleResolvers: true,
  description: 'A product that signs users in. Its customers are its tenants.',
})
export class Application {
  @Field(() => ID, { description: 'Given by the identity provider, or a UUIDv7.' })
  id!: string;

  @Field(() => String, { description: 'Shown to people, and as the issuer where a policy names none.' })
  displayName!: string;

  @Field(() => OverrideRule, { description: 'What tenants may do with their override.' })
  overrideRule!: OverrideRule;
}

@Directive('@key(fields: "id")')
@ObjectType({ simpleResolvers: true, description: 'A customer of an application.' })
export class Tenant {
  @Field(() => ID, { description: 'Given by the identity provider, or a UUIDv7.' })
  id!: string;

  @Field(() => String, { description: 'Shown to people.' })
  displayName!: string;

  @Field(() => Application, { description: 'The application the tenant is a customer of.' })
  application!: ApplicationRow;
}

export const TenantConnection = connectionType('Tenant', () => Tenant);
export const ApplicationConnection = connectionType('Application', () => Application);

@ObjectType({ simpleResolvers: true, description: 'Who the bearer token speaks for.' })
export class Viewer {
  @Field(() => ID, { description: "The token's sub." })
  subject!: string;

  @Field(() => Application, {
    nullable: true,
    description: 'The application the caller is bound to; null for a caller of the whole installation.',
  })
  application!: ApplicationRow | null;

  @Field(() => Tenant, { nullable: true, description: 'The tenant the caller is bound to, if any.' })
  tenant!: TenantRow | null;

  @Field(() => [String], { description: 'What the caller may do inside its boundary.' })
  scopes!: string[];
}

@ObjectType({ simpleResolvers: true, description: 'The application as it is now.' })
export class ApplicationPayload {
  @Field(() => Application, { description: 'The application as it is now.' })
  application: ApplicationRow;

  constructor(application: ApplicationRow) {
    this.application = application;
  }
}

@ObjectType({ simpleResolvers: true, description: 'The tenant as it is now.' })
export class TenantPayload {
  @Field(() => Tenant, { description: 'The tenant as it is now.' })
  tenant: TenantRow;

  constructor(tenant: TenantRow) {
    this.tenant = tenant;
  }
}

@ObjectType({ simpleResolvers: true, description: 'It is deleted.' })
export class DeletedPayload {
  @Field(() => ID, { description: 'The id of what was deleted.' })
  id: string;

  constructor(id: string) {
    this.id = id;
  }
}

export const CreateApplicationResult = createUnionType({
  name: 'CreateApplicationResult',
  description: 'What createApplication answers.',
  types: () => [ApplicationPayload, InvalidInput, AlreadyExists] as const,
});
export const UpdateApplicationResult = createUnionType({
  name: 'UpdateApplicationResult',
  description: 'What updateApplication answers.',
  types: () => [ApplicationPayload, InvalidInput, NotFound] as const,
});
export const DeleteApplicationResult = createUnionType({
  name: 'DeleteApplicationResult',
  description: 'What deleteApplication answers.',
  types: () => [DeletedPayload, NotFound] as const,
});
export const CreateTenantResult = createUnionType({
  name: 'CreateTenantResult',
  description: 'What createTenant answers.',
  types: () => [TenantPayload, InvalidInput, AlreadyExists, NotFound] as const,
});
export const UpdateTenantResult = createUnionType({
  name: 'UpdateTenantResult',
  description: 'What updateTenant answers.',
  types: () => [TenantPayload, InvalidInput, NotFound] as const,
});
export const DeleteTenantResult = createUnionType({
  name: 'DeleteTenantResult',
  description: 'What deleteTenant answers.',
  types: () => [DeletedPayload, NotFound] as const,
});
