import type { Service } from './caller/context.ts';
import type { Clock } from './shared/clock.ts';
import { uuidV7Ids } from './shared/ids.ts';
import { KeyRing } from './shared/key-ring.ts';
import { SigningKey } from './shared/signing-key.ts';

export interface ServiceSettings {
  clock: Clock;
  /** The first seals, all open. */
  encryptionKeys: readonly { id: string; key: Buffer }[];
  /** Private P-256 JWK. */
  assertionKey: object;
  /** What is published beside it while it is replaced. */
  publishedAssertionKeys?: readonly object[];
  publicUrl: string;
  redirectOrigins: readonly string[];
  /** Whether webhooks may be sent to the machine itself: not in production. */
  loopbackWebhooks?: boolean;
}

/** Makes what the requests of a process share. */
export async function createService(settings: ServiceSettings): Promise<Service> {
  return {
    clock: settings.clock,
    ids: uuidV7Ids(settings.clock),
    keyRing: new KeyRing(settings.encryptionKeys),
    assertionKey: await SigningKey.of(settings.assertionKey, settings.publishedAssertionKeys),
    publicUrl: settings.publicUrl,
    redirectOrigins: settings.redirectOrigins,
    loopbackWebhooks: settings.loopbackWebhooks ?? false,
  };
}
