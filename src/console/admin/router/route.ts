/** The pages of the console. Everything that a page shows can be reached by its address. */
export type Route =
  | { page: 'home' }
  | { page: 'application'; applicationId: string }
  | { page: 'tenant'; applicationId: string; tenantId: string | null }
  | { page: 'users'; applicationId: string; tenantId: string | null; userId: string | null }
  | { page: 'audit'; applicationId: string; filter: AuditPlace }
  | { page: 'webhooks'; applicationId: string }
  | { page: 'unknown' };

/** What of the record is looked at; texts as they are typed. */
export interface AuditPlace {
  tenantId?: string;
  userId?: string;
  action?: string;
  /** Local moments: 2026-01-31T09:30. */
  from?: string;
  to?: string;
}

const auditNames = ['tenantId', 'userId', 'action', 'from', 'to'] as const;

/**
 * Addresses stand behind the #: the server serves one page, and they never reach its logs. Ids are
 * written percent-encoded, since they may hold any printable character.
 */
export function hrefOf(route: Route): string {
  switch (route.page) {
    case 'home':
    case 'unknown':
      return '#/';
    case 'application':
      return address([route.applicationId]);
    case 'tenant':
      return address([route.applicationId, 'tenants', ...idOf(route.tenantId)]);
    case 'users':
      return address(
        route.tenantId === null
          ? [route.applicationId, 'users']
          : [route.applicationId, 'users', route.tenantId, ...idOf(route.userId)],
      );
    case 'webhooks':
      return address([route.applicationId, 'webhooks']);
    case 'audit': {
      const query = new URLSearchParams();
      for (const name of auditNames) {
        const value = route.filter[name];
        if (value) query.set(name, value);
      }
      const text = query.toString();
      return `${address([route.applicationId, 'audit'])}${text && `?${text}`}`;
    }
  }
}

/** @param hash as location.hash has it; anything that is no address of ours is the page `unknown` */
export function parseRoute(hash: string): Route {
  const [path = '', search = ''] = hash.replace(/^#/, '').split('?', 2);
  const parts = path.split('/').filter((part) => part !== '');
  const decoded = parts.map(decode);
  if (decoded.some((part) => part === null)) return { page: 'unknown' };
  const [applicationId, section, first, second, ...more] = decoded as string[];
  if (applicationId === undefined) return { page: 'home' };
  if (more.length > 0) return { page: 'unknown' };
  if (section === undefined) return { page: 'application', applicationId };
  if (section === 'users')
    return { page: 'users', applicationId, tenantId: first ?? null, userId: second ?? null };
  if (second !== undefined) return { page: 'unknown' };
  if (section === 'tenants') return { page: 'tenant', applicationId, tenantId: first ?? null };
  if (first !== undefined) return { page: 'unknown' };
  if (section === 'webhooks') return { page: 'webhooks', applicationId };
  if (section === 'audit') return { page: 'audit', applicationId, filter: auditPlace(search) };
  return { page: 'unknown' };
}

function auditPlace(search: string): AuditPlace {
  const query = new URLSearchParams(search);
  const place: AuditPlace = {};
  for (const name of auditNames) {
    const value = query.get(name);
    if (value) place[name] = value;
  }
  return place;
}

const address = (parts: readonly string[]): string => `#/${parts.map(encodeURIComponent).join('/')}`;

const idOf = (id: string | null): string[] => (id === null ? [] : [id]);

function decode(part: string): string | null {
  try {
    return decodeURIComponent(part);
  } catch {
    return null;
  }
}
