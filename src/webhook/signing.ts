import { randomBytes } from 'node:crypto';
import { Webhook } from 'standardwebhooks';
import type { KeptSecret, KeyRing } from '../shared/key-ring.ts';
import { webhookSecretBytes } from '../shared/limits.ts';

/** What an endpoint's secrets are bound to; they open nowhere else. */
export const secretPlace = (applicationId: string, endpointId: string): string =>
  JSON.stringify(['webhook', applicationId, endpointId]);

/** A new signing secret: as it is kept, and as it is shown this once. */
export function newSecret(keyRing: KeyRing, place: string): { kept: KeptSecret; shown: string } {
  const secret = randomBytes(webhookSecretBytes);
  return { kept: keyRing.seal(secret, place), shown: textOf(secret) };
}

const textOf = (secret: Buffer): string => `whsec_${secret.toString('base64')}`;

/** The headers of a message [Standard Webhooks specification, "Webhook headers"]. */
export function signedHeaders(
  secrets: readonly Buffer[],
  id: string,
  at: Date,
  body: string,
): Record<string, string> {
  return {
    'webhook-id': id,
    'webhook-timestamp': String(Math.floor(at.getTime() / 1000)),
    'webhook-signature': secrets.map((secret) => new Webhook(textOf(secret)).sign(id, at, body)).join(' '),
  };
}
