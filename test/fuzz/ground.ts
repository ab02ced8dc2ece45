import { type Scope, scopes } from '../../src/caller/caller.ts';
import {
  CreateWebhookEndpointDocument,
  ExemptUserDocument,
  RenameTenantDocument,
} from '../generated/documents.ts';
import type { ProductionServer } from '../process/production.ts';
import {
  callGraphQl,
  type TestCaller,
  TestClock,
  type TestServer,
  type TokenOptions,
  uniqueId,
} from '../setup/harness.ts';
import {
  type EnrolledUser,
  enrolledUser,
  type SignInWorld,
  signInWorld,
  startToken,
} from '../signin/user-agent.ts';

/*
 * What random calls meet: an application, its tenants and users, and a foreign one of which nothing may be seen.
 */

/** In all that is written in the foreign application, and in nothing that is sent by anybody later. */
const foreignMark = 'Foreign7f3a';

export interface FuzzCaller {
  name: string;
  token: string | null;
  /** Whether what is the foreign application's may be answered. */
  seesForeign: boolean;
}

export interface FuzzGround {
  callers: FuzzCaller[];
  /** Values that mean something, by the name of the argument or field that takes them. */
  known: Record<string, unknown[]>;
  /** The code of now, of somebody who has one. */
  codeSecrets: string[];
  /** What no caller may read who does not see the foreign application; in small letters. */
  hidden: string[];
  /** Takes from an answer what may be asked about next. */
  learn(caller: FuzzCaller, text: string): void;
}

/** The server's clock is the real one: users enroll without moving it. */
class RealClock extends TestClock {
  override advance(): void {}
}

/** A production server as the helpers of other tests call it. */
function asTestServer(server: ProductionServer): TestServer {
  const token = ({ sub = 'tester', scopes: granted = scopes, applicationId, tenantId }: TokenOptions = {}) =>
    server.token({
      sub,
      scope: granted.join(' '),
      ...(applicationId !== undefined && { application_id: applicationId }),
      ...(tenantId !== undefined && { tenant_id: tenantId }),
    });
  const callerWith = (bearer: string | null): TestCaller => ({
    token: bearer,
    call: (document, variables) => callGraphQl(server.url, bearer, document, variables),
  });
  return {
    url: server.url,
    clock: new RealClock(),
    token,
    callerWith,
    caller: async (options) => callerWith(await token(options)),
    logs: server.output,
    stop: server.stop,
    get database(): never {
      throw new Error('The database of a production server is its own.');
    },
  };
}

/** A user that is known in both applications, by the same id. */
const sharedUser = 'shared';

export async function makeFuzzGround(production: ProductionServer): Promise<FuzzGround> {
  const server = asTestServer(production);
  const own = await signInWorld(server, { tenants: 2, displayName: 'Own application' });
  const foreign = await signInWorld(server, { tenants: 1, displayName: `${foreignMark} application` });
  const ours = [await enrolledUser(server, own, sharedUser), await enrolledUser(server, own)];
  const theirs = await enrolledUser(server, foreign, sharedUser);
  await markForeign(foreign);
  const ownEndpoint = await endpointOf(own, 'https://hooks.example.com/own');
  const foreignEndpoint = await endpointOf(foreign, `https://${foreignMark}.example.com/`);
  const users = [...ours.map(({ id }) => id), uniqueId('user')];
  const ownTokens = [
    ...(await Promise.all(users.map((id) => startToken(own, id)))),
    ...(await Promise.all(users.map((id) => startToken(own, id)))),
  ];
  const foreignToken = await startToken(foreign, sharedUser);
  const ground: FuzzGround = {
    callers: await callersOf(server, own, foreign),
    known: knownOf(own, foreign, [...ours, theirs], users, [ownEndpoint, foreignEndpoint], ownTokens),
    codeSecrets: ours.map(({ secret }) => secret),
    hidden: [foreignMark, theirs.secret, theirs.recoveryCode ?? foreignMark, foreignToken].map((text) =>
      text.toLowerCase(),
    ),
    learn(caller, text) {
      if (caller.seesForeign) return;
      for (const [, mfaToken, place] of text.matchAll(/"mfaToken":"([\w-]{43}\.([\w-]+)\.[\w-]{22})"/g)) {
        if (Buffer.from(place ?? '', 'base64url').toString() === own.tenantId) {
          remember(ground.known['mfaToken'], mfaToken);
        }
      }
      for (const [, name = '', value] of text.matchAll(
        /"(recoveryCode|endCursor|secret|id)":"([^"\\]{1,200})"/g,
      )) {
        if (name === 'secret') remember(ground.codeSecrets, value);
        else remember(ground.known[name === 'endCursor' ? 'after' : name], value);
      }
    },
  };
  return ground;
}

