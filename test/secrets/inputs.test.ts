import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { type GraphQLFormattedError, getNamedType } from 'graphql';
import { createSchema } from '../../src/schema.ts';
import { isRecord } from '../../src/shared/record.ts';
import { dropDatabases } from '../process/databases.ts';
import type { TestCaller } from '../setup/harness.ts';
import { enrolledUser, signInWorld, startToken } from '../signin/user-agent.ts';
import { startReceiver, stopReceivers } from '../webhook/receiver.ts';
import { createEndpoint, startWebhookServer, type WebhookServer } from '../webhook/webhook-world.ts';
import { type Good, type Leaf, leavesOf, operationWith } from './inputs.ts';
import { found, needlesOf } from './needles.ts';
import { placesOf } from './places.ts';

/*
 * The canary of inputs: a mark of its own in every input of every operation, also of the fields below it, by every kind
 * of caller, one at a time beside values that fit. Then it is looked for everywhere. Where it may be, places.ts says; a
 * new input may be nowhere until it stands there.
 */

const mark = 'CanaryOf7f3a';
const markOf = (n: number): string => `${mark}x${n}x`;
const marks = new RegExp(`${mark}x(\\d+)x`, 'gi');

/** Some of the inputs of fields below an operation. */
const wayside = [
  'tenant.users.filter.state',
  'tenant.users.after',
  'tenant.users.first',
  'application.tenants.filter.search',
  'application.tenants.nodes.users.after',
  'createTenant.tenant.application.tenants.filter.search',
  '_entities.tenants.after',
];

/** Ways that end before the field that takes the input, for every caller. */
const nobodyComesTo = [
  // These are null but in the preview of one tenant.
  'previewApplicationMfaPolicy.before',
  'previewTenantMfaPolicyOverrides.before',
  // A new application has no tenants.
  'createApplication.application.tenants.nodes',
];

const schema = createSchema({ introspection: true });
const leaves = leavesOf(schema);

let server: WebhookServer;
/** What of each input was found where. */
const places = new Map<string, Set<string>>();
/** Inputs whose mark came as far as the field that takes it. */
const read = new Set<string>();
let answersCount = 0;
const codes = new Set<unknown>();
/** Everything that was answered, sent and written. */
const texts: { place: string; text: string }[] = [];

beforeAll(async () => {
  server = await startWebhookServer({ logLevel: 'trace' });
  const receiver = await startReceiver();
  const world = await signInWorld(server);
  const { secret } = await createEndpoint(server, {
    applicationId: world.applicationId,
    url: receiver.url,
  });
  receiver.secret = secret;
  const { endpointId: spareId } = await createEndpoint(server, {
    applicationId: world.applicationId,
    url: 'https://hooks.example.com/spare',
    enabled: false,
  });
  const user = await enrolledUser(server, world);
  const { applicationId, tenantId } = world;
  const callerOf = (sub: string) => server.caller({ applicationId, tenantId, sub, scopes: [] });
  const callers: TestCaller[] = [
    await callerOf(user.id),
    await server.caller(),
    await server.caller({ applicationId }),
    await server.caller({ applicationId, tenantId }),
    server.callerWith(null),
  ];
  const mfaToken = await startToken(world, user.id);
  const idOf: Record<string, string> = {
    application: applicationId,
    updateApplication: applicationId,
    user: user.id,
    updateWebhookEndpoint: spareId,
    rotateWebhookSecret: spareId,
  };
  const known: Record<string, unknown> = {
    applicationId,
    tenantId,
    tenantIds: tenantId,
    ids: tenantId,
    userId: user.id,
    endpointId: spareId,
    mfaToken,
    gracePeriodDays: 7,
    displayName: 'Plain',
    url: 'https://hooks.example.com/plain',
    representations: [
      { __typename: 'Application', id: applicationId },
      { __typename: 'Tenant', id: tenantId },
    ],
  };
  const good: Good = (field, name) => {
    if (name !== 'id') return known[name];
    // What is made gets an id of its own.
    return field.startsWith('create') ? undefined : (idOf[field] ?? tenantId);
  };
  for (const [n, leaf] of leaves.entries()) {
    if (leaf.path.startsWith('deleteAuthFactor.')) {
      // Each time the factor is gone afterwards.
      const { id, factorId } = await enrolledUser(server, world);
      callers[0] = await callerOf(id);
      idOf['deleteAuthFactor'] = factorId;
    }
    for (const caller of callers) {
      const { query, variables } = operationWith(schema, leaf, valueAt(leaf, markOf(n)), good);
      const { data, errors, headers } = await caller.call(query, variables);
      for (const { extensions } of errors) codes.add(extensions?.['code']);
      answersCount += 1;
      if (isRead(leaf, data, errors)) read.add(leaf.path);
      if (data !== null) texts.push({ place: 'answer', text: JSON.stringify(data) });
      texts.push({ place: 'error', text: JSON.stringify([errors, [...headers]]) });
    }
  }
  await server.deliver();
  for (const { headers, body } of receiver.attempts) {
    texts.push({ place: 'webhook', text: JSON.stringify([headers, body]) });
  }
  texts.push({ place: 'log', text: server.logs() });
  texts.push({ place: 'metrics', text: await (await fetch(`${server.url}/metrics`)).text() });
  texts.push(...(await columns()));
  for (const { place, text } of texts) {
    for (const [, n] of text.matchAll(marks)) note(Number(n), place);
  }
}, 360_000);
afterAll(async () => {
  await stopReceivers();
  await server.stop();
  await dropDatabases();
});

