import { Field, Int, ObjectType } from 'type-graphql';

@ObjectType({
  simpleResolvers: true,
  description:
    'Where the users that the service knows stand now, by the policy that applies to each. One reading: the states add up to `users`.',
})
export class MfaStats {
  @Field(() => Int, { description: 'All users that the service knows: the sum of the others.' })
  users!: number;

  @Field(() => Int, { description: 'In the state ENROLLED.' })
  enrolled!: number;

  @Field(() => Int, { description: 'In the state OPTIONAL: not enrolled, and not asked to.' })
  optional!: number;

  @Field(() => Int, { description: 'In the state PENDING: still within the grace period.' })
  pending!: number;

  @Field(() => Int, { description: 'In the state OVERDUE: to enroll at the next sign-in.' })
  overdue!: number;

  @Field(() => Int, { description: 'In the state EXEMPT.' })
  exempt!: number;

  @Field(() => Int, { description: 'In the state DISABLED: MFA is not enabled for their tenant.' })
  disabled!: number;
}
