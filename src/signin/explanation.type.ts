import { Field, ObjectType } from 'type-graphql';
import { EffectivePolicy } from '../policy/policy.type.ts';
import { MfaReason } from './decision.ts';
import { MfaDecision } from './signin.type.ts';

@ObjectType({ simpleResolvers: true, description: 'One rule of the decision, and what it saw.' })
export class ExplainedRule {
  @Field(() => MfaReason, { description: 'The rule.' })
  rule!: MfaReason;

  @Field(() => Boolean, { description: 'Whether it matched. The first rule that matched decided.' })
  matched!: boolean;

  @Field(() => String, { description: 'One sentence for people: what was looked at, and what was seen.' })
  detail!: string;
}

@ObjectType({
  simpleResolvers: true,
  description: 'Why the decision is what it is: every rule, in the order in which they are asked.',
})
export class MfaExplanation {
  @Field(() => MfaDecision, {
    description:
      'What startMfa would decide now. Nothing is started: there is no token, and enrollmentDueAt is null where enrollment was never required of the user.',
  })
  decision!: MfaDecision;

  @Field(() => EffectivePolicy, { description: 'What applies to the user now.' })
  effectivePolicy!: EffectivePolicy;

  @Field(() => [ExplainedRule], { description: 'Every rule, in the order in which they are asked.' })
  rules!: ExplainedRule[];
}
