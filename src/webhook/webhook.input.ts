import { Field, ID, InputType } from 'type-graphql';
import * as z from 'zod';
import { auditActions } from '../audit/audit.service.ts';
import { idempotencyKey } from '../shared/text.ts';
import { WebhookDeliveryState } from './rows.ts';
import { urlProblem } from './webhook-url.ts';

const urlDescription =
  'At most 2,000 characters; https, and only in development http to the machine itself. No credentials, no fragment.';
const actionsDescription =
  'The actions to send, by their names in the audit record, e.g. mfa_policy.updated. Null or empty: all.';

@InputType({ description: 'A new endpoint. An application has at most 10.' })
export class CreateWebhookEndpointInput {
  @Field(() => ID, { description: 'The application whose events are sent.' })
  applicationId!: string;

  @Field(() => String, { description: urlDescription })
  url!: string;

  @Field(() => [String], { nullable: true, description: actionsDescription })
  actions?: string[] | null;

  @Field(() => Boolean, { defaultValue: true, description: 'Whether it is sent to from now on.' })
  enabled!: boolean;

  @Field(() => String, {
    nullable: true,
    description:
      '1 to 255 characters. The same key from the same caller within 24 h acts once and returns the first answer, without the secret.',
  })
  idempotencyKey?: string | null;
}

@InputType({ description: 'Changes to an endpoint. Only what is given changes.' })
export class UpdateWebhookEndpointInput {
  @Field(() => ID, { description: 'The endpoint to change.' })
  id!: string;

  @Field(() => String, { nullable: true, description: urlDescription })
  url?: string | null;

  @Field(() => [String], { nullable: true, description: actionsDescription })
  actions?: string[] | null;

  @Field(() => Boolean, {
    nullable: true,
    description: 'Off: nothing is sent, no event is queued, what is pending waits. On: it goes on at once.',
  })
  enabled?: boolean | null;
}

@InputType({ description: 'Which endpoint gets a new secret.' })
export class RotateWebhookSecretInput {
  @Field(() => ID, { description: 'The endpoint.' })
  id!: string;

  @Field(() => Boolean, {
    defaultValue: false,
    description:
      'True: the secret before ends at once, e.g. because it became known. False: it signs beside the new one for 24 h more.',
  })
  endPrevious!: boolean;
}

@InputType({ description: 'Which endpoint to delete.' })
export class DeleteWebhookEndpointInput {
  @Field(() => ID, { description: 'The endpoint to delete, with its deliveries.' })
  id!: string;
}

@InputType({ description: 'Which dead deliveries to send after all.' })
export class ReplayWebhookDeliveriesInput {
  @Field(() => ID, { description: 'The endpoint they are for.' })
  endpointId!: string;

  @Field(() => [ID], {
    nullable: true,
    description: 'Their events, at most 200. Left out: all that are dead, the oldest 1,000 first.',
  })
  eventIds?: string[] | null;
}

@InputType({ description: 'Which deliveries to list.' })
export class WebhookDeliveryFilter {
  @Field(() => WebhookDeliveryState, { nullable: true, description: 'Only those in this state.' })
  state?: WebhookDeliveryState | null;

  @Field(() => ID, { nullable: true, description: 'Only those for this endpoint.' })
  endpointId?: string | null;
}

const url = (loopback: boolean) =>
  z.string().superRefine((text, check) => {
    const problem = urlProblem(text, loopback);
    if (problem !== null) check.addIssue(problem);
  });

/** Null means all; the order is the record's own, and none is named twice. */
const actions = z
  .array(z.string())
  .nullish()
  .transform((names, check) => {
    if (names == null || names.length === 0) return null;
    if (names.some((name) => !(auditActions as readonly string[]).includes(name))) {
      check.addIssue(`must be among ${auditActions.join(', ')}`);
      return z.NEVER;
    }
    return auditActions.filter((name) => names.includes(name));
  });

/** @param loopback whether the machine itself may be sent to */
export const newEndpoint = (loopback: boolean) =>
  z.object({ url: url(loopback), actions, idempotencyKey: idempotencyKey.nullish() });

export const endpointChange = (loopback: boolean) => z.object({ url: url(loopback).nullish(), actions });
