import { setImmediate } from 'node:timers/promises';
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  buildSchema,
  type DocumentNode,
  type ExecutionArgs,
  type ExecutionResult,
  execute,
  type GraphQLSchema,
  parse,
  validate,
} from 'graphql';
import { createExecutor, type Executor } from '../../src/http/executor.ts';
import { subgraphSchema } from '../../src/schema.ts';
import { planFieldsMax, plansMax } from '../../src/shared/limits.ts';
import { randomOf, randomOperation } from '../setup/random-operation.ts';
import { type StubContext, stub } from './stub-resolvers.ts';
import { tortureSchema } from './torture-schema.ts';

type Execute = (args: ExecutionArgs) => ExecutionResult | Promise<ExecutionResult>;

/** graphql-js leaves rejections unhandled where a list fails at once; here, as if somebody handled each. */
async function handlingAll<T>(work: () => Promise<T>): Promise<T> {
  const { then } = Promise.prototype;
  // biome-ignore lint/suspicious/noThenProperty: it is the one that is there
  Promise.prototype.then = function (this: Promise<unknown>, ...args: Parameters<typeof then>) {
    const derived = then.apply(this, args);
    then.call(derived, undefined, () => {});
    return derived;
  } as typeof then;
  try {
    return await work();
  } finally {
    // biome-ignore lint/suspicious/noThenProperty: as it was
    Promise.prototype.then = then;
  }
}

/** What comes out, and what was asked on the way, until nothing moves any more. */
async function outcome(run: Execute, args: ExecutionArgs, context: StubContext) {
  context.calls = [];
  const result = await run({ ...args, contextValue: context });
  await setImmediate();
  const errors = result.errors?.map(({ message, path, locations, extensions, originalError, nodes }) => ({
    message,
    path,
    locations,
    extensions,
    cause: originalError && [originalError.message, [...context.errors.values()].indexOf(originalError)],
    nodes: nodes?.map(({ loc }) => loc?.start),
  }));
  return { data: JSON.stringify(result.data), keys: Object.keys(result), errors, calls: context.calls };
}

/** Variables that select other fields. */
const flipped = (variables: Record<string, unknown>) =>
  Object.fromEntries(
    Object.entries(variables).map(([name, value]) => [name, typeof value === 'boolean' ? !value : value]),
  );

/** @returns how many operations were valid, and how many executions of them had errors */
async function compare(schema: GraphQLSchema, runs: number) {
  const { execute: executeByPlan } = createExecutor(schema);
  const count = { executed: 0, failed: 0 };
  const agreement = fc.asyncProperty(fc.nat({ max: 0x7fffffff }), async (seed) => {
    const { source, variables } = randomOperation(schema, randomOf(seed));
    const document = parse(source);
    if (validate(schema, document).length > 0) return;
    count.executed += 1;
    // The first execution keeps no plan, the second writes it, the others read it.
    for (const dataSeed of [seed, seed + 1, seed]) {
      const context: StubContext = { seed: dataSeed, calls: [], errors: new Map() };
      const args: ExecutionArgs = {
        schema,
        document,
        variableValues: dataSeed === seed ? variables : flipped(variables),
        rootValue: { root: true },
      };
      const expected = await outcome(execute, args, context);
      const actual = await outcome(executeByPlan, args, context);
      if (expected.errors) count.failed += 1;
      // Comparing deeply takes longer than all the rest; it tells what differs.
      if (JSON.stringify(actual) !== JSON.stringify(expected)) expect(actual).toStrictEqual(expected);
    }
  });
  await handlingAll(async () => fc.assert(agreement, { numRuns: runs }));
  return count;
}

test('on a schema where nulls travel far, data, errors and calls are those of graphql-js, in their order', async () => {
  const { executed, failed } = await compare(stub(tortureSchema()), 3_000);
  expect(executed).toBeGreaterThan(2_000);
  expect(failed).toBeGreaterThan(4_000);
}, 120_000);

test('on our schema, whatever resolvers do, data, errors and calls are those of graphql-js, in their order', async () => {
  const { executed, failed } = await compare(stub(subgraphSchema()), 3_600);
  expect(executed).toBeGreaterThan(2_900);
  expect(failed).toBeGreaterThan(4_000);
}, 120_000);

