import { setImmediate as nextTurn } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from '@jest/globals';
import { buildSchema, type DocumentNode } from 'graphql';
import type { RequestContext } from '../../src/caller/context.ts';
import { createApollo } from '../../src/http/apollo.ts';
import { createDirect } from '../../src/http/direct.ts';
import { createExecutor } from '../../src/http/executor.ts';
import { plansMax } from '../../src/shared/limits.ts';

setFlagsFromString('--expose-gc');
const collectGarbage: () => void = runInNewContext('gc');

test('documents that come once do not pile up', async () => {
  const schema = buildSchema('type Query { a: String }');
  const executor = createExecutor(schema);
  const seen: WeakRef<DocumentNode>[] = [];
  const apollo = createApollo({
    schema,
    executor,
    direct: createDirect({ schema, executor }),
    introspection: true,
    watching: {
      requestDidStart: async () => ({
        didResolveOperation: async ({ document }) => void seen.push(new WeakRef(document)),
      }),
    },
  });
  const contextValue = { call: {}, beginOperation: () => {} } as unknown as RequestContext;
  for (let n = 0; n < 5 * plansMax; n += 1) {
    const { body } = await apollo.executeOperation({ query: `query Once${n} { a }` }, { contextValue });
    expect(body).toMatchObject({ singleResult: { data: { a: null } } });
  }
  // A weak reference that was just made or read holds what it refers to until the turn ends.
  await nextTurn();
  collectGarbage();
  const held = seen.filter((document) => document.deref() !== undefined);
  expect(seen).toHaveLength(5 * plansMax);
  expect(held.length).toBeLessThanOrEqual(2 * plansMax);
});
