import { AsyncLocalStorage } from 'node:async_hooks';
import type { IncomingMessage } from 'node:http';
import type { ApolloServerPlugin } from '@apollo/server';
import {
  type Context,
  defaultTextMapGetter,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  trace,
} from '@opentelemetry/api';
import { W3CTraceContextPropagator } from '@opentelemetry/core';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { resourceFromAttributes } from '@opentelemetry/resources';
import {
  BasicTracerProvider,
  BatchSpanProcessor,
  ParentBasedSampler,
  TraceIdRatioBasedSampler,
} from '@opentelemetry/sdk-trace-base';
import type { FastifyBaseLogger, FastifyInstance } from 'fastify';
import { defaultFieldResolver, type GraphQLSchema } from 'graphql';
import type { Client } from 'pg';
import { looksSecret } from '../audit/looks-secret.ts';
import type { RequestContext } from '../caller/context.ts';
import * as limits from '../shared/limits.ts';
import type { TracePost } from '../webhook/dispatcher.ts';

/*
 * Traces for an OpenTelemetry collector. This file, and with it the SDK, is loaded only where an endpoint is configured, and
 * everything is hooked in when the server is made: without one there is nothing to ask at run time.
 *
 * In a span stand names that are ours (fields, statements without their values), the operation's name, statuses and ids
 * of endpoints and events. Never variables, headers, documents, messages of errors, or who a call was about (LOG-1).
 */

export interface TracingSettings {
  /** Of the collector, without /v1/traces. */
  endpoint: string;
  /** For the collector; may hold a secret. */
  headers: Record<string, string>;
  serviceName: string;
  /** Of traces that begin here, how many are kept: 0 to 1. Those that a caller began are kept as it says. */
  ratio: number;
}

export interface Tracing {
  /** For routes that are traced: Fastify's logger of a request, whose lines carry the trace's id. */
  childLoggerFactory(
    logger: FastifyBaseLogger,
    bindings: object,
    options: object,
    request: IncomingMessage,
  ): FastifyBaseLogger;
  watchHttp(app: FastifyInstance): void;
  readonly plugin: ApolloServerPlugin<RequestContext>;
  /** Makes each root field's resolver a span; changes the schema. */
  watchFields(schema: GraphQLSchema): GraphQLSchema;
  /** A class of connections whose statements are spans where there is a request that asks them. */
  watchStatements<C extends new (...args: never[]) => Client>(base: C): C;
  readonly tracePost: TracePost;
  stop(): Promise<void>;
}

