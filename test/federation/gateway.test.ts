import { setTimeout as sleep } from 'node:timers/promises';
import { composeServices } from '@apollo/composition';
import { ApolloGateway, RemoteGraphQLDataSource } from '@apollo/gateway';
import { ApolloServer } from '@apollo/server';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type GraphQLFormattedError, parse } from 'graphql';
import { startTestServer, type TestServer, uniqueId } from '../setup/harness.ts';
import { makeWorld, type World } from '../setup/world.ts';
import { makeManyTenants } from '../tenancy/many.ts';
import { statementsOf } from '../tenancy/statements.ts';
import {
  type GatewayContext,
  type RunningServer,
  startServer,
  startUsersSubgraph,
  usersSdl,
} from './users-subgraph.ts';

let server: TestServer;
let users: RunningServer;
let gateway: RunningServer;
let world: World;
let foreign: World;

beforeAll(async () => {
  [server, users] = await Promise.all([startTestServer({ policySnapshot: false }), startUsersSubgraph()]);
  [world, foreign] = await Promise.all([
    makeManyTenants(server, {
      tenants: 200,
      displayName: 'Wiki',
      policy: { totpEnabled: true, enrollment: 'REQUIRED' },
    }),
    makeWorld(server),
  ]);
  gateway = await startGateway();
  await calm();
});
afterAll(async () => {
  await gateway.stop();
  await Promise.all([server.stop(), users.stop()]);
});

/** Composing keeps this process busy, so that our server, which runs in it, may shed load for a moment. */
async function calm(): Promise<void> {
  while ((await server.callerWith(null).call('{ __typename }')).status === 503) await sleep(100);
}

/** What we serve as our SDL and the other team's, composed as a release pipeline would. */
async function supergraph(): Promise<string> {
  const { data } = await server
    .callerWith(null)
    .call<{ _service: { sdl: string } }, object>('{ _service { sdl } }');
  const { supergraphSdl, errors } = composeServices([
    { name: 'mfa', url: `${server.url}/graphql`, typeDefs: parse(data._service.sdl) },
    { name: 'users', url: users.url, typeDefs: parse(usersSdl) },
  ]);
  if (supergraphSdl === undefined) throw new Error(`They do not compose: ${errors?.join('; ')}`);
  return supergraphSdl;
}

async function startGateway(): Promise<RunningServer> {
  return startServer(
    new ApolloServer<GatewayContext>({
      gateway: new ApolloGateway({
        supergraphSdl: await supergraph(),
        buildService: ({ url }) => new PassingOn({ url }),
      }),
    }),
  );
}

/** Passes the caller's token on: the subgraph decides, not the gateway. */
class PassingOn extends RemoteGraphQLDataSource<GatewayContext> {
  override willSendRequest({
    request,
    context,
  }: Parameters<NonNullable<RemoteGraphQLDataSource<GatewayContext>['willSendRequest']>>[0]) {
    if (context.authorization) request.http?.headers.set('authorization', context.authorization);
  }
}

interface GatewayAnswer {
  status: number;
  data: { employees?: { tenant: Record<string, unknown> | null }[] | null } & Record<string, unknown>;
  errors: GraphQLFormattedError[];
}

async function ask(token: string | null, query: string, variables: object): Promise<GatewayAnswer> {
  const response = await fetch(gateway.url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...(token && { authorization: `Bearer ${token}` }) },
    body: JSON.stringify({ query, variables }),
  });
  const { data, errors } = (await response.json()) as Partial<GatewayAnswer>;
  return { status: response.status, data: data ?? {}, errors: errors ?? [] };
}

const employees = `query Employees($tenantIds: [ID!]!) {
  employees(tenantIds: $tenantIds) { id tenant { id displayName headcount effectivePolicy { issuer source } } }
}`;

const codesOf = ({ errors }: GatewayAnswer) => new Set(errors.map(({ extensions }) => extensions?.['code']));

