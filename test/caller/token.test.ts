import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { decodeJwt } from 'jose';
import { createAuthenticate } from '../../src/caller/bearer.ts';
import { scopes } from '../../src/caller/caller.ts';
import { type DevelopmentIssuer, developmentIssuer } from '../../src/caller/development-issuer.ts';
import { localKeys } from '../../src/caller/jwks.ts';
import { developmentRoles } from '../../src/caller/roles.ts';
import { ensureSeed, readBearerKey } from '../../src/development.ts';
import { systemClock } from '../../src/shared/clock.ts';
import {
  UpdateApplicationMfaPolicyDocument,
  UpdateTenantMfaPolicyDocument,
  WhoAmIDocument,
} from '../generated/documents.ts';
import { type Answer, startTestServer, type TestCaller, type TestServer } from '../setup/harness.ts';
import { makeWorld, type World } from '../setup/world.ts';

/* npm run token, as a process of its own in a folder of its own; its tokens, at a server of that folder. */

const command = fileURLToPath(new URL('../../dist/src/commands/token.js', import.meta.url));
const places = { application: 'harbor', tenant: 'cedar', user: 'ada' };
const names = { application: 'application_id', tenant: 'tenant_id', scope: 'scope' };

let folder: string;
let server: TestServer;
let world: World;
let development: DevelopmentIssuer;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cufflink-token-'));
  const clock = systemClock();
  await ensureSeed(join(folder, '.cufflink'));
  const key = await readBearerKey(join(folder, '.cufflink'));
  if (key === null) throw new Error('The seed was made just now.');
  development = await developmentIssuer(key, clock, names);
  const settings = {
    claimApplication: names.application,
    claimTenant: names.tenant,
    claimScope: names.scope,
  };
  server = await startTestServer({
    authenticate: createAuthenticate({ ...development, ...settings }, localKeys(development.keys), clock),
  });
  const plain = await startTestServer();
  world = await makeWorld(plain, { tenants: 2, policy: { totpEnabled: true } });
  await plain.stop();
});
afterAll(async () => {
  await server.stop();
  await rm(folder, { recursive: true, force: true });
});

async function run(args: readonly string[], env: Record<string, string> = {}, cwd = folder) {
  const child = spawn(process.execPath, [command, ...args], { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
  const [out, error, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'close'),
  ]);
  return { code: code as number, out, error };
}

async function mint(args: readonly string[], env: Record<string, string> = {}): Promise<string> {
  const { code, out, error } = await run(args, env);
  expect({ code, error }).toEqual({ code: 0, error: '' });
  expect(out).toMatch(/^[\w-]+\.[\w-]+\.[\w-]+\n$/);
  return out.trim();
}

describe('the command', () => {
  test('--help names every role, every scope and every option', async () => {
    const { code, out, error } = await run(['--help']);
    expect({ code, error }).toEqual({ code: 0, error: '' });
    for (const [name, { description }] of Object.entries(developmentRoles(places))) {
      expect(out).toMatch(new RegExp(`^ +${name} +${description}$`, 'm'));
    }
    for (const scope of scopes) expect(out).toContain(scope);
    for (const option of ['subject', 'application', 'tenant', 'scope', 'hours', 'help']) {
      expect(out).toContain(`--${option} `);
    }
  });

  test('prints a token of a role, and nothing else', async () => {
    const claims = decodeJwt(await mint(['tenant-admin']));
    expect(claims).toMatchObject({
      iss: 'urn:cufflink:development',
      aud: 'cufflink',
      sub: 'dev-tenant-admin',
      application_id: 'harbor',
      tenant_id: 'cedar',
    });
    expect((claims.exp ?? 0) - (claims.iat ?? 0)).toBe(24 * 3600);
  });

  test('prints a token of claims of your own, that the server takes', async () => {
    const token = await mint([
      ...['--subject', 'someone', '--application', world.applicationId, '--tenant', `${world.tenantIds[0]}`],
      ...['--scope', 'audit:read mfa-policy:read', '--hours', '0.5'],
    ]);
    const { exp = 0, iat = 0 } = decodeJwt(token);
    expect(exp - iat).toBe(1800);
    const { data } = await server.callerWith(token).call(WhoAmIDocument);
    expect(data.viewer).toEqual({
      subject: 'someone',
      scopes: ['audit:read', 'mfa-policy:read'],
      application: { id: world.applicationId },
      tenant: { id: world.tenantIds[0] },
    });
  });

  test('writes options over the claims of a role', async () => {
    const claims = decodeJwt(
      await mint(['admin', '--application', 'lantern', '--scope', '', '--subject', 'me']),
    );
    expect(claims).toMatchObject({ sub: 'me', scope: '', application_id: 'lantern' });
    expect(claims).not.toHaveProperty('tenant_id');
  });

  test('follows the claim names and the clock of the settings', async () => {
    const env = { JWT_CLAIM_APPLICATION: 'app', JWT_CLAIM_TENANT: 'org', JWT_CLAIM_SCOPE: 'permissions' };
    const claims = decodeJwt(await mint(['user'], { ...env, CLOCK_OFFSET_SECONDS: '86400' }));
    expect(claims).toMatchObject({ app: 'harbor', org: 'cedar', permissions: '' });
    expect((claims.iat ?? 0) * 1000 - Date.now()).toBeGreaterThan(86_300_000);
  });

  test('works though production settings are missing: it is for development', async () => {
    await mint(['user'], { NODE_ENV: 'production' });
  });
});

