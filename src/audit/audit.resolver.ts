import { Arg, Ctx, ID, Int, Query, Resolver } from 'type-graphql';
import type { RequestContext } from '../caller/context.ts';
import { type PageOf, pageArgs } from '../shared/connection.ts';
import { auditPage } from './audit.page.ts';
import { type AuditEvent, AuditEventConnection, AuditFilter } from './audit.type.ts';

@Resolver()
export class AuditResolver {
  @Query(() => AuditEventConnection, {
    description:
      'The record of an application and its tenants, newest first; of what the caller does not see, an empty page.',
  })
  auditEvents(
    @Ctx() context: RequestContext,
    @Arg('applicationId', () => ID, { description: 'The application whose record it is.' })
    applicationId: string,
    @Arg('first', () => Int, { defaultValue: 50, description: 'Size of the page: 1 to 100.' }) first: number,
    @Arg('after', () => String, {
      nullable: true,
      description: 'Where to continue: an endCursor or cursor of the page before.',
    })
    after?: string | null,
    @Arg('filter', () => AuditFilter, { nullable: true, description: 'Which events to list.' })
    filter?: AuditFilter | null,
  ): Promise<PageOf<AuditEvent>> {
    return auditPage(context, applicationId, pageArgs(first, after, 2), filter ?? {});
  }
}
