import { createUnionType, Field, ID, Int, ObjectType, registerEnumType } from 'type-graphql';
import { connectionType } from '../shared/connection.ts';
import { DateTime } from '../shared/date-time.ts';
import { InvalidInput, NotFound } from '../shared/user-error.type.ts';
import { DeletedPayload } from '../tenancy/tenancy.type.ts';
import { WebhookDeliveryState } from './rows.ts';

registerEnumType(WebhookDeliveryState, {
  name: 'WebhookDeliveryState',
  description: 'Where a delivery stands.',
  valuesConfig: {
    PENDING: { description: 'Not received yet; it is sent, again and again, when its turn comes.' },
    DELIVERED: { description: 'The endpoint answered with a 2xx status.' },
    DEAD: { description: 'Given up; replayWebhookDeliveries makes it pending again.' },
  },
});

@ObjectType({
  simpleResolvers: true,
  description: 'Where events of an application are sent. Nobody can read its secret back.',
})
export class WebhookEndpoint {
  @Field(() => ID, { description: 'A UUIDv7.' })
  id!: string;

  @Field(() => ID, { description: "The application whose events, and whose tenants' events, are sent." })
  applicationId!: string;

  @Field(() => String, { description: 'Where events are sent, by POST.' })
  url!: string;

  @Field(() => [String], {
    nullable: true,
    description: 'The actions that are sent, by their names in the audit record; null when all are.',
  })
  actions!: string[] | null;

  @Field(() => Boolean, {
    description: 'While false, nothing is sent and no event is queued; what is pending waits.',
  })
  enabled!: boolean;

  @Field(() => Boolean, {
    description: 'True when it was switched off because it answered 410 Gone; false once it is switched on.',
  })
  gone!: boolean;

  @Field(() => DateTime, { description: 'When it was made.' })
  createdAt!: Date;

  @Field(() => DateTime, { description: 'When it was last changed.' })
  updatedAt!: Date;
}

@ObjectType({ simpleResolvers: true, description: 'One event for one endpoint.' })
export class WebhookDelivery {
  @Field(() => ID, {
    description: 'Names the delivery: the ids of endpoint and event, with a colon between.',
  })
  id!: string;

  @Field(() => ID, { description: 'The endpoint it is for.' })
  endpointId!: string;

  @Field(() => ID, { description: 'The audit event it tells of, which is also its webhook-id.' })
  eventId!: string;

  @Field(() => String, { description: "The event's action, which is also the type of the message." })
  action!: string;

  @Field(() => ID, {
    nullable: true,
    description: 'The tenant it concerns; null for what concerns the application as a whole.',
  })
  tenantId!: string | null;

  @Field(() => WebhookDeliveryState, { description: 'Where it stands.' })
  state!: WebhookDeliveryState;

  @Field(() => Int, { description: 'How often it was sent since it was queued, or replayed.' })
  attempts!: number;

  @Field(() => String, {
    nullable: true,
    description:
      'Why the last attempt failed, e.g. "status 500", "timeout" or "refused"; null when none did.',
  })
  lastError!: string | null;

  @Field(() => DateTime, { description: 'When the event happened.' })
  eventAt!: Date;

  @Field(() => DateTime, { nullable: true, description: 'When it was last sent.' })
  lastAttemptAt!: Date | null;

  @Field(() => DateTime, {
    nullable: true,
    description:
      'While pending: the earliest moment at which it, or one before it of the same tenant, is sent again. Null while the endpoint is switched off.',
  })
  nextAttemptAt!: Date | null;

  @Field(() => DateTime, { nullable: true, description: 'When it was delivered or given up.' })
  settledAt!: Date | null;
}

export const WebhookDeliveryConnection = connectionType('WebhookDelivery', () => WebhookDelivery);

@ObjectType({ simpleResolvers: true, description: 'The endpoint as it is now.' })
export class WebhookEndpointPayload {
  @Field(() => WebhookEndpoint, { description: 'The endpoint as it is now.' })
  endpoint: WebhookEndpoint;

  constructor(endpoint: WebhookEndpoint) {
    this.endpoint = endpoint;
  }
}

@ObjectType({ simpleResolvers: true, description: 'The endpoint, with a new secret.' })
export class WebhookSecretPayload {
  readonly #secret: string | null;

  @Field(() => WebhookEndpoint, { description: 'The endpoint as it is now.' })
  endpoint: WebhookEndpoint;

  constructor(endpoint: WebhookEndpoint, secret: string | null) {
    this.endpoint = endpoint;
    this.#secret = secret;
  }

  @Field(() => String, {
    nullable: true,
    description:
      'Signs what is sent (Standard Webhooks: whsec_ and base64). Shown this once; null when a call is repeated with its idempotencyKey.',
  })
  get secret(): string | null {
    return this.#secret;
  }
}

@ObjectType({ simpleResolvers: true, description: 'Dead deliveries are pending again.' })
export class WebhookDeliveriesReplayed {
  @Field(() => Int, { description: 'How many became pending: at most 1,000 in one call.' })
  count: number;

  constructor(count: number) {
    this.count = count;
  }
}

export const CreateWebhookEndpointResult = createUnionType({
  name: 'CreateWebhookEndpointResult',
  description: 'What createWebhookEndpoint answers.',
  types: () => [WebhookSecretPayload, InvalidInput, NotFound] as const,
});
export const UpdateWebhookEndpointResult = createUnionType({
  name: 'UpdateWebhookEndpointResult',
  description: 'What updateWebhookEndpoint answers.',
  types: () => [WebhookEndpointPayload, InvalidInput, NotFound] as const,
});
export const RotateWebhookSecretResult = createUnionType({
  name: 'RotateWebhookSecretResult',
  description: 'What rotateWebhookSecret answers.',
  types: () => [WebhookSecretPayload, NotFound] as const,
});
export const DeleteWebhookEndpointResult = createUnionType({
  name: 'DeleteWebhookEndpointResult',
  description: 'What deleteWebhookEndpoint answers.',
  types: () => [DeletedPayload, NotFound] as const,
});
export const ReplayWebhookDeliveriesResult = createUnionType({
  name: 'ReplayWebhookDeliveriesResult',
  description: 'What replayWebhookDeliveries answers.',
  types: () => [WebhookDeliveriesReplayed, NotFound] as const,
});
