import { type Scope, scopes } from '../../src/caller/caller.ts';
import type { TestServer, TokenOptions } from '../setup/harness.ts';
import { makeWorld } from '../setup/world.ts';
import { createEndpoint } from '../webhook/webhook-world.ts';

/** How far a caller reaches; `none` brings no token. */
export type Kind = 'none' | 'installation' | 'application' | 'tenant';
export const boundaries = ['installation', 'application', 'tenant'] as const;

/** Every set of scopes that tells something: none, each by itself, all. */
export const scopeSets: readonly (readonly Scope[])[] = [[], ...scopes.map((scope) => [scope]), scopes];

/** Where the thing asked for stands, seen from the caller's own tenant. */
export type Place = 'own' | 'sibling' | 'foreign' | 'absent';

/** A tenant, its application, and an endpoint of that. */
export interface Target {
  applicationId: string;
  tenantId: string;
  endpointId: string;
}

/** Two applications: the callers' own, with two tenants, and a foreign one. */
export interface Ground {
  own: Target;
  sibling: Target;
  foreign: Target;
  /** Nothing has these ids, which are as long as the foreign ones. */
  absent: Target;
  /** A part of the display names of both applications, and of no other. */
  search: string;
  /** The subject of all callers. */
  subject: string;
}

/** Known in every tenant of the ground. */
export const knownUser = 'known';

export async function makeGround(server: TestServer): Promise<Ground> {
  const search = `ground ${crypto.randomUUID()}`;
  const [own, foreign] = await Promise.all([
    makeWorld(server, { tenants: 2, displayName: `${search} own`, policy: { totpEnabled: true } }),
    makeWorld(server, { tenants: 1, displayName: `${search} foreign`, policy: { totpEnabled: true } }),
  ]);
  await server.database.pool.query(
    'insert into users (tenant_id, id, created_at) select id, $2, now() from unnest($1::text[]) as id',
    [[...own.tenantIds, ...foreign.tenantIds], knownUser],
  );
  const admin = await server.caller();
  const endpointOf = async ({ applicationId }: { applicationId: string }) =>
    (await createEndpoint({ admin }, { applicationId, url: 'https://hooks.example.com/' })).endpointId;
  const [ownEndpoint, foreignEndpoint] = [await endpointOf(own), await endpointOf(foreign)];
  const target = (applicationId: string, n: number, endpointId: string): Target => ({
    applicationId,
    tenantId: `${applicationId}.t${n}`,
    endpointId,
  });
  return {
    own: target(own.applicationId, 1, ownEndpoint),
    sibling: target(own.applicationId, 2, ownEndpoint),
    foreign: target(foreign.applicationId, 1, foreignEndpoint),
    absent: target(foreign.applicationId.replace(/.{8}$/, '________'), 1, crypto.randomUUID()),
    search,
    subject: `caller ${crypto.randomUUID()}`,
  };
}

/** The claims of a caller of a kind, bound to its own application and tenant. */
function claimsOf(kind: Kind, { own, subject }: Ground, granted: readonly Scope[]): TokenOptions {
  return {
    sub: subject,
    scopes: granted,
    ...(kind === 'application' && { applicationId: own.applicationId }),
    ...(kind === 'tenant' && { applicationId: own.applicationId, tenantId: own.tenantId }),
  };
}

export interface GridAnswer {
  status: number;
  data: Record<string, unknown> | null;
  codes: unknown[];
  /** Status, headers and body as they came, save for what tells requests apart. */
  bytes: string;
}

export interface GridCaller {
  kind: Kind;
  scopes: readonly Scope[];
  ask(document: string, variables?: object): Promise<GridAnswer>;
}

export async function makeCaller(
  server: TestServer,
  ground: Ground,
  kind: Kind,
  granted: readonly Scope[],
): Promise<GridCaller> {
  const token = kind === 'none' ? null : await server.token(claimsOf(kind, ground, granted));
  const headers = { 'content-type': 'application/json', ...(token && { authorization: `Bearer ${token}` }) };
  return {
    kind,
    scopes: granted,
    async ask(query, variables) {
      const response = await fetch(`${server.url}/graphql`, {
        method: 'POST',
        headers,
        body: JSON.stringify({ query, variables }),
      });
      const body = await response.text();
      const { data, errors } = JSON.parse(body) as {
        data?: GridAnswer['data'];
        errors?: { extensions: { code: string } }[];
      };
      const passing = ['date', 'x-request-id'];
      const shown = [...response.headers].filter(([name]) => !passing.includes(name));
      return {
        status: response.status,
        data: data ?? null,
        codes: (errors ?? []).map(({ extensions }) => extensions.code),
        bytes: JSON.stringify([response.status, shown, body]),
      };
    },
  };
}

/** No token; and every boundary with every set of scopes. */
export const everyCaller = (server: TestServer, ground: Ground): Promise<GridCaller[]> =>
  Promise.all([
    makeCaller(server, ground, 'none', []),
    ...boundaries.flatMap((kind) => scopeSets.map((granted) => makeCaller(server, ground, kind, granted))),
  ]);

export const nameOf = ({ kind, scopes: granted }: GridCaller): string =>
  kind === 'none' ? 'no token' : `${kind} [${granted.length === scopes.length ? 'all' : granted.join(' ')}]`;

/** Asks many things, some at a time. */
export async function inParallel<T>(things: readonly T[], ask: (thing: T) => Promise<void>): Promise<void> {
  const waiting = things.values();
  const worker = async () => {
    for (const thing of waiting) await ask(thing);
  };
  await Promise.all(Array.from({ length: 8 }, worker));
}
