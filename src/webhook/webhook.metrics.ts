import { Counter, Gauge, type Registry } from 'prom-client';

/** What came of attempts: received, to be repeated, given up. */
export type DeliveryOutcome = 'delivered' | 'failed' | 'dead';

export interface WebhookMetrics {
  attempted(outcome: DeliveryOutcome): void;
  /** @param deliveries pending in the whole installation */
  backlog(deliveries: number): void;
}

export function createWebhookMetrics(registry: Registry): WebhookMetrics {
  const attempts = new Counter({
    name: 'cufflink_webhook_attempts_total',
    help: 'Webhook attempts of this server: delivered, failed (repeated later), dead (given up).',
    labelNames: ['outcome'],
    registers: [registry],
  });
  const backlog = new Gauge({
    name: 'cufflink_webhook_backlog',
    help: 'Webhook deliveries that are pending in the installation, as this server last saw it.',
    registers: [registry],
  });
  for (const outcome of ['delivered', 'failed', 'dead']) attempts.inc({ outcome }, 0);
  return { attempted: (outcome) => attempts.inc({ outcome }), backlog: (count) => backlog.set(count) };
}