const small = buildSchema(`
  type Query { a: String b: String item: Item }
  type Item { a: String b: String }
  type Mutation { first: Item second: Item third: Item }
`);

const run = (executor: Executor, document: DocumentNode, more: Partial<ExecutionArgs> = {}) =>
  executor.execute({
    schema: small,
    document,
    rootValue: { a: 'a', b: 'b', item: { a: 'A', b: 'B' } },
    ...more,
  });

test('the fields of a mutation run one after the other, in the order written', async () => {
  const calls: string[] = [];
  const slow = (name: string) => async () => {
    calls.push(`${name} begins`);
    await setImmediate();
    calls.push(`${name} ends`);
    return { a: () => setImmediate(calls.push(`${name} answers`)).then(() => name) };
  };
  const rootValue = { first: slow('first'), second: slow('second'), third: slow('third') };
  const document = parse('mutation { third { a } first { a } again: first { a } second { a } }');
  const executor = createExecutor(small);
  for (let round = 0; round < 3; round += 1) {
    calls.length = 0;
    await run(executor, document, { rootValue });
    expect(calls).toEqual(
      ['third', 'first', 'first', 'second'].flatMap((name) => [
        `${name} begins`,
        `${name} ends`,
        `${name} answers`,
      ]),
    );
  }
});

test('an operation that comes once leaves no plan', () => {
  const executor = createExecutor(small);
  for (let index = 0; index < 2 * plansMax; index += 1) run(executor, parse(`{ x${index}: a }`));
  expect(executor.planned).toEqual([]);
});

test('no more plans are kept than may be, and those used last stay', () => {
  const executor = createExecutor(small);
  const first = parse('{ first: a }');
  run(executor, first);
  run(executor, first);
  for (let index = 0; index < 2 * plansMax; index += 1) {
    const document = parse(`{ x${index}: a }`);
    run(executor, document);
    run(executor, document);
    if (index % 10 === 0) run(executor, first);
    expect(executor.planned).toContain(first.definitions[0]);
    expect(executor.planned.length).toBeLessThanOrEqual(plansMax);
  }
  expect(executor.planned.length).toBe(plansMax);
  expect(run(executor, first)).toEqual({ data: { first: 'a' } });
});

test('a plan of more fields than may be is not kept', () => {
  const executor = createExecutor(small);
  const fields = Array.from({ length: planFieldsMax + 1 }, (_, index) => `x${index}: a`);
  const document = parse(`{ ${fields.join(' ')} }`);
  for (let round = 0; round < 4; round += 1) run(executor, document);
  expect(executor.planned).toEqual([]);
});

test('operations of one document do not mix, whichever is named', () => {
  const executor = createExecutor(small);
  const document = parse(`
    query A { item { ...F } }
    query B($with: Boolean!) { item { ...F @include(if: $with) b } }
    fragment F on Item { a }
  `);
  for (let round = 0; round < 3; round += 1) {
    const b = (wanted: boolean) => ({ operationName: 'B', variableValues: { with: wanted } });
    expect(run(executor, document, { operationName: 'A' })).toEqual({ data: { item: { a: 'A' } } });
    expect(run(executor, document, b(true))).toEqual({ data: { item: { a: 'A', b: 'B' } } });
    expect(run(executor, document, b(false))).toEqual({ data: { item: { b: 'B' } } });
    expect(run(executor, document)).toEqual(execute({ schema: small, document }));
    expect(run(executor, document, { operationName: 'C' })).toEqual(
      execute({ schema: small, document, operationName: 'C' }),
    );
  }
});

test('a list that fails at once leaves no promise unhandled', async () => {
  const schema = buildSchema('type Query { items: [Item!] } type Item { a: String! }');
  const late = { a: () => Promise.reject(new Error('late')) };
  const executor = createExecutor(schema);
  const result = await executor.execute({
    document: parse('{ items { a } }'),
    rootValue: { items: [late, null, late] },
  });
  // What is unhandled fails the test that runs then.
  await setImmediate();
  expect(result.data).toEqual({ items: null });
});
