import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { Kind, parse } from 'graphql';
import { createSchema } from '../../src/schema.ts';
import { uncleanIn } from '../http/canary.ts';
import { codesOf, post, type Reply } from '../http/send.ts';
import { dropDatabases } from '../process/databases.ts';
import { type ProductionServer, startProduction } from '../process/production.ts';
import { cleanUp } from '../process/servers.ts';
import { type Random, randomOperation } from '../setup/random-operation.ts';
import { type FuzzCaller, type FuzzGround, makeFuzzGround } from './ground.ts';
import { scalarOf } from './scalars.ts';

/*
 * Random operations over the whole schema, by random callers, on a server in production mode: a short form in
 * `npm test`, the long one by `npm run test:fuzz`. FUZZ_SEED repeats a run.
 */

const isLong = process.env['FUZZ'] === 'long';
const operations = isLong ? 20_000 : 1_500;
const seed = Number(process.env['FUZZ_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
/** So many meet the same ground; then a new one, since they delete and change what is there. */
const perGround = 500;
/** Calls that are under way at once. */
const atOnce = 4;
/** No operation takes longer, on a machine that does nothing else meanwhile: so it is asked again before it is blamed. */
const slowMs = 1_000;
/** To make a counterexample short may take so long in all. */
const shrinking = { interruptAfterTimeLimit: 180_000, markInterruptAsFailure: true };
const msMax = isLong ? 3_600_000 : 240_000;
const retries = 4;
/** Of the process, whatever was asked before. */
const residentMbMax = 700;

let server: ProductionServer;
beforeAll(async () => {
  server = await startProduction({ LOG_LEVEL: 'warn' });
}, 120_000);
afterAll(async () => {
  await server.stop();
  await cleanUp();
  await dropDatabases();
});

const schema = createSchema({ introspection: true });

/** Numbers that are read from a list; behind its end there are zeros, which make the plainest of operations. */
function randomOfTape(tape: readonly number[]): Random {
  let next = 0;
  return (below) => (tape[next++] ?? 0) % below;
}

/** Shrinks to short operations, since each number decides one thing. */
const tapes = fc.array(fc.nat({ max: 0xffff }), { minLength: 10, maxLength: 400, size: 'max' });

const seen = {
  statuses: new Map<number, number>(),
  codes: new Map<unknown, number>(),
  fields: new Set<string>(),
  slowestMs: 0,
  repeated: 0,
};
const count = <Key>(of: Map<Key, number>, key: Key) => of.set(key, (of.get(key) ?? 0) + 1);

async function call(ground: FuzzGround, caller: FuzzCaller, tape: readonly number[]): Promise<void> {
  const random = randomOfTape(tape);
  const { source, variables } = randomOperation(schema, random, scalarOf(ground));
  const operationName = random(20) === 1 ? 'Other' : undefined;
  const headers: Record<string, string> = caller.token ? { authorization: `Bearer ${caller.token}` } : {};
  const body = { query: source, variables, operationName };
  let reply = await post(server, body, headers);
  // What the machine did meanwhile is not the server's doing.
  for (let n = 0; n < retries && (reply.status === 503 || reply.milliseconds > slowMs); n += 1) {
    seen.repeated += 1;
    // How late the event loop is, the server measures once a second.
    await sleep(1_100);
    reply = await post(server, body, headers);
  }
  const faults = faultsOf(ground, caller, source, reply);
  if (faults.length > 0) {
    throw new Error(
      `${faults.join(', ')}\n${JSON.stringify(body)}\n${reply.status} ${reply.text.slice(0, 2_000)}`,
    );
  }
  ground.learn(caller, reply.text);
  count(seen.statuses, reply.status);
  for (const code of codesOf(reply)) count(seen.codes, code);
  seen.slowestMs = Math.max(seen.slowestMs, reply.milliseconds);
  for (const name of answered(source, reply)) seen.fields.add(name);
}

/** What must not be in an answer. */
function faultsOf({ hidden }: FuzzGround, caller: FuzzCaller, source: string, reply: Reply): string[] {
  const small = reply.text.toLowerCase();
  // The schema speaks of what it is made with.
  const tellsSchema = /_service|__schema|__type\b/.test(source);
  return [
    ...(reply.status >= 500 ? [`HTTP ${reply.status}`] : []),
    ...(reply.milliseconds > slowMs ? [`${Math.round(reply.milliseconds)} ms`] : []),
    ...(tellsSchema ? [] : uncleanIn(reply)),
    ...(caller.seesForeign
      ? []
      : hidden.filter((text) => small.includes(text)).map((text) => `tells ${text}`)),
  ];
}

/** Fields of the root that were answered with something. */
function answered(source: string, { data }: Reply): string[] {
  if (data === null) return [];
  const [operation] = parse(source).definitions;
  if (operation?.kind !== Kind.OPERATION_DEFINITION) return [];
  return operation.selectionSet.selections
    .filter((selection) => selection.kind === Kind.FIELD)
    .filter(({ name, alias }) => (data as Record<string, unknown>)[(alias ?? name).value] != null)
    .map(({ name }) => name.value);
}

/** Megabytes that the server's process has in memory, by its own metrics. */
async function residentMb(): Promise<number> {
  const text = await (await fetch(`${server.url}/metrics`)).text();
  return Number(/^process_resident_memory_bytes (\S+)/m.exec(text)?.[1]) / 2 ** 20;
}

test(
  `GQL-3: ${operations.toLocaleString('en')} random operations: no 500, nothing of others, nothing of ours, none slow`,
  async () => {
    for (let done = 0; done < operations; done += perGround) {
      const ground = await makeFuzzGround(server);
      const property = fc.asyncProperty(fc.constantFrom(...ground.callers), tapes, (caller, tape) =>
        call(ground, caller, tape),
      );
      await Promise.all(
        Array.from({ length: atOnce }, (_, n) =>
          fc.assert(property, { numRuns: perGround / atOnce, seed: seed + done + n, ...shrinking }),
        ),
      );
      if (isLong) {
        const so = JSON.stringify(told());
        process.stderr.write(`${done + perGround} operations, seed ${seed}: ${so}
`);
      }
    }
    expect(await residentMb()).toBeLessThan(residentMbMax);
    expect((await fetch(`${server.url}/health/ready`)).status).toBe(200);
    expect(server.output()).not.toMatch(/unexpected error|unhandled|heap out of memory/i);
    expect({ seed, fields: unasked() }).toEqual({ seed, fields: isLong ? [] : expect.anything() });
  },
  msMax,
);

/** Fields of the root that no operation got an answer of. */
const unasked = (): string[] =>
  [schema.getQueryType(), schema.getMutationType()]
    .flatMap((type) => Object.keys(type?.getFields() ?? {}))
    .filter((name) => !seen.fields.has(name));

const told = () => ({
  statuses: Object.fromEntries(seen.statuses),
  codes: Object.fromEntries(seen.codes as Map<string, number>),
  rootFieldsAnswered: seen.fields.size,
  slowestMs: Math.round(seen.slowestMs),
  repeated: seen.repeated,
});
