import { Arg, Ctx, ID, Int, Mutation, Query, Resolver } from 'type-graphql';
import type { RequestContext } from '../caller/context.ts';
import { type Connection, pageArgs } from '../shared/connection.ts';
import {
  CreateWebhookEndpointInput,
  DeleteWebhookEndpointInput,
  ReplayWebhookDeliveriesInput,
  RotateWebhookSecretInput,
  UpdateWebhookEndpointInput,
  WebhookDeliveryFilter,
} from './webhook.input.ts';
import { deliveryPage, endpointsOf } from './webhook.page.ts';
import * as webhook from './webhook.service.ts';
import {
  CreateWebhookEndpointResult,
  DeleteWebhookEndpointResult,
  ReplayWebhookDeliveriesResult,
  RotateWebhookSecretResult,
  UpdateWebhookEndpointResult,
  type WebhookDelivery,
  WebhookDeliveryConnection,
  WebhookEndpoint,
} from './webhook.type.ts';

const applicationDescription = 'The id of the application; of one that the caller does not see, nothing.';

@Resolver()
export class WebhookResolver {
  @Query(() => [WebhookEndpoint], { description: "Where an application's events are sent, oldest first." })
  webhookEndpoints(
    @Ctx() context: RequestContext,
    @Arg('applicationId', () => ID, { description: applicationDescription }) applicationId: string,
  ): Promise<WebhookEndpoint[]> {
    return endpointsOf(context, applicationId);
  }

  @Query(() => WebhookDeliveryConnection, {
    description:
      'Deliveries of events, newest event first. Delivered ones are kept for 7 days, dead ones for 30.',
  })
  webhookDeliveries(
    @Ctx() context: RequestContext,
    @Arg('applicationId', () => ID, { description: applicationDescription }) applicationId: string,
    @Arg('first', () => Int, { defaultValue: 20, description: 'Size of the page: 1 to 100.' }) first: number,
    @Arg('after', () => String, {
      nullable: true,
      description: 'Where to continue: an endCursor or cursor of the page before.',
    })
    after?: string | null,
    @Arg('filter', () => WebhookDeliveryFilter, { nullable: true, description: 'Which deliveries to list.' })
    filter?: WebhookDeliveryFilter | null,
  ): Promise<Connection<WebhookDelivery>> {
    return deliveryPage(context, applicationId, pageArgs(first, after, 3), filter ?? {});
  }

  @Mutation(() => CreateWebhookEndpointResult, {
    description:
      'Makes an endpoint, to which the events of an application and its tenants are sent as Standard Webhooks.',
  })
  createWebhookEndpoint(
    @Ctx() context: RequestContext,
    @Arg('input', () => CreateWebhookEndpointInput, { description: 'The new endpoint.' })
    input: CreateWebhookEndpointInput,
  ) {
    return webhook.createWebhookEndpoint(context, input);
  }

  @Mutation(() => UpdateWebhookEndpointResult, {
    description: 'Changes an endpoint. What is pending for it is then sent at once.',
  })
  updateWebhookEndpoint(
    @Ctx() context: RequestContext,
    @Arg('input', () => UpdateWebhookEndpointInput, { description: 'What to change.' })
    input: UpdateWebhookEndpointInput,
  ) {
    return webhook.updateWebhookEndpoint(context, input);
  }

  @Mutation(() => RotateWebhookSecretResult, { description: 'Gives an endpoint a new signing secret.' })
  rotateWebhookSecret(
    @Ctx() context: RequestContext,
    @Arg('input', () => RotateWebhookSecretInput, { description: 'Which endpoint.' })
    input: RotateWebhookSecretInput,
  ) {
    return webhook.rotateWebhookSecret(context, input);
  }

  @Mutation(() => DeleteWebhookEndpointResult, { description: 'Deletes an endpoint with its deliveries.' })
  deleteWebhookEndpoint(
    @Ctx() context: RequestContext,
    @Arg('input', () => DeleteWebhookEndpointInput, { description: 'Which endpoint.' })
    input: DeleteWebhookEndpointInput,
  ) {
    return webhook.deleteWebhookEndpoint(context, input.id);
  }

  @Mutation(() => ReplayWebhookDeliveriesResult, {
    description:
      'Makes dead deliveries pending again, at once and before what came after them; while the endpoint is switched off, they wait.',
  })
  replayWebhookDeliveries(
    @Ctx() context: RequestContext,
    @Arg('input', () => ReplayWebhookDeliveriesInput, { description: 'Which deliveries.' })
    input: ReplayWebhookDeliveriesInput,
  ) {
    return webhook.replayWebhookDeliveries(context, input);
  }
}
