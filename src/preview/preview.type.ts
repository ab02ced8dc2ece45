import { createUnionType, Field, Int, ObjectType } from 'type-graphql';
import { EffectivePolicy } from '../policy/policy.type.ts';
import { InvalidInput, InvalidPolicy, NotFound } from '../shared/user-error.type.ts';

@ObjectType({
  simpleResolvers: true,
  description:
    'What a policy change would do, computed without making it. Users are those that the service knows, signing in locally at this moment.',
})
export class PolicyChangePreview {
  @Field(() => Int, {
    description:
      'Tenants whose effective policy would change, in any member but `version`: `source` and `issuer` count.',
  })
  tenantsAffected: number;

  @Field(() => Int, {
    description:
      'Tenants of the application whose override shields them from it: their effective policy stays, and would change without the override. 0 in the preview of tenants.',
  })
  tenantsShielded: number;

  @Field(() => Int, {
    description:
      'Users who are let in today and would have to enroll at their next sign-in. Who would first have a grace period, or is exempt, is not among them.',
  })
  usersToEnroll: number;

  @Field(() => Int, { description: 'Users who are challenged today and would not be any more.' })
  usersNoLongerChallenged: number;

  @Field(() => EffectivePolicy, {
    nullable: true,
    description: 'What applies to the tenant now; null in the preview of an application or of many tenants.',
  })
  before: EffectivePolicy | null;

  @Field(() => EffectivePolicy, {
    nullable: true,
    description: 'What would apply to the tenant; null in the preview of an application or of many tenants.',
  })
  after: EffectivePolicy | null;

  constructor(counts: PreviewCounts, policies?: { before: EffectivePolicy; after: EffectivePolicy }) {
    this.tenantsAffected = counts.tenantsAffected;
    this.tenantsShielded = counts.tenantsShielded;
    this.usersToEnroll = counts.usersToEnroll;
    this.usersNoLongerChallenged = counts.usersNoLongerChallenged;
    this.before = policies?.before ?? null;
    this.after = policies?.after ?? null;
  }
}

export interface PreviewCounts {
  tenantsAffected: number;
  tenantsShielded: number;
  usersToEnroll: number;
  usersNoLongerChallenged: number;
}

export const PolicyChangePreviewResult = createUnionType({
  name: 'PolicyChangePreviewResult',
  description: 'What the previews of policy changes answer.',
  types: () => [PolicyChangePreview, InvalidInput, InvalidPolicy, NotFound] as const,
});
