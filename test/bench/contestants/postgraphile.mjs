// PostGraphile 5 over a view that implements the rules in SQL (view.mjs).
import { createServer } from 'node:http';
import { postgraphile } from 'postgraphile';
import { makePgService } from 'postgraphile/adaptors/pg';
import { grafserv } from 'postgraphile/grafserv/node';
import { PostGraphileAmberPreset } from 'postgraphile/presets/amber';
import { verifyBearer } from './bearer.mjs';

const instance = postgraphile({
  extends: [PostGraphileAmberPreset],
  pgServices: [
    makePgService({
      schemas: ['bench'],
      connectionString: process.env.DATABASE_URL,
      poolConfig: { max: 20 },
    }),
  ],
  grafast: { explain: false },
  grafserv: { graphqlPath: '/graphql', graphiql: false, watch: false, websockets: false },
  schema: { defaultBehavior: '-insert -update -delete' },
});
await instance.getSchema();
// Without subscriptions nothing needs the server itself, and the bearer is checked before.
const handle = instance.createServ(grafserv).createHandler();
const server = createServer(async (request, response) => {
  try {
    await verifyBearer(request.headers.authorization);
  } catch {
    response.writeHead(401, { 'content-type': 'application/json' }).end('{"errors":[{"message":"401"}]}');
    return;
  }
  handle(request, response);
});
server.listen(0, '127.0.0.1', () => console.log(`http://127.0.0.1:${server.address().port}`));
process.on('SIGTERM', () => process.exit(0));