/** So many values of one kind are remembered; then new ones take the place of old ones. */
const rememberedMax = 30;

function remember<T>(values: T[] | undefined, value: T | undefined): void {
  if (values === undefined || value === undefined || values.includes(value)) return;
  if (values.length < rememberedMax) values.push(value);
  else values[Math.floor(rememberedMax * Math.random())] = value;
}

async function markForeign({ admin, tenantId }: SignInWorld): Promise<void> {
  await admin.call(RenameTenantDocument, {
    input: { id: tenantId, displayName: `${foreignMark} tenant` },
  });
  await admin.call(ExemptUserDocument, {
    input: {
      tenantId,
      userId: sharedUser,
      until: new Date(Date.now() + 86_400_000).toISOString(),
      reason: `${foreignMark} reason`,
    },
  });
}

async function endpointOf({ admin, applicationId }: SignInWorld, url: string): Promise<string> {
  const { data } = await admin.call(CreateWebhookEndpointDocument, { input: { applicationId, url } });
  const made = data.createWebhookEndpoint;
  if (made.__typename !== 'WebhookSecretPayload') throw new Error(`No endpoint: ${JSON.stringify(made)}`);
  return made.endpoint.id;
}

async function callersOf(server: TestServer, own: SignInWorld, foreign: SignInWorld): Promise<FuzzCaller[]> {
  const caller = async (name: string, options: TokenOptions, seesForeign = false): Promise<FuzzCaller> => ({
    name,
    token: await server.token(options),
    seesForeign,
  });
  const everything: readonly string[] = [...scopes, 'schema:read'];
  const { applicationId, tenantId } = own;
  return [
    { name: 'nobody', token: null, seesForeign: false },
    { name: 'nonsense', token: 'x.y.z', seesForeign: false },
    await caller('installation', { scopes: everything }, true),
    await caller('application', { applicationId, scopes: everything }),
    await caller('application', { applicationId, scopes: everything }),
    await caller('sign-in service', { applicationId, scopes: ['mfa-workflow:execute'] }),
    await caller('tenant', { applicationId, tenantId, scopes: everything }),
    await caller('user', { applicationId, tenantId, sub: sharedUser, scopes: [] }),
    await caller('new user', { applicationId, tenantId, sub: uniqueId('user'), scopes: [] }),
    await caller('foreign application', { applicationId: foreign.applicationId, scopes: everything }, true),
    await caller('foreign user', { ...foreign, sub: sharedUser, scopes: [] }, true),
    ...(await Promise.all(
      scopes.map((scope: Scope) => caller(`only ${scope}`, { applicationId, scopes: [scope] })),
    )),
  ];
}

function knownOf(
  own: SignInWorld,
  foreign: SignInWorld,
  enrolled: EnrolledUser[],
  users: string[],
  endpoints: string[],
  mfaToken: string[],
): Record<string, unknown[]> {
  const applications = [own.applicationId, own.applicationId, foreign.applicationId];
  const tenants = [...own.tenantIds, own.tenantId, foreign.tenantId];
  const factors = enrolled.map(({ factorId }) => factorId);
  return {
    mfaToken,
    applicationId: applications,
    tenantId: tenants,
    ids: tenants,
    tenantIds: tenants,
    userId: users,
    id: [...applications, ...tenants, ...users, ...factors, ...endpoints],
    endpointId: endpoints,
    recoveryCode: enrolled.slice(0, -1).map(({ recoveryCode }) => recoveryCode),
    after: ['x', Buffer.from('["a","b"]').toString('base64url'), ''],
    first: [1, 2, 20, 100, 0, 101, -1],
    action: ['mfa_policy.updated', 'access.denied'],
    actions: ['mfa_policy.updated', 'tenant.created'],
    url: ['https://hooks.example.com/a', 'http://10.0.0.1/', 'https://[::1]/'],
    redirectUrl: ['https://app.test/back', 'javascript:alert(1)'],
    displayName: ['Acme', 'Łódź', 'Two: words'],
    issuer: ['Acme', null, ' '],
    gracePeriodDays: [0, 7, 365, 366],
    expectedVersion: [0, 1, 2, 3],
    idempotencyKey: ['key 1', 'key 2', 'key 3'],
    reason: ['lost phone'],
    search: ['a', '%', 'own'],
    accountName: ['someone@example.com'],
  };
}