describe('behind a gateway', () => {
  test('a tenant that another subgraph names carries its policy', async () => {
    const [id] = world.tenantIds;
    const answer = await ask(await server.token(), employees, { tenantIds: [id] });
    expect(answer.errors).toEqual([]);
    expect(answer.data.employees).toEqual([
      {
        id: `employee-of-${id}`,
        tenant: {
          id,
          displayName: 'Tenant 001',
          headcount: String(id).length,
          effectivePolicy: { issuer: 'Wiki', source: 'APPLICATION' },
        },
      },
    ]);
  });

  test("a query of ours is joined by the other subgraph's fields", async () => {
    const [id] = world.tenantIds;
    const answer = await ask(
      await server.token(),
      'query ($id: ID!) { tenant(id: $id) { displayName headcount } }',
      {
        id,
      },
    );
    expect(answer.data).toEqual({ tenant: { displayName: 'Tenant 001', headcount: String(id).length } });
  });

  test('an application that another subgraph names carries its policy', async () => {
    const answer = await ask(
      await server.token(),
      'query ($id: ID!) { signedUpIn(applicationId: $id) { application { id displayName mfaPolicy { enrollment } } } }',
      { id: world.applicationId },
    );
    expect(answer.data).toEqual({
      signedUpIn: {
        application: { id: world.applicationId, displayName: 'Wiki', mfaPolicy: { enrollment: 'REQUIRED' } },
      },
    });
  });

  test('200 tenants are one call to us, and as many database statements as one tenant', async () => {
    const token = await server.token();
    const calls = () => server.logs().split('request completed').length;
    const cost = async (count: number) => {
      const before = calls();
      const statements = await statementsOf(async () => {
        const { data } = await ask(token, employees, { tenantIds: world.tenantIds.slice(0, count) });
        expect(data.employees?.map(({ tenant }) => tenant?.['displayName'])).toEqual(
          world.tenantIds.slice(0, count).map((_id, n) => `Tenant ${String(n + 1).padStart(3, '0')}`),
        );
      });
      return { calls: calls() - before, statements: statements.length };
    };
    expect([await cost(1), await cost(200)]).toEqual([
      { calls: 1, statements: 1 },
      { calls: 1, statements: 1 },
    ]);
  });

  test('TEN-2: tenants of another application are null, exactly like those that do not exist', async () => {
    const { applicationId } = world;
    const token = await server.token({ applicationId });
    const tenantIds = [foreign.tenantIds[0], world.tenantIds[0], uniqueId('absent')];
    const answer = await ask(token, employees, { tenantIds });
    expect(answer.data.employees?.map(({ tenant }) => tenant?.['displayName'] ?? null)).toEqual([
      null,
      'Tenant 001',
      null,
    ]);
  });

  test('TEN-2: a user sees the effective policy of the own tenant, and nothing of its neighbours', async () => {
    const { applicationId } = world;
    const [tenantId, sibling] = world.tenantIds;
    const token = await server.token({ applicationId, tenantId, scopes: [] });
    const answer = await ask(token, employees, { tenantIds: [tenantId, sibling] });
    expect(answer.data.employees?.map(({ tenant }) => tenant?.['effectivePolicy'] ?? null)).toEqual([
      { issuer: 'Wiki', source: 'APPLICATION' },
      null,
    ]);
  });

  test.each([
    ['no token', async () => null],
    ['a bad token', async () => 'a.b.c'],
  ])('JWT-1: with %s nothing of ours is answered: UNAUTHENTICATED', async (_name, token) => {
    const answer = await ask(await token(), employees, { tenantIds: [world.tenantIds[0]] });
    expect(codesOf(answer)).toEqual(new Set(['UNAUTHENTICATED']));
    expect(answer.data.employees?.[0]?.tenant ?? null).toBeNull();
  });

  test('lacking the scope is told as FORBIDDEN', async () => {
    const token = await server.token({ applicationId: world.applicationId, scopes: ['audit:read'] });
    const answer = await ask(token, employees, { tenantIds: [world.tenantIds[0]] });
    expect(codesOf(answer)).toEqual(new Set(['FORBIDDEN']));
    expect(answer.data.employees?.[0]?.tenant ?? null).toBeNull();
  });
});
