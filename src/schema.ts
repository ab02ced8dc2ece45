import { buildSubgraphSchema, type GraphQLResolverMap } from '@apollo/subgraph';
import { printSchemaWithDirectives } from '@graphql-tools/utils';
import { type GraphQLSchema, parse, specifiedDirectives } from 'graphql';
import { buildSchemaSync, createResolversMap } from 'type-graphql';
import { guarded, type PermissionOptions } from './permissions.ts';
import { ApplicationPolicyResolver, PolicyResolver, TenantPolicyResolver } from './policy/policy.resolver.ts';
import { DateTime } from './shared/date-time.ts';
import { tenancyReferences } from './tenancy/tenancy.reference.ts';
import { ApplicationTenantsResolver, TenancyResolver } from './tenancy/tenancy.resolver.ts';

const federationLink = `extend schema
  @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@key", "@shareable", "@external", "@inaccessible", "@tag"])`;

function typeGraphQlSchema(): GraphQLSchema {
  return buildSchemaSync({
    resolvers: [
      TenancyResolver,
      ApplicationTenantsResolver,
      PolicyResolver,
      ApplicationPolicyResolver,
      TenantPolicyResolver,
    ],
    scalarsMap: [{ type: Date, scalar: DateTime }],
    directives: [...specifiedDirectives],
    // Inputs are checked by the services, which answer InvalidInput rather than throw.
    validate: false,
  });
}

/** The subgraph's SDL, as committed in schema/schema.graphql. */
export function printSdl(): string {
  const sdl = printSchemaWithDirectives(typeGraphQlSchema()).replace(/^schema \{[^}]*\}\s*/, '');
  return `${federationLink}\n\n${sdl.trim()}\n`;
}

/** The schema that is served: a Federation 2 subgraph behind the permission map. */
export function createSchema(options: PermissionOptions): GraphQLSchema {
  const resolvers: GraphQLResolverMap = createResolversMap(typeGraphQlSchema()) as GraphQLResolverMap;
  for (const [type, reference] of Object.entries(tenancyReferences)) {
    resolvers[type] = { ...(resolvers[type] as object), ...reference };
  }
  return guarded(buildSubgraphSchema([{ typeDefs: parse(printSdl()), resolvers }]), options);
}
