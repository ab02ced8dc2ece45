import * as z from 'zod';
import {
  commaSeparated,
  connectOrigin,
  encryptionKeyCommand,
  encryptionKeys,
  isEvidentlyNotRandom,
  isInsecure,
  origin,
  otlpHeaders,
  text,
  toggle,
  url,
  wholeNumber,
} from './env-values.ts';
import { assertionKeys, type P256PrivateJwk, type P256PublicJwk } from './shared/assertion-keys.ts';

/*
 * process.env -> typed Env, once. Every problem is reported together and no value is ever printed.
 */

export interface Env {
  mode: 'production' | 'development' | 'test';
  production: boolean;
  port: number;
  host: string;
  databaseUrl?: string;
  /** Past the pooler that databaseUrl leads through. */
  databaseDirectUrl?: string;
  databaseReplicaUrls: string[];
  /** Whose bearer tokens are accepted; undefined: the development key. */
  jwt?: { issuer: string; audience: string; jwksUrl: string };
  claims: { application: string; tenant: string; scope: string };
  /** Where people sign in to the console; undefined: they bring a token. */
  oidc?: { authority: string; clientId: string; scope: string };
  /** Origins beside the authority's own that the console asks there, such as that of its token endpoint. */
  oidcConnectOrigins: string[];
  /** The first seals, all open. */
  encryptionKeys?: EncryptionKey[];
  /** Private P-256 JWK that signs assertions. */
  assertionKey?: P256PrivateJwk;
  /** Keys that are published beside it while it is replaced. */
  publishedAssertionKeys: P256PublicJwk[];
  publicUrl?: string;
  redirectOrigins: string[];
  corsOrigins: string[];
  introspection: boolean;
  /** Whether policies are remembered between requests. */
  policySnapshot: boolean;
  /** Whether hot statements are kept prepared. */
  preparedStatements: boolean;
  logLevel: string;
  migrate: boolean;
  clockOffsetSeconds: number;
  /** Where traces go; undefined: nothing is traced. */
  tracing?: { endpoint: string; headers: Record<string, string>; serviceName: string; ratio: number };
}

interface EncryptionKey {
  id: string;
  key: Buffer;
}

/** Settings are missing or weak; `problems` has a line for each. */
export class EnvError extends Error {
  override name = 'EnvError';
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(`The settings can't be used:\n${problems.map((problem) => `  - ${problem}`).join('\n')}`);
    this.problems = problems;
  }
}

const shape = z.object({
  // A misspelt "production" must not start a development server, and an empty one must not undo what an image says.
  NODE_ENV: z
    .enum(['production', 'development', 'test'], {
      error: 'must be production, development or test; left out, not empty, it is development',
    })
    .default('development'),
  PORT: wholeNumber(/^\d{1,5}$/, 'must be a port number: 0 to 65535')
    .refine((port) => port <= 65_535, { error: 'must be a port number: 0 to 65535' })
    .default(4000),
  HOST: text.default('127.0.0.1'),
  DATABASE_URL: url('postgres:', 'postgresql:').optional(),
  DATABASE_DIRECT_URL: url('postgres:', 'postgresql:').optional(),
  DATABASE_REPLICA_URLS: commaSeparated(url('postgres:', 'postgresql:')).default([]),
  JWT_ISSUER: text.optional(),
  JWT_AUDIENCE: text.optional(),
  JWT_JWKS_URL: url('http:', 'https:').optional(),
  JWT_CLAIM_APPLICATION: text.default('application_id'),
  JWT_CLAIM_TENANT: text.default('tenant_id'),
  JWT_CLAIM_SCOPE: text.default('scope'),
  OIDC_CLIENT_ID: text.optional(),
  OIDC_AUTHORITY: url('http:', 'https:').optional(),
  OIDC_SCOPE: text.default('openid'),
  OIDC_CONNECT_ORIGINS: commaSeparated(connectOrigin).default([]),
  ENCRYPTION_KEYS: encryptionKeys.optional(),
  ASSERTION_KEY: assertionKeys.optional(),
  PUBLIC_URL: url('http:', 'https:').optional(),
  REDIRECT_ORIGINS: commaSeparated(origin).default([]),
  CORS_ORIGINS: commaSeparated(origin).default([]),
  INTROSPECTION: toggle.optional(),
  POLICY_SNAPSHOT: toggle.default(true),
  PREPARED_STATEMENTS: toggle.optional(),
  LOG_LEVEL: z
    .enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'], {
      error: 'must be fatal, error, warn, info, debug, trace or silent',
    })
    .default('info'),
  MIGRATE: toggle.default(false),
  OTEL_EXPORTER_OTLP_ENDPOINT: url('http:', 'https:').optional(),
  OTEL_EXPORTER_OTLP_HEADERS: otlpHeaders.default({}),
  OTEL_SERVICE_NAME: text.default('cufflink'),
  OTEL_TRACES_SAMPLER_ARG: z
    .string()
    .regex(/^(0|1|0?\.\d{1,9}|1\.0)$/, { error: 'must be a part of 1: 0 to 1' })
    .transform(Number)
    .default(1),
  CLOCK_OFFSET_SECONDS: wholeNumber(/^-?\d{1,10}$/, 'must be a whole number of seconds').default(0),
});
type Settings = z.infer<typeof shape>;

