import type { Target } from './callers.ts';
import { inputType, keyOf, notFound, type Operation } from './operation.ts';

/* Webhooks. */

export const webhookOperations: readonly Operation[] = [
  {
    name: 'webhookEndpoints',
    document: 'query ($id: ID!) { result: webhookEndpoints(applicationId: $id) { id } }',
    variables: ({ applicationId }) => ({ id: applicationId }),
    scope: 'application:write',
    notForTenants: true,
    about: 'application',
    inside: ({ endpointId }) => [{ id: endpointId }],
    outside: [],
  },
  {
    name: 'webhookDeliveries',
    document:
      'query ($id: ID!) { result: webhookDeliveries(applicationId: $id) { nodes { id } totalCount } }',
    variables: ({ applicationId }) => ({ id: applicationId }),
    scope: 'application:write',
    notForTenants: true,
    about: 'application',
    inside: () => ({ nodes: [], totalCount: 0 }),
    outside: { nodes: [], totalCount: 0 },
  },
  ...(
    [
      ['updateWebhookEndpoint', ({ endpointId: id }) => ({ id }), { __typename: 'WebhookEndpointPayload' }],
      ['rotateWebhookSecret', ({ endpointId: id }) => ({ id }), { __typename: 'WebhookSecretPayload' }],
      [
        'replayWebhookDeliveries',
        ({ endpointId }) => ({ endpointId }),
        { __typename: 'WebhookDeliveriesReplayed' },
      ],
      ['deleteWebhookEndpoint', ({ endpointId: id }) => ({ id }), { __typename: 'DeletedPayload' }],
      [
        'createWebhookEndpoint',
        // One for each boundary: an application has at most ten.
        ({ applicationId }) => ({
          applicationId,
          url: 'https://a.example.com/',
          idempotencyKey: keyOf(applicationId),
        }),
        { __typename: 'WebhookSecretPayload' },
      ],
    ] satisfies [string, (target: Target) => object, object][]
  ).map(
    ([name, input, inside]): Operation => ({
      name,
      document: `mutation ($input: ${inputType(name)}!) {
        result: ${name}(input: $input) { __typename ... on UserError { code message } }
      }`,
      variables: (target) => ({ input: input(target) }),
      scope: 'application:write',
      notForTenants: true,
      about: 'application',
      ...(name === 'deleteWebhookEndpoint' && { spends: 'endpoint' }),
      inside: () => inside,
      outside: notFound,
    }),
  ),
];
