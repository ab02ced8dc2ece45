import { Field, ID, InputType, ObjectType } from 'type-graphql';
import { uncountedConnectionType } from '../shared/connection.ts';
import { DateTime } from '../shared/date-time.ts';

@ObjectType({ simpleResolvers: true, description: 'Something that happened, as it was recorded then.' })
export class AuditEvent {
  @Field(() => ID, { description: 'Names the event; webhooks carry the same id.' })
  id!: string;

  @Field(() => DateTime, { description: 'When it happened.' })
  at!: Date;

  @Field(() => String, {
    description: 'One of the dotted names listed in the README, e.g. mfa_policy.updated.',
  })
  action!: string;

  @Field(() => String, { description: "The bearer's sub; for a call with an MFA token, the user's id." })
  actor!: string;

  @Field(() => ID, {
    nullable: true,
    description: 'The tenant it happened in; null for what concerns the application as a whole.',
  })
  tenantId!: string | null;

  @Field(() => ID, { nullable: true, description: 'The user it happened to, where it was one.' })
  userId!: string | null;

  @Field(() => String, {
    description: 'JSON text: what changed, before and after. Never a secret, a code or a token.',
  })
  detail!: string;
}

export const AuditEventConnection = uncountedConnectionType('AuditEvent', () => AuditEvent);

@InputType({ description: 'Which events to list; what is left out does not matter.' })
export class AuditFilter {
  @Field(() => ID, { nullable: true, description: 'Only what happened in this tenant.' })
  tenantId?: string | null;

  @Field(() => ID, { nullable: true, description: 'Only what happened to users of this id.' })
  userId?: string | null;

  @Field(() => String, { nullable: true, description: 'Only this action, e.g. mfa_policy.updated.' })
  action?: string | null;

  @Field(() => DateTime, { nullable: true, description: 'Only from this moment on, inclusive.' })
  from?: Date | null;

  @Field(() => DateTime, { nullable: true, description: 'Only before this moment, exclusive.' })
  to?: Date | null;
}
