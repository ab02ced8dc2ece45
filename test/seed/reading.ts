import {
  SeededApplicationDocument,
  type SeededApplicationQuery,
  SeededUsersDocument,
  type SeededUsersQuery,
} from '../generated/documents.ts';
import type { TestCaller } from '../setup/harness.ts';

/* All of a small seed, as the API shows it. */

export type Application = NonNullable<SeededApplicationQuery['application']>;
export type Tenant = Application['tenants']['nodes'][number] & { applicationId: string };
type Node = NonNullable<SeededUsersQuery['tenant']>['users']['nodes'][number];
export type User = Node & { mfa: NonNullable<Node['mfa']> };

/** Applications of up to 100 tenants, with their ids. */
export async function readApplications(
  admin: TestCaller,
  ids: readonly string[],
): Promise<Map<string, Application>> {
  const applications = new Map<string, Application>();
  for (const id of ids) {
    const { data } = await admin.call(SeededApplicationDocument, { id });
    if (!data.application) throw new Error(`There is no application ${id}.`);
    applications.set(id, data.application);
  }
  return applications;
}

export const tenantsOf = (applications: ReadonlyMap<string, Application>): Tenant[] =>
  [...applications].flatMap(([applicationId, { tenants }]) =>
    tenants.nodes.map((tenant) => ({ ...tenant, applicationId })),
  );

/** All users of a tenant. */
export async function usersOf(admin: TestCaller, id: string, after: string | null = null): Promise<User[]> {
  const { data, errors } = await admin.call(SeededUsersDocument, { id, after });
  if (!data.tenant) throw new Error(JSON.stringify(errors));
  const { nodes, pageInfo } = data.tenant.users;
  const shown = nodes.map((node) => {
    if (node.mfa === null) throw new Error(`Nothing is known of ${node.id}.`);
    return { ...node, mfa: node.mfa };
  });
  return pageInfo.hasNextPage ? [...shown, ...(await usersOf(admin, id, pageInfo.endCursor))] : shown;
}
