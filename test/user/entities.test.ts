import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { print } from 'graphql';
import { KnownUserDocument, type KnownUserQuery } from '../generated/documents.ts';
import { startTestServer, type TestCaller, type TestServer, uniqueId } from '../setup/harness.ts';
import { asked, codesOf, enrolled, makePeople, neverSeen, type People } from './people.ts';

/* A user as other subgraphs name it: by tenant and id, or by id alone. */

let server: TestServer;
let people: People;
let { world, foreign, first, second, ann, twin, stray } = {} as People;
beforeAll(async () => {
  server = await startTestServer();
  people = await makePeople(server);
  ({ world, foreign, first, second, ann, twin, stray } = people);
});
afterAll(() => server.stop());

/** _entities is no part of the committed SDL, so the document is text; its fragment is that of `user`. */
const document = `query ($of: [_Any!]!) { _entities(representations: $of) { ...KnownUserFields } }
  ${print(KnownUserDocument).replace(/^query.*?(?=fragment)/s, '')}`;

type Representation = { id: string; tenantId?: unknown };

const ask = (caller: TestCaller, ...users: Representation[]) =>
  caller.call<{ _entities: KnownUserQuery['user'][] }, object>(document, {
    of: users.map((user) => ({ __typename: 'User', ...user })),
  });

async function entitiesOf(caller: TestCaller, ...users: Representation[]) {
  const { data, errors } = await ask(caller, ...users);
  expect(errors).toEqual([]);
  return data._entities;
}

describe('_entities of User', () => {
  test('by id and tenant, and by id alone, answer what user answers, in the order asked', async () => {
    const unseen = uniqueId('user');
    const users = await entitiesOf(
      people.ofApplication,
      { id: unseen, tenantId: second },
      { id: ann },
      { id: twin, tenantId: second },
      { id: ann, tenantId: first },
      { id: stray },
    );
    expect(users).toMatchObject([
      neverSeen(unseen, second),
      enrolled(ann, first),
      asked(twin, second),
      enrolled(ann, first),
      asked(stray, first),
    ]);
  });

  test('TEN-3: an id that more than one tenant has does not say the tenant: no tenantId, no mfa', async () => {
    const ambiguous = { id: twin, tenantId: null, mfa: null };
    expect(await entitiesOf(people.ofApplication, { id: twin })).toEqual([ambiguous]);
    expect(await entitiesOf(people.ofInstallation, { id: twin, tenantId: null })).toEqual([ambiguous]);
    expect(await entitiesOf(people.ofFirst, { id: twin })).toEqual([enrolled(twin, first)]);
  });

  test('who was never seen is null by id alone, and answered from the policy with the tenant', async () => {
    const id = uniqueId('user');
    expect(await entitiesOf(people.ofApplication, { id }, { id, tenantId: first })).toEqual([
      null,
      neverSeen(id, first),
    ]);
    expect(await entitiesOf(people.ofSecond, { id })).toEqual([neverSeen(id, second)]);
  });

  test('TEN-2: in a foreign tenant, an absent one, and one that is no id are null alike', async () => {
    const absent = foreign.tenantId.replace(/.{8}$/, '________');
    for (const tenantId of [foreign.tenantId, absent, '', 7, true, {}, ['x'], { id: first }]) {
      expect(await entitiesOf(people.ofApplication, { id: stray, tenantId })).toEqual([null]);
    }
    expect(await entitiesOf(people.ofFirst, { id: twin, tenantId: second })).toEqual([null]);
  });

  test('a user reads itself without a scope; of others beside it, each is FORBIDDEN by itself', async () => {
    const { data, errors } = await ask(
      await people.self(ann),
      { id: twin },
      { id: ann },
      { id: ann, tenantId: first },
      { id: ann, tenantId: second },
    );
    expect(data._entities).toEqual([null, enrolled(ann, first), enrolled(ann, first), null]);
    expect(codesOf(errors)).toEqual([
      ['_entities.0', 'FORBIDDEN'],
      ['_entities.3', 'FORBIDDEN'],
    ]);
  });

  test('without a bearer token are UNAUTHENTICATED', async () => {
    const { status, data, errors } = await ask(world.browser, { id: ann, tenantId: first });
    expect([status, data, codesOf(errors)]).toEqual([401, null, [['_entities', 'UNAUTHENTICATED']]]);
  });
});
