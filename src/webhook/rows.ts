import type { AuditAction } from '../audit/audit.service.ts';
import { type RawBuilder, sql, toDate } from '../db/sql.ts';

export const WebhookDeliveryState = { PENDING: 'PENDING', DELIVERED: 'DELIVERED', DEAD: 'DEAD' } as const;
export type WebhookDeliveryState = keyof typeof WebhookDeliveryState;

/** An endpoint as the API shows it: without its secrets. */
export interface EndpointRow {
  id: string;
  applicationId: string;
  url: string;
  /** Null: all. */
  actions: AuditAction[] | null;
  enabled: boolean;
  gone: boolean;
  createdAt: Date;
  updatedAt: Date;
}

export type EndpointColumns = Omit<EndpointRow, 'createdAt' | 'updatedAt'> & {
  createdAt: string;
  updatedAt: string;
};

export const endpointColumns: RawBuilder<EndpointColumns> = sql`
  w.id, w.application_id as "applicationId", w.url, w.actions, w.enabled, w.gone,
  w.created_at as "createdAt", w.updated_at as "updatedAt"`;

/** Of a row of the database, or of one that was kept as JSON. */
export const toEndpoint = (row: EndpointColumns): EndpointRow => ({
  ...row,
  createdAt: toDate(row.createdAt),
  updatedAt: toDate(row.updatedAt),
});

/** A line of pending deliveries; see webhook-delivery.entity.ts. */
export interface LaneKey {
  tenantId: string;
  endpointId: string;
}

/** Tells lanes apart: the id of an endpoint has no space. */
export const laneText = ({ tenantId, endpointId }: LaneKey): string => `${endpointId} ${tenantId}`;
