import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { isObjectType } from 'graphql';
import { type Scope, scopes } from '../../src/caller/caller.ts';
import { createSchema } from '../../src/schema.ts';
import { startTestServer, type TestServer } from '../setup/harness.ts';
import {
  boundaries,
  type GridCaller,
  type Ground,
  inParallel,
  type Kind,
  makeCaller,
  makeGround,
  nameOf,
} from './callers.ts';
import { applicationPaths, type Path, tenantPaths } from './paths.ts';

/*
 * What a caller reads of an application or tenant, whichever way it got there. Of the object that an
 * operation answers: everything. Of what lies beside it: id and displayName, and more with a scope.
 */

let server: TestServer;
let ground: Ground;
beforeAll(async () => {
  server = await startTestServer();
  ground = await makeGround(server);
});
afterAll(() => server.stop());

/** Who reads a field of a neighbouring object. */
type Reader =
  | 'everyone'
  | 'factor reader'
  | 'factor reader over tenants'
  | 'policy reader'
  | 'policy reader or user of the tenant';

interface FieldRule {
  selection: string;
  reader: Reader;
  /** Also closed to whom the object was answered. */
  evenWhenAnswered?: true;
}

const applicationFields: Record<string, FieldRule> = {
  id: { selection: 'id', reader: 'everyone' },
  displayName: { selection: 'displayName', reader: 'everyone' },
  overrideRule: { selection: 'overrideRule', reader: 'policy reader' },
  mfaPolicy: { selection: 'mfaPolicy { version }', reader: 'policy reader' },
  tenants: { selection: 'tenants(first: 2) { totalCount }', reader: 'policy reader' },
  'tenants by override': {
    selection: 'tenants(filter: { overrideEnabled: false }) { totalCount }',
    reader: 'policy reader',
    evenWhenAnswered: true,
  },
  mfaStats: { selection: 'mfaStats { users }', reader: 'factor reader over tenants' },
};

const tenantFields: Record<string, FieldRule> = {
  id: { selection: 'id', reader: 'everyone' },
  displayName: { selection: 'displayName', reader: 'everyone' },
  application: { selection: 'application { id displayName }', reader: 'everyone' },
  mfaPolicyOverride: { selection: 'mfaPolicyOverride { enabled }', reader: 'policy reader' },
  effectivePolicy: { selection: 'effectivePolicy { issuer }', reader: 'policy reader or user of the tenant' },
  users: { selection: 'users(first: 1) { totalCount }', reader: 'factor reader' },
  mfaStats: { selection: 'mfaStats { users }', reader: 'factor reader' },
};

function reads(
  { reader, evenWhenAnswered }: FieldRule,
  { answered }: Path,
  kind: Kind,
  granted: readonly Scope[],
): boolean {
  if (reader === 'factor reader') return granted.includes('auth-factor:read');
  if (reader === 'factor reader over tenants')
    return granted.includes('auth-factor:read') && kind !== 'tenant';
  if (reader === 'everyone' || granted.includes('mfa-policy:read')) return true;
  if (answered && !evenWhenAnswered) return true;
  return reader === 'policy reader or user of the tenant' && kind === 'tenant';
}

/** The sets of scopes that get through a path's operation: just enough, with reading, all but reading, all. */
function scopesThrough({ scope, openToTenants }: Path, kind: Kind): (readonly Scope[])[] {
  const allButReading = scopes.filter((name) => name !== 'mfa-policy:read');
  const enough: readonly Scope[] = scope === undefined || (openToTenants && kind === 'tenant') ? [] : [scope];
  const sets: (readonly Scope[])[] = [enough, [...enough, 'mfa-policy:read'], allButReading, scopes];
  return sets.filter((granted) => enough.every((needed) => granted.includes(needed)));
}

const callersThrough = (path: Path): Promise<GridCaller[]> =>
  Promise.all(
    boundaries
      .filter((kind) => path.kinds.includes(kind))
      .flatMap((kind) =>
        scopesThrough(path, kind).map((granted) => makeCaller(server, ground, kind, granted)),
      ),
  );

async function check(path: Path, fields: Record<string, FieldRule>): Promise<void> {
  const callers = await callersThrough(path);
  expect(callers.length).toBeGreaterThan(0);
  const asked = callers.flatMap((caller) => Object.entries(fields).map((field) => ({ caller, field })));
  await inParallel(asked, async ({ caller, field: [name, rule] }) => {
    const { document, variables } = path.ask(rule.selection, ground);
    const { codes, data } = await caller.ask(document, variables);
    const isAnswered = codes.length === 0 && path.pick(data) != null;
    expect([nameOf(caller), name, codes.length > 0 ? [...new Set(codes)] : isAnswered]).toEqual([
      nameOf(caller),
      name,
      reads(rule, path, caller.kind, caller.scopes) ? true : ['FORBIDDEN'],
    ]);
  });
}

describe('TEN-1: what is read of an object, on every way to it', () => {
  const served = createSchema({ introspection: true });
  test.each([
    ['Application', applicationFields],
    ['Tenant', tenantFields],
  ])('the table has every field of %s', (name, fields) => {
    const type = served.getType(name);
    expect(isObjectType(type) && Object.keys(type.getFields()).sort()).toEqual(
      Object.keys(fields)
        .filter((field) => !field.includes(' '))
        .sort(),
    );
  });

  test.each(applicationPaths.map((path) => [path.name, path] as const))(
    'of an application, through %s',
    async (_name, path) => check(path, applicationFields),
  );

  test.each(tenantPaths.map((path) => [path.name, path] as const))(
    'of a tenant, through %s',
    async (_name, path) => check(path, tenantFields),
  );
});
