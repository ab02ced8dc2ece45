import type { TestServer } from '../setup/harness.ts';
import { makeWorld, type World } from '../setup/world.ts';

/**
 * A world of many tenants. They are written in one statement: what is tested is reading them, and
 * hundreds of calls to make them would only take time.
 */
export async function makeManyTenants(
  server: TestServer,
  { tenants, ...options }: NonNullable<Parameters<typeof makeWorld>[1]> & { tenants: number },
): Promise<World> {
  const { applicationId } = await makeWorld(server, { ...options, tenants: 0 });
  const { rows } = await server.database.pool.query<{ id: string }>(
    `insert into tenants (id, application_id, display_name, name_key, created_at)
      select $1 || '.t' || n, $1, 'Tenant ' || lpad(n::text, 3, '0'), 'tenant ' || lpad(n::text, 3, '0'), $3
      from generate_series(1, $2::int) n
      returning id`,
    [applicationId, tenants, server.clock.now()],
  );
  return { applicationId, tenantIds: rows.map(({ id }) => id) };
}
