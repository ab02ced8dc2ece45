import { Arg, Ctx, FieldResolver, ID, Int, Mutation, Query, Resolver, Root } from 'type-graphql';
import { callerOf, type RequestContext } from '../caller/context.ts';
import { type Connection, pageArgs } from '../shared/connection.ts';
import type { TenantRow } from '../tenancy/rows.ts';
import { Tenant, Viewer } from '../tenancy/tenancy.type.ts';
import { userLoader, userPage } from './user.loader.ts';
import { deleteAuthFactor } from './user.service.ts';
import {
  DeleteAuthFactorInput,
  DeleteAuthFactorResult,
  User,
  UserConnection,
  UserFilter,
  UserMfa,
  type UserRow,
} from './user.type.ts';
import { userMfa } from './user-view.ts';

@Resolver(() => User)
export class UserResolver {
  @Query(() => User, {
    nullable: true,
    description:
      "A user. tenantId may be left out where the caller's boundary is a tenant, or the id is known in one tenant of it only.",
  })
  async user(
    @Ctx() context: RequestContext,
    @Arg('id', () => ID, { description: 'The id of the user.' }) id: string,
    @Arg('tenantId', () => ID, { nullable: true, description: 'The tenant of the user.' })
    tenantId?: string | null,
  ): Promise<UserRow | null> {
    const user = await context
      .once(userLoader)
      .load({ id, tenantId: tenantId ?? callerOf(context).tenantId });
    return user?.subject ? user : null;
  }

  @FieldResolver(() => UserMfa, {
    nullable: true,
    description:
      "Null when no tenant was given and none, or more than one, within the caller's boundary knows this id. With a tenant it is answered for users never seen before, too.",
  })
  mfa(@Root() { subject }: UserRow, @Ctx() { clock }: RequestContext): UserMfa | null {
    return subject && userMfa(subject, clock.now());
  }

  @Mutation(() => DeleteAuthFactorResult, {
    description:
      'Deletes a factor: one of your own with a current code, or with auth-factor:delete one of others.',
  })
  deleteAuthFactor(
    @Ctx() context: RequestContext,
    @Arg('input', () => DeleteAuthFactorInput, { description: 'Which one.' }) input: DeleteAuthFactorInput,
  ) {
    return deleteAuthFactor(context, input);
  }
}

@Resolver(() => Tenant)
export class TenantUsersResolver {
  @FieldResolver(() => UserConnection, {
    description: 'The users of the tenant that the service knows, ordered by id.',
  })
  users(
    @Root() tenant: TenantRow,
    @Ctx() context: RequestContext,
    @Arg('first', () => Int, { defaultValue: 20, description: 'Size of the page: 1 to 100.' }) first: number,
    @Arg('after', () => String, {
      nullable: true,
      description: 'Where to continue: an endCursor or cursor of the page before.',
    })
    after?: string | null,
    @Arg('filter', () => UserFilter, { nullable: true, description: 'Which users to list.' })
    filter?: UserFilter | null,
  ): Promise<Connection<UserRow>> {
    return userPage(context, tenant, pageArgs(first, after, 1), filter?.state);
  }
}

@Resolver(() => Viewer)
export class ViewerMfaResolver {
  @FieldResolver(() => UserMfa, {
    nullable: true,
    description: "The caller's own MFA; null unless it is a user of a tenant.",
  })
  async mfa(@Ctx() context: RequestContext): Promise<UserMfa | null> {
    const { subject: id, tenantId } = callerOf(context);
    if (tenantId === null) return null;
    const user = await context.once(userLoader).load({ id, tenantId });
    return user?.subject ? userMfa(user.subject, context.clock.now()) : null;
  }
}
