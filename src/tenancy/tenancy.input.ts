import { Field, ID, InputType } from 'type-graphql';
import * as z from 'zod';
import { displayName, givenId, idempotencyKey } from '../shared/text.ts';
import { OverrideRule } from './policy-columns.ts';

const idDescription =
  'Letters, digits and . _ : @ | -, 1 to 64 of them, unique in the installation. Left out, a UUIDv7 is made.';
const nameDescription = '1 to 200 characters after trimming.';
const idempotencyDescription =
  '1 to 255 characters. The same key from the same caller within 24 h acts once and returns the first answer.';

@InputType({ description: 'A new application.' })
export class CreateApplicationInput {
  @Field(() => ID, { nullable: true, description: idDescription })
  id?: string | null;

  @Field(() => String, { description: nameDescription })
  displayName!: string;

  @Field(() => String, { nullable: true, description: idempotencyDescription })
  idempotencyKey?: string | null;
}

@InputType({ description: 'Changes to an application. Only what is given changes.' })
export class UpdateApplicationInput {
  @Field(() => ID, { description: 'The application to change.' })
  id!: string;

  @Field(() => String, { nullable: true, description: nameDescription })
  displayName?: string | null;

  @Field(() => OverrideRule, { nullable: true, description: 'What tenants may do with their override.' })
  overrideRule?: OverrideRule | null;

  @Field(() => OverrideRule, {
    nullable: true,
    description:
      'The override rule you read. When it is another one by now, nothing is written and the answer is InvalidInput that names this field.',
  })
  expectedOverrideRule?: OverrideRule | null;
}

@InputType({ description: 'Which application to delete.' })
export class DeleteApplicationInput {
  @Field(() => ID, { description: 'The application to delete, with its tenants and all of theirs.' })
  id!: string;
}

@InputType({ description: 'A new tenant.' })
export class CreateTenantInput {
  @Field(() => ID, { nullable: true, description: idDescription })
  id?: string | null;

  @Field(() => ID, { description: 'The application the tenant is a customer of.' })
  applicationId!: string;

  @Field(() => String, { description: nameDescription })
  displayName!: string;

  @Field(() => String, { nullable: true, description: idempotencyDescription })
  idempotencyKey?: string | null;
}

@InputType({ description: 'Changes to a tenant.' })
export class UpdateTenantInput {
  @Field(() => ID, { description: 'The tenant to change.' })
  id!: string;

  @Field(() => String, { description: nameDescription })
  displayName!: string;
}

@InputType({ description: 'Which tenant to delete.' })
export class DeleteTenantInput {
  @Field(() => ID, { description: 'The tenant to delete, with its override, users and factors.' })
  id!: string;
}

@InputType({ description: 'Which tenants of an application to list.' })
export class TenantFilter {
  @Field(() => String, { nullable: true, description: 'Part of the display name, in any case.' })
  search?: string | null;

  @Field(() => Boolean, { nullable: true, description: 'Only tenants whose override toggle is on, or off.' })
  overrideEnabled?: boolean | null;
}

export const newThing = z.object({
  id: givenId.nullish(),
  displayName,
  idempotencyKey: idempotencyKey.nullish(),
});

export const renaming = z.object({ displayName: displayName.nullish() });