/** Every variable that is read; a test holds them against .env.example. */
export const settingNames = Object.keys(shape.shape) as SettingName[];

export type SettingName = keyof Settings;

const requiredInProduction = [
  'DATABASE_URL',
  'JWT_ISSUER',
  'JWT_AUDIENCE',
  'JWT_JWKS_URL',
  'ENCRYPTION_KEYS',
  'ASSERTION_KEY',
  'PUBLIC_URL',
] as const satisfies readonly SettingName[];

/**
 * Reads the settings; an empty value counts as not given, but for NODE_ENV, which must not be empty.
 * @throws EnvError naming every problem at once
 */
export function readEnv(variables: Record<string, string | undefined> = process.env): Env {
  return readSomeEnv(settingNames, variables);
}

/** Reads these settings only, for commands; of what production asks of a server, only these are asked. */
export function readSomeEnv(
  names: readonly SettingName[],
  variables: Record<string, string | undefined> = process.env,
): Env {
  const given = Object.fromEntries(
    names.map((name) => [name, name === 'NODE_ENV' ? variables[name] : variables[name] || undefined]),
  );
  const production = given['NODE_ENV'] === 'production';
  const parsed = shape.safeParse(given);
  const problems = [
    ...(parsed.error?.issues ?? []).map((issue) => `${String(issue.path[0])} ${issue.message}.`),
    ...(production ? productionProblems(names, given) : []),
    ...partialJwtProblems(given, production),
    ...oidcProblems(given),
  ];
  if (!parsed.success || problems.length > 0) throw new EnvError([...new Set(problems)]);
  return toEnv(parsed.data);
}

