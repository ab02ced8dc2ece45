import { buildSubgraphSchema, type GraphQLResolverMap } from '@apollo/subgraph';
import { printSchemaWithDirectives } from '@graphql-tools/utils';
import {
  defaultFieldResolver,
  type GraphQLFieldResolver,
  type GraphQLObjectType,
  type GraphQLSchema,
  parse,
  specifiedDirectives,
} from 'graphql';
import { buildSchemaSync, createResolversMap } from 'type-graphql';
import { AuditResolver } from './audit/audit.resolver.ts';
import { recordDenials } from './audit/denials.ts';
import { guarded, guardedFields, type PermissionOptions, permissionMap } from './permissions.ts';
import { ApplicationPolicyResolver, PolicyResolver, TenantPolicyResolver } from './policy/policy.resolver.ts';
import { PreviewResolver } from './preview/preview.resolver.ts';
import { DateTime } from './shared/date-time.ts';
import { tellOf } from './shared/field-facts.ts';
import { assertRepresentations } from './shared/representations.ts';
import { SignInResolver } from './signin/signin.resolver.ts';
import { tenancyReferences } from './tenancy/tenancy.reference.ts';
import { ApplicationTenantsResolver, TenancyResolver } from './tenancy/tenancy.resolver.ts';
import { AdministrationResolver } from './user/administration.resolver.ts';
import { ApplicationStatsResolver, TenantStatsResolver } from './user/mfa-stats.resolver.ts';
import { userReferences } from './user/user.reference.ts';
import { TenantUsersResolver, UserResolver, ViewerMfaResolver } from './user/user.resolver.ts';
import { WebhookResolver } from './webhook/webhook.resolver.ts';

const federationLink = `extend schema
  @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@key", "@shareable", "@external", "@inaccessible", "@tag"])`;

function typeGraphQlSchema(): GraphQLSchema {
  const schema = buildSchemaSync({
    resolvers: [
      AuditResolver,
      TenancyResolver,
      ApplicationTenantsResolver,
      PolicyResolver,
      ApplicationPolicyResolver,
      TenantPolicyResolver,
      WebhookResolver,
      UserResolver,
      TenantUsersResolver,
      ViewerMfaResolver,
      AdministrationResolver,
      ApplicationStatsResolver,
      TenantStatsResolver,
      PreviewResolver,
      SignInResolver,
    ],
    scalarsMap: [{ type: Date, scalar: DateTime }],
    directives: [...specifiedDirectives],
    // Inputs are checked by the services, which answer InvalidInput rather than throw.
    validate: false,
    // Its check is a run of the whole introspection query at every start; Apollo Server validates what is served.
    skipCheck: true,
  });
  // type-graphql has no place for these two.
  describe(
    schema.getQueryType(),
    'What can be read. What a caller may not see answers as what does not exist.',
  );
  describe(schema.getMutationType(), 'What can be changed. Expected failures are answered as data.');
  return schema;
}

function describe(type: GraphQLObjectType | null | undefined, description: string): void {
  if (type) type.description = description;
}

/** The subgraph's SDL, as committed in schema/schema.graphql. */
export const printSdl = (): string => sdlOf(typeGraphQlSchema());

function sdlOf(schema: GraphQLSchema): string {
  const sdl = printSchemaWithDirectives(schema).replace(/^schema \{[^}]*\}\s*/, '');
  return `${federationLink}\n\n${sdl.trim()}\n`;
}

const references = { ...tenancyReferences, ...userReferences };

/** The Federation 2 subgraph, before anything guards it. */
export function subgraphSchema(): GraphQLSchema {
  const declared = typeGraphQlSchema();
  const resolvers: GraphQLResolverMap = createResolversMap(declared) as GraphQLResolverMap;
  for (const [type, reference] of Object.entries(references)) {
    resolvers[type] = { ...(resolvers[type] as object), ...reference };
  }
  const schema = buildSubgraphSchema([{ typeDefs: parse(sdlOf(declared)), resolvers }]);
  const entities = schema.getQueryType()?.getFields()['_entities'];
  if (entities) entities.resolve = checkingRepresentations(entities.resolve ?? defaultFieldResolver);
  return schema;
}

const checkingRepresentations =
  (resolve: GraphQLFieldResolver<unknown, unknown>): GraphQLFieldResolver<unknown, unknown> =>
  (parent, args, context, info) => {
    assertRepresentations(args['representations'], Object.keys(references));
    return resolve(parent, args, context, info);
  };

/** Fields with a resolver that computes, from their object and nothing else. */
const derived = [['Tenant', 'effectivePolicy']] as const;

/** The schema that is served: the subgraph behind the permission map. */
export function createSchema(options: PermissionOptions): GraphQLSchema {
  const rules = permissionMap(options);
  const schema = recordDenials(guarded(subgraphSchema(), rules), guardedFields(rules));
  for (const [type, field] of derived) tellOf(schema, type, field, { isDerived: true });
  return schema;
}
