import { callerOf, type RequestContext } from '../caller/context.ts';
import { assertMayReadApplications, assertMayReadTenants } from './tenancy.access.ts';
import { applicationLoader, tenantLoader } from './tenancy.loader.ts';

/*
 * Entities as other subgraphs name them. The same rules as for the queries `application` and
 * `tenant`: a reference is not a way around them.
 */
export const tenancyReferences = {
  Application: {
    __resolveReference({ id }: { id: string }, context: RequestContext) {
      assertMayReadApplications(callerOf(context));
      return context.once(applicationLoader).load(String(id));
    },
  },
  Tenant: {
    __resolveReference({ id }: { id: string }, context: RequestContext) {
      assertMayReadTenants(callerOf(context));
      return context.once(tenantLoader).load(String(id));
    },
  },
};
