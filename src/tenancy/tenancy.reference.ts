import { callerOf, type RequestContext } from '../caller/context.ts';
import { assertMayReadApplications, assertMayReadTenants } from './tenancy.access.ts';
import { applicationLoader, tenantLoader } from './tenancy.loader.ts';

/*
 * Entities as other subgraphs name them. The same rules as for the queries `application` and
 * `tenant`: a reference is not a way around them. What is refused is refused for itself alone, so the
 * checks are thrown where they reject one entity, not the list.
 */
export const tenancyReferences = {
  Application: {
    async __resolveReference({ id }: { id: string }, context: RequestContext) {
      assertMayReadApplications(callerOf(context));
      return copyOf(await context.once(applicationLoader).load(id));
    },
  },
  Tenant: {
    async __resolveReference({ id }: { id: string }, context: RequestContext) {
      assertMayReadTenants(callerOf(context));
      return copyOf(await context.once(tenantLoader).load(id));
    },
  },
};

/** Apollo writes the name of its type into an entity, and rows that are remembered are shared. */
const copyOf = <Row extends object>(row: Row | null): Row | null => row && { ...row };
