import { describe, expect, test } from '@jest/globals';
import { type GraphQLObjectType, type GraphQLSchema, isObjectType } from 'graphql';
import { Caller, scopes } from '../../src/caller/caller.ts';
import type { RequestContext } from '../../src/caller/context.ts';
import { guarded, type PermissionMap, permissionMap } from '../../src/permissions.ts';
import { createSchema, subgraphSchema } from '../../src/schema.ts';

/*
 * Deny by default. Nothing here reaches a resolver that does anything: what is asked is whether the
 * wall lets the call through.
 */

const served = createSchema({ introspection: true });
const map = permissionMap({ introspection: true });
const rootTypes = ['Query', 'Mutation'];

const objectTypes = Object.values(served.getTypeMap()).filter(
  (type): type is GraphQLObjectType => isObjectType(type) && !type.name.startsWith('__'),
);

/** Someone who may do everything, and whom only the map can stop. Steps are run by an application's caller. */
const root = (field: string): Caller =>
  new Caller(
    'root',
    /^(startMfa|verifyMfa\w+)$/.test(field)
      ? { kind: 'application', applicationId: 'any' }
      : { kind: 'installation' },
    scopes,
  );
const contextOf = (caller: Caller | null): Pick<RequestContext, 'caller' | 'answered' | 'shownByToken'> => ({
  caller,
  answered: new Set(),
  shownByToken: new Set(),
});
/** What the rules look at: calls in a step bring its token. */
const args = { input: { mfaToken: 'any' } };

const reached = Symbol('the resolver was reached');
const open = subgraphSchema();
for (const type of Object.values(open.getTypeMap()).filter(isObjectType)) {
  for (const field of Object.values(type.getFields())) field.resolve = () => reached;
}

/** Whether the wall of a map stops a field before its resolver runs. */
async function isDenied(
  wall: GraphQLSchema,
  type: string,
  field: string,
  caller: Caller | null = root(field),
): Promise<boolean> {
  const { resolve } = (wall.getType(type) as GraphQLObjectType).getFields()[field] ?? {};
  if (resolve === undefined) throw new Error(`${type}.${field} has no resolver.`);
  const answer = await Promise.resolve(resolve({}, args, contextOf(caller), {} as never)).catch(
    () => 'an error',
  );
  return answer !== reached;
}

const whole = guarded(open, map);

const without = (type: string, field?: string): PermissionMap => {
  const { [type]: rules, ...others } = map;
  if (field === undefined || typeof rules !== 'object') return others;
  return { ...others, [type]: Object.fromEntries(Object.entries(rules).filter(([name]) => name !== field)) };
};

/** The entries of the map: a field, or a type as a whole. */
const entries = objectTypes.flatMap(({ name }): [string, string, string | undefined][] =>
  isByField(name)
    ? Object.keys(map[name] ?? {}).map((field) => [`${name}.${field}`, name, field])
    : [[name, name, undefined]],
);

/** A type's rules are a plain object of fields, or one rule for all of them. */
function isByField(type: string): boolean {
  return Object.getPrototypeOf(map[type] ?? {}) === Object.prototype;
}

describe('TEN-1: what the permission map does not name is denied', () => {
  test('every object type that is served is in it', () => {
    expect(objectTypes.map(({ name }) => name).filter((name) => !(name in map))).toEqual([]);
  });

  test('every root field that is served is in it, by name', () => {
    for (const root of rootTypes) {
      const fields = objectTypes.find(({ name }) => name === root)?.getFields() ?? {};
      expect(isByField(root)).toBe(true);
      expect(Object.keys(map[root] ?? {}).sort()).toEqual(Object.keys(fields).sort());
    }
  });

  test('it names nothing that is not served', () => {
    expect(Object.keys(map).filter((name) => !objectTypes.some((type) => type.name === name))).toEqual([]);
    for (const type of objectTypes.filter(({ name }) => isByField(name))) {
      expect(Object.keys(map[type.name] ?? {}).filter((field) => !(field in type.getFields()))).toEqual([]);
    }
  });

  test('an empty one denies every field of every type', async () => {
    const wall = guarded(open, {});
    for (const type of objectTypes) {
      for (const field of Object.keys(type.getFields())) {
        expect([type.name, field, await isDenied(wall, type.name, field)]).toEqual([type.name, field, true]);
      }
    }
  });

  test.each(entries)('without its entry %s, what it names is denied', async (_name, type, field) => {
    const asked = field ?? Object.keys((served.getType(type) as GraphQLObjectType).getFields())[0] ?? '';
    expect(await isDenied(whole, type, asked)).toBe(false);
    expect(await isDenied(guarded(open, without(type, field)), type, asked)).toBe(true);
  });
});

/** The calls that an MFA token authorizes. */
const inStep = [
  'enrollRecoveryCodeAuthFactor',
  'enrollTotpAuthFactor',
  'introspectMfaToken',
  'verifyRecoveryCodeAuthFactorChallenge',
  'verifyTotpAuthFactorChallenge',
];

describe('TEN-1: what the wall of the served map lets through', () => {
  const closed = guarded(open, permissionMap({ introspection: false }));

  /** Root fields whose resolver is reached. */
  async function reachable(caller: Caller | null): Promise<string[]> {
    const fields = rootTypes.flatMap((type) =>
      Object.keys((served.getType(type) as GraphQLObjectType).getFields()).map((field) => [type, field]),
    ) as [string, string][];
    const denied = await Promise.all(fields.map(([type, field]) => isDenied(closed, type, field, caller)));
    return fields.flatMap(([, field], n) => (denied[n] ? [] : [field])).sort();
  }

  test('without a bearer token: the calls of a step, and nothing else', async () => {
    expect(await reachable(null)).toEqual(inStep);
  });

  test.each([[{ kind: 'installation' } as const], [{ kind: 'application', applicationId: 'any' } as const]])(
    'without a scope, of %j: those, the viewer, and _entities, which asks for each by itself',
    async (boundary) => {
      expect(await reachable(new Caller('nobody', boundary, []))).toEqual(
        ['_entities', ...inStep, 'viewer'].sort(),
      );
    },
  );
});
