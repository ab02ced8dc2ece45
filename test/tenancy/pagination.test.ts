import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { encodeCursor } from '../../src/shared/connection.ts';
import { nameKey } from '../../src/shared/text.ts';
import {
  CreateTenantDocument,
  ListApplicationsDocument,
  ListTenantsDocument,
  RemoveTenantDocument,
  RenameTenantDocument,
} from '../generated/documents.ts';
import { startTestServer, type TestCaller, type TestServer, uniqueId } from '../setup/harness.ts';
import { makeWorld } from '../setup/world.ts';

let server: TestServer;
let admin: TestCaller;
beforeAll(async () => {
  server = await startTestServer();
  admin = await server.caller();
});
afterAll(() => server.stop());

interface Named {
  id: string;
  displayName: string;
}
interface Page {
  nodes: Named[];
  totalCount: number;
  pageInfo: { hasNextPage: boolean; endCursor: string | null };
}
type Read = (first: number, after: string | null) => Promise<Page>;

const tenantsOf =
  (applicationId: string): Read =>
  async (first, after) => {
    const { data, errors } = await admin.call(ListTenantsDocument, { applicationId, first, after });
    expect(errors).toEqual([]);
    if (data.application === null) throw new Error('There is no such application.');
    return data.application.tenants;
  };

const applicationsNamed =
  (search: string): Read =>
  async (first, after) =>
    (await admin.call(ListApplicationsDocument, { search, first, after })).data.applications;

/** Reads a list to its end, page by page. */
async function pagesOf(read: Read, first: number): Promise<Page[]> {
  const pages: Page[] = [];
  let after: string | null = null;
  do {
    const page: Page = await read(first, after);
    pages.push(page);
    after = page.pageInfo.endCursor;
    if (!page.pageInfo.hasNextPage) return pages;
  } while (after !== null);
  throw new Error('A page says that another follows, and not where.');
}

const idsOf = (pages: readonly Page[]) => pages.flatMap(({ nodes }) => nodes.map(({ id }) => id));

async function addTenant(applicationId: string, displayName: string): Promise<Named> {
  const id = uniqueId('t');
  await admin.call(CreateTenantDocument, { input: { id, applicationId, displayName } });
  return { id, displayName };
}

/** By name in any case, then by id, both byte by byte. */
const inOrder = (things: readonly Named[]): string[] =>
  [...things]
    .sort(
      (a, b) =>
        Buffer.compare(Buffer.from(nameKey(a.displayName)), Buffer.from(nameKey(b.displayName))) ||
        Buffer.compare(Buffer.from(a.id), Buffer.from(b.id)),
    )
    .map(({ id }) => id);

describe('pages', () => {
  const names = ['b', 'B', 'a', 'ä', 'a\u0308', 'Z', 'z', '10', '9', '🔐', '\uffee', '_', '%', 'aa', 'a a'];
  let applicationId: string;
  let whole: string[];
  beforeAll(async () => {
    applicationId = (await makeWorld(server, { tenants: 0 })).applicationId;
    const tenants: Named[] = [];
    for (const name of [...names, ...names, ...names]) tenants.push(await addTenant(applicationId, name));
    whole = inOrder(tenants);
  });

  test('of any size, put together, are the whole list in order', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 100 }), async (first) => {
        const pages = await pagesOf(tenantsOf(applicationId), first);
        expect(idsOf(pages)).toEqual(whole);
        expect(pages.map(({ nodes }) => nodes.length).slice(0, -1)).toEqual(
          Array.from({ length: pages.length - 1 }, () => first),
        );
        expect(pages.map(({ totalCount }) => totalCount)).toEqual(pages.map(() => whole.length));
      }),
      { numRuns: 10, examples: [[1], [whole.length - 1], [whole.length], [whole.length + 1]] },
    );
  });

  test('may begin behind any entry', async () => {
    const { data } = await admin.call(ListTenantsDocument, { applicationId, first: 100 });
    const edges = data.application?.tenants.edges ?? [];
    expect(edges.map(({ node }) => node.id)).toEqual(whole);
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: whole.length - 1 }), async (n) => {
        const page = await tenantsOf(applicationId)(100, edges[n]?.cursor ?? null);
        expect(idsOf([page])).toEqual(whole.slice(n + 1));
      }),
      { numRuns: 10 },
    );
  });

  test('of things with equal names have each of them once', async () => {
    const world = await makeWorld(server, { tenants: 0 });
    const twins: Named[] = [];
    for (let n = 0; n < 7; n += 1) twins.push(await addTenant(world.applicationId, 'Twin'));
    for (const first of [1, 2, 3, 6, 7]) {
      expect(idsOf(await pagesOf(tenantsOf(world.applicationId), first))).toEqual(inOrder(twins));
    }
  });

  test('of applications, put together, are the whole list', async () => {
    const displayName = uniqueId('paged');
    const worlds = await Promise.all(
      Array.from({ length: 5 }, () => makeWorld(server, { tenants: 0, displayName })),
    );
    const expected = inOrder(worlds.map(({ applicationId: id }) => ({ id, displayName })));
    for (const first of [1, 2, 4, 5, 100]) {
      expect(idsOf(await pagesOf(applicationsNamed(displayName), first))).toEqual(expected);
    }
  });

  test('of an empty list are one, with nothing behind it', async () => {
    const world = await makeWorld(server, { tenants: 0 });
    expect(await tenantsOf(world.applicationId)(1, null)).toMatchObject({
      nodes: [],
      totalCount: 0,
      pageInfo: { hasNextPage: false, endCursor: null },
    });
  });
});

