import { isDeepStrictEqual } from 'node:util';

/* What is asked of each contestant, in its own words, and how its answer is told in those of the contract. */

const fields = 'totpEnabled recoveryCodesEnabled enrollment gracePeriodDays issuer source version';

const contract = {
  one: {
    query: `query ($id: ID!) { effectivePolicy(tenantId: $id) { ${fields} } }`,
    answerOf: ({ effectivePolicy }) => effectivePolicy,
  },
  many: {
    query: `query ($ids: [ID!]!) { tenants(ids: $ids) { id effectivePolicy { ${fields} } } }`,
    answerOf: ({ tenants }) => tenants,
  },
};

/** PostGraphile names things after the view, and the rows come in PostgreSQL's order. */
const postgraphile = {
  one: {
    query: `query ($id: String!) { effectivePolicyByTenantId(tenantId: $id) { ${fields} } }`,
    answerOf: ({ effectivePolicyByTenantId }) => effectivePolicyByTenantId,
  },
  many: {
    query: `query ($ids: [String!]!) { effectivePoliciesOfList(ids: $ids) { tenantId ${fields} } }`,
    answerOf: ({ effectivePoliciesOfList }, ids) => {
      const found = new Map(effectivePoliciesOfList.map(({ tenantId, ...policy }) => [tenantId, policy]));
      return ids.map((id) => (found.has(id) ? { id, effectivePolicy: found.get(id) } : null));
    },
  },
};

const dialects = { contract, postgraphile };

/** The bodies of requests about these tenants; one id each, or several. */
export function bodiesOf(dialect, questions) {
  return questions.map((ids) => JSON.stringify(bodyOf(dialect, ids)));
}

function bodyOf(dialect, ids) {
  const { one, many } = dialects[dialect];
  return ids.length === 1
    ? { query: one.query, variables: { id: ids[0] } }
    : { query: many.query, variables: { ids } };
}

/** Asks once. @returns the answer in the contract's words */
export async function ask({ name, url, dialect, said }, headers, ids) {
  const response = await fetch(`${url}/graphql`, {
    method: 'POST',
    headers,
    body: JSON.stringify(bodyOf(dialect, ids)),
  });
  const text = await response.text();
  if (!response.ok || text.includes('"errors"')) {
    throw new Error(`${name} answers ${response.status} ${text}\n${said()}`);
  }
  const { one, many } = dialects[dialect];
  return (ids.length === 1 ? one : many).answerOf(JSON.parse(text).data, ids);
}

/**
 * Holds every contestant's answers against the first one's: the same, or of a constant the same shape.
 * @throws naming the first that differs
 */
export async function assertSameAnswers([first, ...others], headers, questions) {
  for (const ids of questions) {
    const expected = await ask(first, headers, ids);
    if (expected === null) throw new Error(`${first.name} knows nothing of ${ids}.`);
    for (const other of others) {
      const given = await ask(other, headers, ids);
      const isRight = other.isConstant
        ? shapeOf(given) === shapeOf(expected)
        : isDeepStrictEqual(given, expected);
      if (isRight) continue;
      const [ours, theirs] = [expected, given].map((answer) => JSON.stringify(answer).slice(0, 500));
      throw new Error(`${other.name} answers differently:\n${theirs}\nthan ${first.name}:\n${ours}`);
    }
  }
}

const shapeOf = (answer) =>
  JSON.stringify(answer, (_key, value) =>
    value === null || typeof value !== 'object' ? typeof value : value,
  );