/** Whether the field that takes it was answered, or refused its value. */
function isRead({ way }: Leaf, data: unknown, errors: readonly GraphQLFormattedError[]): boolean {
  const names = way.map(({ field }) => field.name).join('.');
  const refused = errors.some(
    ({ path, extensions }) =>
      extensions?.['code'] === 'BAD_USER_INPUT' &&
      path?.filter((step) => typeof step === 'string').join('.') === names,
  );
  return refused || isAnswered(data, way);
}

function isAnswered(value: unknown, way: Leaf['way']): boolean {
  if (Array.isArray(value)) return value.some((one) => isAnswered(one, way));
  const [step, ...rest] = way;
  if (step === undefined) return value !== null && value !== undefined;
  return isRecord(value) && isAnswered(value[step.field.name], rest);
}

function note(n: number, place: string): void {
  const { path = '' } = leaves[n] ?? {};
  places.set(path, (places.get(path) ?? new Set()).add(place));
}

/** In a form that the input takes, where it takes any text. */
function valueAt({ names, type }: Leaf, marked: string): unknown {
  if (names.at(-1) === 'url') return `https://hooks.example.com/${marked}`;
  if (names.at(-1) === 'redirectUrl') return `https://app.test/${marked}`;
  return getNamedType(type).name === '_Any' ? { __typename: 'Tenant', id: marked } : marked;
}

/** All that is in the database, column by column. */
async function columns(): Promise<{ place: string; text: string }[]> {
  const client = await server.database.pool.connect();
  try {
    // As the owner: the server's role does not see everything.
    await client.query('set role none');
    const { rows } = await client.query<{ name: string }>(
      `select relname as name from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p')
       and not relispartition`,
    );
    const cells: { place: string; text: string }[] = [];
    for (const { name } of rows) {
      const read = await client.query<{ key: string; value: string }>(
        `select key, value from ${client.escapeIdentifier(name)} t, jsonb_each_text(to_jsonb(t)) where value is not null`,
      );
      cells.push(...read.rows.map(({ key, value }) => ({ place: `${name}.${key}`, text: value })));
    }
    return cells;
  } finally {
    client.release(true);
  }
}

test('LOG-1: the canary is put into every input of every operation, and some of it arrives', () => {
  expect(leaves.length).toBeGreaterThan(250);
  expect(answersCount).toBe(leaves.length * 5);
  // What is asked is well formed: only values are refused.
  expect([...codes].toSorted()).toEqual(['BAD_USER_INPUT', 'FORBIDDEN', 'UNAUTHENTICATED']);
  const arrived = new Set([...places.values()].flatMap((set) => [...set]));
  for (const place of [
    'answer',
    'webhook',
    'audit_events.detail',
    'tenants.display_name',
    'mfa_steps.account_name',
  ]) {
    expect([...arrived]).toContain(place);
  }
});

test('LOG-1: the fields below an operation are among them, and what takes a text is given it', () => {
  const below = leaves.filter(({ way }) => way.length > 1);
  const takingText = below.filter(({ type }) => ['String', 'ID'].includes(getNamedType(type).name));
  expect(below.map(({ path }) => path)).toEqual(expect.arrayContaining(wayside));
  const unread = takingText.map(({ path }) => path).filter((path) => !read.has(path));
  expect(unread.filter((path) => !nobodyComesTo.some((way) => path.startsWith(`${way}.`)))).toEqual([]);
  // And the exceptions are needed.
  expect(nobodyComesTo.filter((way) => !unread.some((path) => path.startsWith(`${way}.`)))).toEqual([]);
});

test('LOG-1: what is given to an input is nowhere but where it belongs', () => {
  const astray = [...places].flatMap(([path, at]) =>
    [...at].filter((place) => !placesOf(path).includes(place)).map((place) => `${path} is in ${place}`),
  );
  expect(astray).toEqual([]);
});

test('LOG-1: nor in another form: no base 64, base 32 or hexadecimal of it, but in the cursors of pages', () => {
  const needles = needlesOf({ kind: 'text', value: mark }).filter(
    ({ form }) => !['raw', 'JSON', 'URL'].includes(form),
  );
  const leaks = texts.map(({ place, text }) => ({
    place,
    forms: found(needles, text.replace(/"\w*(?:cursor|endCursor)":"[\w=-]*"/gi, '')),
  }));
  expect(leaks.filter(({ forms }) => forms.length > 0)).toEqual([]);
});