export function openTracing({ endpoint, headers, serviceName, ratio }: TracingSettings): Tracing {
  const exporter = new OTLPTraceExporter({
    url: `${endpoint.replace(/\/+$/, '')}/v1/traces`,
    headers,
    timeoutMillis: limits.traceExportTimeoutMs,
  });
  const provider = new BasicTracerProvider({
    resource: resourceFromAttributes({ 'service.name': serviceName }),
    sampler: new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(ratio) }),
    spanProcessors: [new BatchSpanProcessor(exporter)],
  });
  const tracer = provider.getTracer('cufflink');
  const propagator = new W3CTraceContextPropagator();
  const active = new AsyncLocalStorage<Span>();
  const requests = new WeakMap<IncomingMessage, Span>();

  const below = (parent: Span | undefined): Context =>
    parent === undefined ? ROOT_CONTEXT : trace.setSpan(ROOT_CONTEXT, parent);
  /** @returns ends the span */
  const phase = (name: string) => {
    const parent = active.getStore();
    const span = parent && tracer.startSpan(name, {}, below(parent));
    return async (error?: unknown) => {
      if (error) failed(span);
      span?.end();
    };
  };

  return {
    childLoggerFactory(logger, bindings, options, request) {
      const caller = propagator.extract(ROOT_CONTEXT, request.headers, defaultTextMapGetter);
      const attributes = { 'http.request.method': request.method ?? '', 'http.route': '/graphql' };
      const span = tracer.startSpan(
        `${request.method} /graphql`,
        { kind: SpanKind.SERVER, attributes },
        caller,
      );
      requests.set(request, span);
      return logger.child({ ...bindings, trace_id: span.spanContext().traceId }, options);
    },

    watchHttp(app) {
      // Not before: the events of a body come from its connection, and belong to no request.
      app.addHook('preHandler', (request, _reply, done) => {
        const span = requests.get(request.raw);
        if (span === undefined) done();
        else active.run(span, done);
      });
      app.addHook('onResponse', async (request, reply) => {
        const span = requests.get(request.raw);
        span?.setAttribute('http.response.status_code', reply.statusCode);
        if (reply.statusCode >= 500) failed(span);
        span?.end();
      });
    },

    plugin: {
      async requestDidStart() {
        return {
          parsingDidStart: async () => phase('graphql.parse'),
          validationDidStart: async () => phase('graphql.validate'),
          async didResolveOperation({ operation, operationName }) {
            const kind = operation?.operation ?? 'query';
            active.getStore()?.setAttribute('graphql.operation.type', kind);
            // The client chose it; nobody keeps it from writing a code there.
            if (!operationName || operationName.length > 100 || looksSecret(operationName)) return;
            active.getStore()?.updateName(`${kind} ${operationName}`);
            active.getStore()?.setAttribute('graphql.operation.name', operationName);
          },
          executionDidStart: async () => ({ executionDidEnd: phase('graphql.execute') }),
        };
      },
    },

    watchFields(schema) {
      for (const type of [schema.getQueryType(), schema.getMutationType()]) {
        for (const field of Object.values(type?.getFields() ?? {})) {
          const resolve = field.resolve ?? defaultFieldResolver;
          const name = `${type?.name}.${field.name}`;
          field.resolve = (...args) => {
            const parent = active.getStore();
            if (parent === undefined) return resolve(...args);
            const span = tracer.startSpan(name, {}, below(parent));
            return ended(span, () => active.run(span, () => resolve(...args)));
          };
        }
      }
      return schema;
    },

    watchStatements(base) {
      // @ts-expect-error a mixin's constructor takes any[]; that of a subclass of Client is what pg calls
      return class extends base {
        // biome-ignore lint/suspicious/noExplicitAny: the overloads are pg's
        override query(...asked: any[]): any {
          const parent = active.getStore();
          const text = typeof asked[0] === 'string' ? asked[0] : asked[0]?.text;
          // What the process asks for itself, several times a second, would be a trace each.
          if (parent === undefined || typeof text !== 'string') return super.query(...(asked as [string]));
          const statement = text.slice(0, limits.traceStatementCharsMax);
          const [verb = ''] = /\w+/.exec(statement) ?? [];
          const attributes = { 'db.system.name': 'postgresql', 'db.query.text': statement };
          const span = tracer.startSpan(verb, { kind: SpanKind.CLIENT, attributes }, below(parent));
          return ended(span, () => super.query(...(asked as [string])));
        }
      };
    },

    async tracePost({ action, endpointId, eventId }, send) {
      const attributes = {
        'cufflink.webhook.action': action,
        'cufflink.webhook.endpoint': endpointId,
        'cufflink.webhook.event': eventId,
      };
      const span = tracer.startSpan('POST webhook', { kind: SpanKind.CLIENT, attributes });
      const carried: Record<string, string> = {};
      propagator.inject(below(span), carried, { set: (carrier, key, value) => (carrier[key] = value) });
      return ended(span, async () => {
        const outcome = await send(carried);
        span.setAttribute('cufflink.webhook.outcome', outcome.kind);
        if ('reason' in outcome) span.setAttribute('error.type', outcome.reason);
        return outcome;
      });
    },

    async stop() {
      // A collector that does not answer loses what is left; the process must end in time.
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, limits.traceStopMs);
      });
      await Promise.race([provider.shutdown().catch(() => {}), late]);
      clearTimeout(timer);
    },
  };
}

/** Ends a span with what it stands for. */
function ended<T>(span: Span, work: () => T): T {
  let result: T;
  try {
    result = work();
  } catch (error) {
    failed(span, error);
    span.end();
    throw error;
  }
  if (result instanceof Promise) {
    result.then(
      () => span.end(),
      (error) => {
        failed(span, error);
        span.end();
      },
    );
  } else span.end();
  return result;
}

/** A code of PostgreSQL's or ours; what a message says may be a caller's. */
function failed(span: Span | undefined, error?: unknown): void {
  span?.setStatus({ code: SpanStatusCode.ERROR });
  const { code, name } = (error ?? {}) as { code?: unknown; name?: unknown };
  const type = code ?? name;
  if (typeof type === 'string') span?.setAttribute('error.type', type);
}
