import { ApolloServer } from '@apollo/server';
import { ApolloServerPluginInlineTraceDisabled } from '@apollo/server/plugin/disabled';
import { startStandaloneServer } from '@apollo/server/standalone';
import { buildSubgraphSchema } from '@apollo/subgraph';
import { parse } from 'graphql';

/** Another team's subgraph: it owns employees and knows of their tenants nothing but the id. */
export const usersSdl = `
  extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@key", "@shareable"])

  type Query {
    employees(tenantIds: [ID!]!): [Employee!]!
    signedUpIn(applicationId: ID!): Signup!
  }
  type Employee @key(fields: "id") {
    id: ID!
    tenant: Tenant
  }
  type Signup {
    application: Application
  }
  type Tenant @key(fields: "id") {
    id: ID!
    headcount: Int!
  }
  type Application @key(fields: "id", resolvable: false) {
    id: ID!
  }
`;

/** What the caller of a server sent. */
export interface GatewayContext {
  authorization: string | undefined;
}

export interface RunningServer {
  url: string;
  stop(): Promise<void>;
}

export async function startUsersSubgraph(): Promise<RunningServer> {
  const schema = buildSubgraphSchema([
    {
      typeDefs: parse(usersSdl),
      resolvers: {
        Query: {
          employees: (_root: unknown, { tenantIds }: { tenantIds: string[] }) =>
            tenantIds.map((id) => ({ id: `employee-of-${id}`, tenant: { id } })),
          signedUpIn: (_root: unknown, { applicationId }: { applicationId: string }) => ({
            application: { id: applicationId },
          }),
        },
        Tenant: {
          __resolveReference: ({ id }: { id: string }) => ({ id }),
          headcount: ({ id }: { id: string }) => id.length,
        },
      },
    },
  ]);
  return startServer(
    new ApolloServer<GatewayContext>({ schema, plugins: [ApolloServerPluginInlineTraceDisabled()] }),
  );
}

/** Serves over real HTTP at any free port; the caller's Authorization goes into the context. */
export async function startServer(server: ApolloServer<GatewayContext>): Promise<RunningServer> {
  const { url } = await startStandaloneServer(server, {
    listen: { host: '127.0.0.1', port: 0 },
    context: async ({ req }) => ({ authorization: req.headers.authorization }),
  });
  return { url, stop: () => server.stop() };
}