function toEnv(settings: Settings): Env {
  const production = settings.NODE_ENV === 'production';
  const { JWT_ISSUER: issuer, JWT_AUDIENCE: audience, JWT_JWKS_URL: jwksUrl } = settings;
  return {
    mode: settings.NODE_ENV,
    production,
    port: settings.PORT,
    host: settings.HOST,
    databaseUrl: settings.DATABASE_URL,
    databaseDirectUrl: settings.DATABASE_DIRECT_URL,
    databaseReplicaUrls: settings.DATABASE_REPLICA_URLS,
    jwt: issuer && audience && jwksUrl ? { issuer, audience, jwksUrl } : undefined,
    claims: {
      application: settings.JWT_CLAIM_APPLICATION,
      tenant: settings.JWT_CLAIM_TENANT,
      scope: settings.JWT_CLAIM_SCOPE,
    },
    oidc: oidcOf(settings),
    oidcConnectOrigins: settings.OIDC_CONNECT_ORIGINS,
    encryptionKeys: settings.ENCRYPTION_KEYS,
    assertionKey: settings.ASSERTION_KEY?.signing,
    publishedAssertionKeys: settings.ASSERTION_KEY?.published ?? [],
    publicUrl: settings.PUBLIC_URL?.replace(/\/+$/, ''),
    redirectOrigins: settings.REDIRECT_ORIGINS,
    corsOrigins: settings.CORS_ORIGINS,
    introspection: settings.INTROSPECTION ?? !production,
    policySnapshot: settings.POLICY_SNAPSHOT,
    // PgBouncer keeps them from 1.21 on only.
    preparedStatements: settings.PREPARED_STATEMENTS ?? settings.DATABASE_DIRECT_URL === undefined,
    logLevel: settings.LOG_LEVEL,
    migrate: settings.MIGRATE,
    clockOffsetSeconds: settings.CLOCK_OFFSET_SECONDS,
    tracing:
      settings.OTEL_EXPORTER_OTLP_ENDPOINT === undefined
        ? undefined
        : {
            endpoint: settings.OTEL_EXPORTER_OTLP_ENDPOINT,
            headers: settings.OTEL_EXPORTER_OTLP_HEADERS,
            serviceName: settings.OTEL_SERVICE_NAME,
            ratio: settings.OTEL_TRACES_SAMPLER_ARG,
          },
  };
}

/** Who issues the tokens is where people sign in, unless told otherwise. */
function oidcOf(settings: Settings): Env['oidc'] {
  const { OIDC_CLIENT_ID: clientId, OIDC_SCOPE: scope } = settings;
  const authority = settings.OIDC_AUTHORITY ?? settings.JWT_ISSUER;
  return clientId && authority ? { authority, clientId, scope } : undefined;
}

function productionProblems(
  names: readonly SettingName[],
  given: Record<string, string | undefined>,
): string[] {
  return [
    ...requiredInProduction
      .filter((name) => names.includes(name) && given[name] === undefined)
      .map((name) => `${name} is required in production.`),
    ...(['PUBLIC_URL', 'JWT_JWKS_URL', 'OIDC_AUTHORITY'] as const)
      .filter((name) => isInsecure(given[name]))
      .map((name) => `${name} must be https in production (http only for loopback).`),
    ...(encryptionKeys.safeParse(given['ENCRYPTION_KEYS']).data ?? [])
      .filter(({ key }) => isEvidentlyNotRandom(key))
      .map(
        ({ id }) =>
          `ENCRYPTION_KEYS must be random in production, and the key ${id} evidently is not; make one with: ${encryptionKeyCommand}.`,
      ),
    ...(Number(given['CLOCK_OFFSET_SECONDS'] ?? 0) === 0
      ? []
      : ['CLOCK_OFFSET_SECONDS is for tests; production refuses it.']),
  ];
}

/** Half an issuer is none: the development key must not stand in for the rest unnoticed. */
function partialJwtProblems(given: Record<string, string | undefined>, production: boolean): string[] {
  const names = ['JWT_ISSUER', 'JWT_AUDIENCE', 'JWT_JWKS_URL'] as const;
  const missing = names.filter((name) => given[name] === undefined);
  if (production || missing.length === 0 || missing.length === names.length) return [];
  return missing.map((name) => `${name} is required where another JWT_ setting names the issuer.`);
}

/** Its tokens must be those that are accepted, and its address one that a browser can go to. */
function oidcProblems(given: Record<string, string | undefined>): string[] {
  if (given['OIDC_CLIENT_ID'] === undefined) return [];
  const { JWT_ISSUER: issuer, OIDC_AUTHORITY: authority } = given;
  if (issuer === undefined) return ['JWT_ISSUER is required where OIDC_CLIENT_ID is given.'];
  const isAddress = /^https?:$/.test(URL.parse(authority ?? issuer)?.protocol ?? '');
  return authority !== undefined || isAddress
    ? []
    : ['OIDC_AUTHORITY is required where OIDC_CLIENT_ID is given and JWT_ISSUER is no address.'];
}
