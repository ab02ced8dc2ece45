import { queryOptions } from '@tanstack/react-query';
import type { AuditFilter, MfaState, TenantFilter, WebhookDeliveryState } from '../../generated/documents.ts';
import * as documents from '../../generated/documents.ts';
import { call } from './client.ts';
import { Missing } from './problem.ts';

/*
 * Everything that pages read, with its place in the cache. The first part of a key is what a change makes stale:
 * 'policy' (and all that follows from it), 'users', 'audit', 'webhooks'.
 */

const pageSize = 20;
const choicesMax = 50;

export const viewerQuery = () =>
  queryOptions({
    queryKey: ['viewer'],
    queryFn: ({ signal }) => call(documents.ConsoleViewerDocument, {}, signal).then(({ viewer }) => viewer),
    staleTime: Number.POSITIVE_INFINITY,
  });

export const applicationsQuery = (search: string) =>
  queryOptions({
    queryKey: ['applications', search],
    queryFn: ({ signal }) =>
      call(documents.ConsoleApplicationsDocument, { first: choicesMax, search }, signal).then(
        ({ applications }) => applications,
      ),
    placeholderData: (before) => before,
  });

export const applicationQuery = (id: string) =>
  queryOptions({
    queryKey: ['policy', 'application', id],
    queryFn: ({ signal }) =>
      call(documents.ConsoleApplicationPolicyDocument, { id }, signal).then(({ application }) =>
        present(application, 'application'),
      ),
  });

export const applicationStatsQuery = (id: string) =>
  queryOptions({
    queryKey: ['policy', 'stats', 'application', id],
    queryFn: ({ signal }) =>
      call(documents.ConsoleApplicationStatsDocument, { id }, signal).then(
        ({ application }) => present(application, 'application').mfaStats,
      ),
  });

export const tenantsQuery = (
  applicationId: string,
  page: { after: string | null; filter: TenantFilter; stats: boolean },
) =>
  queryOptions({
    queryKey: ['policy', 'tenants', applicationId, page],
    queryFn: ({ signal }) =>
      call(documents.ConsoleTenantsDocument, { applicationId, first: pageSize, ...page }, signal).then(
        ({ application }) => present(application, 'application').tenants,
      ),
    placeholderData: (before) => before,
  });

export const tenantChoicesQuery = (applicationId: string, search: string) =>
  queryOptions({
    queryKey: ['policy', 'choices', applicationId, search],
    queryFn: ({ signal }) =>
      call(documents.ConsoleTenantChoicesDocument, { applicationId, first: choicesMax, search }, signal).then(
        ({ application }) => present(application, 'application').tenants,
      ),
    placeholderData: (before) => before,
  });

/** How many tenants have their override on. */
export const overridesOnQuery = (applicationId: string) =>
  queryOptions({
    queryKey: ['policy', 'overridesOn', applicationId],
    queryFn: ({ signal }) =>
      call(documents.ConsoleOverridesOnDocument, { applicationId }, signal).then(
        ({ application }) => present(application, 'application').tenants.totalCount,
      ),
  });

export const tenantQuery = (id: string) =>
  queryOptions({
    queryKey: ['policy', 'tenant', id],
    queryFn: ({ signal }) =>
      call(documents.ConsoleTenantPolicyDocument, { id }, signal).then(({ tenant }) =>
        present(tenant, 'tenant'),
      ),
  });

export const tenantStatsQuery = (id: string) =>
  queryOptions({
    queryKey: ['policy', 'stats', 'tenant', id],
    queryFn: ({ signal }) =>
      call(documents.ConsoleTenantStatsDocument, { id }, signal).then(
        ({ tenant }) => present(tenant, 'tenant').mfaStats,
      ),
  });

export const tenantUsersQuery = (tenantId: string, page: { after: string | null; state: MfaState | null }) =>
  queryOptions({
    queryKey: ['users', 'list', tenantId, page],
    queryFn: ({ signal }) =>
      call(
        documents.ConsoleTenantUsersDocument,
        { tenantId, first: pageSize, after: page.after, filter: { state: page.state } },
        signal,
      ).then(({ tenant }) => present(tenant, 'tenant')),
    placeholderData: (before) => before,
  });

export const userQuery = (id: string, tenantId: string | null) =>
  queryOptions({
    queryKey: ['users', 'one', tenantId, id],
    queryFn: ({ signal }) =>
      call(documents.ConsoleFindUserDocument, { id, tenantId }, signal).then(({ user }) => user),
  });

export const explainQuery = (tenantId: string, userId: string, identityProvider: 'LOCAL' | 'EXTERNAL') =>
  queryOptions({
    queryKey: ['users', 'explain', tenantId, userId, identityProvider],
    queryFn: ({ signal }) =>
      call(documents.ConsoleExplainDocument, { tenantId, userId, identityProvider }, signal).then(
        ({ explainMfa }) => present(explainMfa, 'user'),
      ),
    placeholderData: (before) => before,
  });

export const auditQuery = (applicationId: string, page: { after: string | null; filter: AuditFilter }) =>
  queryOptions({
    queryKey: ['audit', applicationId, page],
    queryFn: ({ signal }) =>
      call(documents.ConsoleAuditDocument, { applicationId, first: 50, ...page }, signal).then(
        ({ auditEvents }) => auditEvents,
      ),
    placeholderData: (before) => before,
  });

export const endpointsQuery = (applicationId: string) =>
  queryOptions({
    queryKey: ['webhooks', 'endpoints', applicationId],
    queryFn: ({ signal }) =>
      call(documents.ConsoleEndpointsDocument, { applicationId }, signal).then(
        ({ webhookEndpoints }) => webhookEndpoints,
      ),
  });

export const deliveriesQuery = (
  applicationId: string,
  page: { after: string | null; state: WebhookDeliveryState | null; endpointId: string | null },
) =>
  queryOptions({
    queryKey: ['webhooks', 'deliveries', applicationId, page],
    queryFn: ({ signal }) => {
      const { after, ...filter } = page;
      return call(
        documents.ConsoleDeliveriesDocument,
        { applicationId, first: pageSize, after, filter },
        signal,
      ).then(({ webhookDeliveries }) => webhookDeliveries);
    },
    placeholderData: (before) => before,
  });

/** What is null is not there, or not for this caller: the server does not say which. */
function present<T>(found: T | null, what: 'application' | 'tenant' | 'user'): T {
  if (found === null) throw new Missing(`There is no such ${what}, or none that you may see.`);
  return found;
}
