import { ApolloServer, type ApolloServerOptionsWithGateway, type ApolloServerPlugin } from '@apollo/server';
import {
  ApolloServerPluginCacheControlDisabled,
  ApolloServerPluginInlineTraceDisabled,
  ApolloServerPluginUsageReportingDisabled,
} from '@apollo/server/plugin/disabled';
import { type DocumentNode, type GraphQLSchema, MaxIntrospectionDepthRule } from 'graphql';
import { LRUCache } from 'lru-cache';
import type { RequestContext } from '../caller/context.ts';
import { assertMayReadSchema } from '../permissions.ts';
import { type ErrorCode, errorStatus } from '../shared/errors.ts';
import { plansMax, retryAfterSeconds, tokensMax } from '../shared/limits.ts';
import type { Direct } from './direct.ts';
import type { Executor } from './executor.ts';
import { logError, maskError } from './format-error.ts';
import { assertWithinLimits, DocumentLimitsRule, readsSchema } from './operation-limits.ts';
import { variablesOf } from './variables.ts';

export interface ApolloOptions {
  schema: GraphQLSchema;
  executor: Executor;
  direct: Direct;
  /** Whether anyone may read the schema. */
  introspection: boolean;
  /** Told of each request, beside what is done here. */
  watching?: ApolloServerPlugin<RequestContext> | undefined;
}

/** Apollo Server with everything off that answers more than it was asked. */
export function createApollo({
  schema,
  executor,
  direct,
  introspection,
  watching,
}: ApolloOptions): ApolloServer<RequestContext> {
  return new ApolloServer<RequestContext>({
    gateway: plannedExecution(schema, executor),
    // Who may introspect is decided per caller, below.
    introspection: true,
    hideSchemaDetailsFromClientErrors: true,
    includeStacktraceInErrorResponses: false,
    csrfPrevention: true,
    allowBatchedHttpRequests: false,
    persistedQueries: false,
    documentStore: documentStore(),
    stopOnTerminationSignals: false,
    nodeEnv: 'production',
    parseOptions: { maxTokens: tokensMax },
    validationOptions: { maxErrors: 5 },
    validationRules: [DocumentLimitsRule, MaxIntrospectionDepthRule],
    formatError: maskError,
    plugins: [
      ApolloServerPluginCacheControlDisabled(),
      ApolloServerPluginInlineTraceDisabled(),
      ApolloServerPluginUsageReportingDisabled(),
      limitsPlugin(schema, direct, introspection),
      answerPlugin,
      ...(watching ? [watching] : []),
    ],
  });
}

/** As many documents as plans. Apollo's own store holds 30 MB of their JSON, which is a multiple of it in memory. */
function documentStore(): NonNullable<ApolloServerOptionsWithGateway<RequestContext>['documentStore']> {
  const documents = new LRUCache<string, DocumentNode>({ max: plansMax });
  return {
    get: async (key) => documents.get(key),
    set: async (key, document) => void documents.set(key, document),
    delete: async (key) => documents.delete(key),
  };
}

/** Apollo takes another executor than graphql-js' from a gateway only; this one has a single schema and calls nobody. */
function plannedExecution(
  schema: GraphQLSchema,
  { execute }: Executor,
): ApolloServerOptionsWithGateway<RequestContext>['gateway'] {
  const listeners = new Set<(loaded: { apiSchema: GraphQLSchema; coreSupergraphSdl: string }) => void>();
  return {
    onSchemaLoadOrUpdate(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    async load() {
      for (const listener of listeners) listener({ apiSchema: schema, coreSupergraphSdl: '' });
      return {
        executor: async ({ document, request, context }) =>
          context.executed?.result ??
          execute({
            document,
            contextValue: context,
            variableValues: request.variables,
            operationName: request.operationName,
          }),
      };
    },
    async stop() {},
  };
}

/** Refuses what asks for too much, and schema reads by those who may not. */
const limitsPlugin = (
  schema: GraphQLSchema,
  direct: Direct,
  introspection: boolean,
): ApolloServerPlugin<RequestContext> => ({
  async requestDidStart() {
    return {
      async didResolveOperation({ source, document, operation, operationName, request, contextValue }) {
        contextValue.call.operation = operationName ?? null;
        if (operation === undefined) return;
        contextValue.beginOperation(operation.operation);
        if (readsSchema(document, operation)) assertMayReadSchema(contextValue, introspection);
        const variables = variablesOf(schema, operation, request.variables ?? {});
        assertWithinLimits(schema, document, operation, variables);
        direct.learn(source, document);
      },
    };
  },
});

/** Logs errors, and answers with the status that the gravest of them asks for. */
const answerPlugin: ApolloServerPlugin<RequestContext> = {
  async requestDidStart() {
    return {
      async didEncounterErrors({ errors, contextValue }) {
        for (const error of errors) logError(error, contextValue.log);
      },
      async willSendResponse({ response }) {
        if (response.body.kind !== 'single') return;
        const { singleResult } = response.body;
        if (!singleResult.errors) return;
        const status = statusOf(singleResult.errors.map((error) => error.extensions?.['code'] as ErrorCode));
        if (status === errorStatus.UNAUTHENTICATED) response.http.headers.set('www-authenticate', 'Bearer');
        if (status === errorStatus.UNAVAILABLE)
          response.http.headers.set('retry-after', String(retryAfterSeconds));
        response.http.status = status;
      },
    };
  },
};

function statusOf(codes: readonly ErrorCode[]): number {
  return Math.max(...codes.map((code) => errorStatus[code] ?? 500));
}
