import { callerOf, type RequestContext } from '../caller/context.ts';
import { assertMayReadUser } from './user.access.ts';
import { userLoader } from './user.loader.ts';
import type { UserRow } from './user.type.ts';

/** Users as other subgraphs name them: by tenant and id, or by id alone. */
export const userReferences = {
  User: {
    // Async, so that what is thrown for one user leaves the others alone.
    async __resolveReference(
      { id, tenantId }: { id: string; tenantId?: string | null },
      context: RequestContext,
    ): Promise<UserRow | null> {
      const user = {
        id: String(id),
        tenantId: tenantId == null ? callerOf(context).tenantId : String(tenantId),
      };
      assertMayReadUser(callerOf(context), user);
      return context.once(userLoader).load(user);
    },
  },
};