describe('while rows come, go and are renamed between pages', () => {
  test('whatever stays is listed once, in order; what comes ahead is listed, behind is not', async () => {
    const { applicationId } = await makeWorld(server, { tenants: 0 });
    const made: Record<string, string> = {};
    for (const name of ['b', 'd', 'f', 'h', 'j', 'l', 'n', 'p']) {
      made[name] = (await addTenant(applicationId, name)).id;
    }
    const read = tenantsOf(applicationId);
    const rename = async (name: string, displayName: string) =>
      admin.call(RenameTenantDocument, { input: { id: made[name] ?? '', displayName } });
    const namesOf = ({ nodes }: Page) => nodes.map(({ displayName }) => displayName);

    const first = await read(2, null);
    expect(namesOf(first)).toEqual(['b', 'd']);
    // The row that the cursor was made of goes away; rows come on either side of it.
    await admin.call(RemoveTenantDocument, { id: made['d'] ?? '' });
    await addTenant(applicationId, 'a');
    await addTenant(applicationId, 'e');
    const second = await read(2, first.pageInfo.endCursor);
    expect(namesOf(second)).toEqual(['e', 'f']);
    // The row of the cursor moves to the end, one ahead moves behind, one ahead goes away.
    await rename('f', 'z');
    await rename('l', 'c');
    await admin.call(RemoveTenantDocument, { id: made['h'] ?? '' });
    const third = await read(2, second.pageInfo.endCursor);
    expect(namesOf(third)).toEqual(['j', 'n']);
    const last = await read(100, third.pageInfo.endCursor);
    expect(namesOf(last)).toEqual(['p', 'z']);
    expect(last.pageInfo.hasNextPage).toBe(false);
  });

  test('every untouched row is listed exactly once, whatever happens to the others', async () => {
    const { applicationId } = await makeWorld(server, { tenants: 0 });
    const letters = [...'abcdefghijkl'];
    const kept: Named[] = [];
    for (const letter of letters) kept.push(await addTenant(applicationId, `${letter} kept`));
    let moving: Named[] = [];
    const act = fc.record({
      letter: fc.constantFrom(...letters),
      what: fc.constantFrom('add', 'rename', 'delete'),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 4 }),
        fc.array(act, { maxLength: 8 }),
        async (size, plan) => {
          const acts = plan.values();
          const read: Read = async (first, after) => {
            const page = await tenantsOf(applicationId)(first, after);
            const { value } = acts.next();
            if (value) await carryOut(value.what, `${value.letter} moving`);
            return page;
          };
          const untouched = new Set(kept.map(({ id }) => id));
          const listed = idsOf(await pagesOf(read, size)).filter((id) => untouched.has(id));
          expect(listed).toEqual(kept.map(({ id }) => id));
        },
      ),
      { numRuns: 8 },
    );

    async function carryOut(what: string, displayName: string): Promise<void> {
      const [some] = moving;
      if (what === 'add' || some === undefined) {
        moving = [...moving, await addTenant(applicationId, displayName)];
      } else if (what === 'rename') {
        await admin.call(RenameTenantDocument, { input: { id: some.id, displayName } });
      } else {
        await admin.call(RemoveTenantDocument, { id: some.id });
        moving = moving.slice(1);
      }
    }
  });
});

describe('what is no page', () => {
  test.each([0, -1, 101, 1000])('first: %d is BAD_USER_INPUT', async (first) => {
    const { status, errors } = await admin.call(ListApplicationsDocument, { first });
    expect([status, errors.map(({ extensions }) => extensions?.['code'])]).toEqual([400, ['BAD_USER_INPUT']]);
  });

  test.each<[string, string]>([
    ['empty', ''],
    ['no base64', '!'],
    ['no JSON', Buffer.from('x').toString('base64url')],
    ['no list', Buffer.from('{}').toString('base64url')],
    ['too short a key', encodeCursor(['a'])],
    ['too long a key', encodeCursor(['a', 'b', 'c'])],
    ['a key of numbers', Buffer.from('[1,2]').toString('base64url')],
    ['a key with U+0000', encodeCursor(['a\u0000', 'b'])],
  ])('a cursor that is %s is BAD_USER_INPUT', async (_name, after) => {
    const { status, errors } = await admin.call(ListApplicationsDocument, { after });
    expect([status, errors.map(({ extensions }) => extensions?.['code'])]).toEqual([400, ['BAD_USER_INPUT']]);
  });

  test('a cursor with half a surrogate pair is a position like another', async () => {
    const after = Buffer.from('["\\ud800","\\ud800"]').toString('base64url');
    expect((await admin.call(ListApplicationsDocument, { after })).status).toBe(200);
  });
});
