// Plain JavaScript, since the global set-up uses it too.
import pg from 'pg';

/*
 * Databases for tests. With TEST_DISTRIBUTE=on the database of TEST_DATABASE_URL is that of a coordinator
 * with the citus extension and its nodes, and each database for tests is made on all of them.
 */

export const isDistributed = process.env.TEST_DISTRIBUTE === 'on';

export async function createDatabase(server, name) {
  if (!isDistributed) {
    await run(server, `create database ${name}`);
    return;
  }
  const nodes = await nodesOf(server);
  for (const { url } of nodes) {
    await run(url, 'set citus.enable_create_database_propagation = off', `create database ${name}`);
    await run(at(url, { name }), 'create extension citus');
  }
  for (const { host, port, isCoordinator } of nodes) {
    const add = isCoordinator ? 'citus_set_coordinator_host' : 'citus_add_node';
    await run(at(server, { name }), `select ${add}('${host}', ${port})`);
  }
}

/** A copy of a database to which nobody is connected but, where there are several nodes, these to each other. */
export async function copyDatabase(server, from, name) {
  if (!isDistributed) {
    await run(server, `create database ${name} template ${from}`);
    return;
  }
  for (const { url } of await nodesOf(server)) {
    const [{ rows }] = await run(
      url,
      `select datallowconn as open, coalesce(setconfig, '{}') as settings from pg_database d
       left join pg_db_role_setting s on s.setdatabase = d.oid and s.setrole = 0 where datname = '${from}'`,
    );
    const [{ open, settings }] = rows;
    await run(
      url,
      'set citus.enable_create_database_propagation = off',
      ...(open
        ? [
            `alter database ${from} with allow_connections false`,
            `select pg_terminate_backend(pid, 5000) from pg_stat_activity where datname = '${from}'`,
          ]
        : []),
      `create database ${name} template ${from}`,
      // A template's settings, which distributing makes, stay behind.
      ...settings.map((each) => `alter database ${name} set ${each.replace('=', " to '")}'`),
      ...(open ? [`alter database ${from} with allow_connections true`] : []),
    );
  }
}

/** Lets nobody connect any more, so that several may copy it at once. */
export async function closeDatabase(server, name) {
  const urls = isDistributed ? (await nodesOf(server)).map(({ url }) => url) : [server];
  for (const url of urls) await run(url, `alter database ${name} with allow_connections false`);
}

export async function dropDatabase(server, name) {
  if (!isDistributed) {
    await run(server, `drop database if exists ${name} with (force)`);
    return;
  }
  for (const { url } of await nodesOf(server)) {
    const [{ rowCount }] = await run(url, `select from pg_database where datname = '${name}'`);
    if (rowCount === 0) continue;
    // The extension's own process would be back at once.
    await run(
      url,
      `alter database ${name} with allow_connections false`,
      `drop database ${name} with (force)`,
    );
  }
}

/** The coordinator comes first. */
async function nodesOf(server) {
  const [{ rows }] = await run(
    server,
    'select nodename as host, nodeport as port, groupid = 0 as "isCoordinator" from pg_dist_node order by groupid',
  );
  return rows.map((node) => ({ ...node, url: at(server, node) }));
}

function at(server, { host, port, name }) {
  const url = new URL(server);
  if (host !== undefined) url.hostname = host;
  if (port !== undefined) url.port = String(port);
  if (name !== undefined) url.pathname = `/${name}`;
  return url.href;
}

/** One by one: together they would be a transaction. */
async function run(url, ...statements) {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const results = [];
    for (const statement of statements) results.push(await client.query(statement));
    return results;
  } finally {
    await client.end();
  }
}