describe('a mistake', () => {
  test.each<[string[], string]>([
    [['nobody'], 'There is no role "nobody".'],
    [['constructor'], 'There is no role "constructor".'],
    [['admin', 'user'], 'Give one ROLE, or none.'],
    [[], 'Give a ROLE or --subject.'],
    [['--subject', ' '], '--subject must not be blank.'],
    [['admin', '--application', ''], '--application must not be blank.'],
    [['user', '--tenant', ''], '--tenant must not be blank.'],
    [['--subject', 'me', '--tenant', 'cedar'], '--tenant needs --application.'],
    [
      ['user', '--application', 'lantern'],
      'The role user is bound to a tenant: give --tenant with --application.',
    ],
    [['admin', '--hours', '0'], '--hours must be more than 0 and at most 24.'],
    [['admin', '--hours', '24.1'], '--hours must be more than 0 and at most 24.'],
    [['admin', '--hours', 'long'], '--hours must be more than 0 and at most 24.'],
    [['admin', '--nonsense'], "Unknown option '--nonsense'"],
    [['admin', '--scope'], "Option '--scope <value>' argument missing"],
  ])('in %j is told in a sentence, with exit code 1', async (args, sentence) => {
    const { code, out, error } = await run(args);
    expect({ code, out }).toEqual({ code: 1, out: '' });
    expect(error).toMatch(/^[^\n]+ \(npm run -s token -- --help\)\n$/);
    expect(error).toContain(sentence);
  });

  test.each<[Record<string, string>, string]>([
    [{ JWT_ISSUER: 'https://idp.test' }, 'JWT_AUDIENCE is required'],
    [{ CLOCK_OFFSET_SECONDS: 'soon' }, 'CLOCK_OFFSET_SECONDS must be a whole number of seconds.'],
    [
      { JWT_ISSUER: 'a', JWT_AUDIENCE: 'b', JWT_JWKS_URL: 'https://idp.test/jwks' },
      'The JWT_ settings name an issuer: the server takes its tokens, and no others.',
    ],
    [
      { DATABASE_URL: 'postgres://db.test/x' },
      'With DATABASE_URL the development key lives inside the server',
    ],
  ])('in the settings %j is told, with exit code 1', async (env, sentence) => {
    const { code, out, error } = await run(['admin'], env);
    expect({ code, out }).toEqual({ code: 1, out: '' });
    expect(error).toContain(sentence);
    expect(error).not.toMatch(/^ +at /m);
  });

  test('of the folder: without a key it says how to get one, and makes nothing', async () => {
    const empty = await mkdtemp(join(folder, 'empty-'));
    const { code, out, error } = await run(['admin'], {}, empty);
    expect({ code, out }).toEqual({ code: 1, out: '' });
    expect(error).toMatch(/^There is no development key yet: start the server once with npm start\./);
    expect(await readdir(empty)).toEqual([]);
  });

  test.each(['{"d":"canary"', 'canary', '{"kty":"EC","crv":"P-256","d":"canary"}', ''])(
    'LOG-1: of the folder: a broken key %j is told without a piece of it',
    async (content) => {
      const broken = await mkdtemp(join(folder, 'broken-'));
      await mkdir(join(broken, '.cufflink'));
      await writeFile(join(broken, '.cufflink', 'seed'), content);
      const { code, out, error } = await run(['admin'], {}, broken);
      expect({ code, out }).toEqual({ code: 1, out: '' });
      expect(error).toMatch(/^The key in \.cufflink\/ can't be read: delete it and restart the server\./);
      expect(error).not.toContain('canary');
    },
  );
});

describe('a role', () => {
  /** A caller with the role, bound to this test's application and tenant where the role is bound. */
  async function callerOf(role: string): Promise<TestCaller> {
    const claims = developmentRoles({
      application: world.applicationId,
      tenant: `${world.tenantIds[0]}`,
      user: 'ada',
    })[role]?.claims;
    if (claims === undefined) throw new Error(`There is no role ${role}.`);
    return server.callerWith(await development.mint(claims));
  }

  /** How a call with one root field is answered. */
  function outcome({ errors, data }: Answer<unknown>): unknown {
    if (errors[0]) return errors[0].extensions?.['code'];
    const [result] = Object.values(data as Record<string, { __typename?: string } | null>);
    return result == null || result.__typename === 'NotFound' ? 'absent' : 'ok';
  }

  async function outcomes(role: string) {
    const caller = await callerOf(role);
    const { applicationId, tenantIds } = world;
    const [own = '', other = ''] = tenantIds;
    const policy = { totpEnabled: true };
    return {
      read: outcome(
        await caller.call('query ($id: ID!) { tenant(id: $id) { effectivePolicy { source } } }', { id: own }),
      ),
      readOther: outcome(
        await caller.call('query ($id: ID!) { tenant(id: $id) { effectivePolicy { source } } }', {
          id: other,
        }),
      ),
      override: outcome(
        await caller.call(UpdateTenantMfaPolicyDocument, { input: { tenantId: own, policy } }),
      ),
      application: outcome(
        await caller.call(UpdateApplicationMfaPolicyDocument, { input: { applicationId, policy } }),
      ),
      rename: outcome(
        await caller.call(
          'mutation ($id: ID!) { updateTenant(input: { id: $id, displayName: "New" }) { __typename } }',
          { id: own },
        ),
      ),
    };
  }

  const may = (...[read, readOther, override, application, rename]: string[]) => ({
    read,
    readOther,
    override,
    application,
    rename,
  });

  test.each([
    ['installation', may('ok', 'ok', 'ok', 'ok', 'ok')],
    ['admin', may('ok', 'ok', 'ok', 'ok', 'ok')],
    ['tenant-admin', may('ok', 'absent', 'ok', 'absent', 'FORBIDDEN')],
    ['frontend', may('ok', 'ok', 'FORBIDDEN', 'FORBIDDEN', 'FORBIDDEN')],
    ['sign-in', may('FORBIDDEN', 'FORBIDDEN', 'FORBIDDEN', 'FORBIDDEN', 'FORBIDDEN')],
    ['support', may('FORBIDDEN', 'FORBIDDEN', 'FORBIDDEN', 'FORBIDDEN', 'FORBIDDEN')],
    ['auditor', may('FORBIDDEN', 'FORBIDDEN', 'FORBIDDEN', 'FORBIDDEN', 'FORBIDDEN')],
    ['user', may('ok', 'absent', 'FORBIDDEN', 'FORBIDDEN', 'FORBIDDEN')],
  ])('%s may do with policies what its description says', async (role, expected) => {
    expect(await outcomes(role)).toEqual(expected);
  });

  test('is in the list above, whichever there is; each scope is in one of them', () => {
    const roles = developmentRoles(places);
    expect(Object.keys(roles).toSorted()).toEqual(
      [
        'admin',
        'auditor',
        'frontend',
        'installation',
        'sign-in',
        'support',
        'tenant-admin',
        'user',
      ].toSorted(),
    );
    const granted = Object.values(roles).flatMap(({ claims }) => claims.scope.split(' '));
    expect(new Set(granted.filter((scope) => scope !== ''))).toEqual(new Set(scopes));
  });
});
