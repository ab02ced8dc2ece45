import { IconApps, IconBuilding, IconListDetails, IconPlugConnected, IconUsers } from '@tabler/icons-react';
import { hrefOf, type Route } from '../router/route.ts';
import { useRoute } from '../router/use-route.ts';
import type { Permissions, Viewer } from '../session/permissions.ts';
import styles from './shell.module.css';

interface Item {
  label: string;
  Icon: typeof IconApps;
  to: Route;
}

/** The pages that the caller's scopes open. */
export function itemsFor(applicationId: string, viewer: Viewer, may: Permissions): Item[] {
  const tenantId = viewer.tenant?.id ?? null;
  const items: (Item | false)[] = [
    may.readApplication && {
      label: 'Application view',
      Icon: IconApps,
      to: { page: 'application', applicationId },
    },
    may.readTenants && {
      label: 'Tenant view',
      Icon: IconBuilding,
      to: { page: 'tenant', applicationId, tenantId },
    },
    may.readUsers && {
      label: 'Users',
      Icon: IconUsers,
      to: { page: 'users', applicationId, tenantId, userId: null },
    },
    may.readAudit && {
      label: 'Audit',
      Icon: IconListDetails,
      to: { page: 'audit', applicationId, filter: {} },
    },
    may.manageWebhooks && {
      label: 'Webhooks',
      Icon: IconPlugConnected,
      to: { page: 'webhooks', applicationId },
    },
  ];
  return items.filter((item) => item !== false);
}

export function Nav({ items, onGo }: { items: Item[]; onGo?: () => void }) {
  const route = useRoute();
  return (
    <nav className={styles.nav} aria-label="Pages">
      {items.map(({ label, Icon, to }) => (
        <a
          key={label}
          className={styles.navLink}
          href={hrefOf(to)}
          aria-current={route.page === to.page ? 'page' : undefined}
          onClick={onGo}
        >
          <Icon size={18} stroke={1.7} aria-hidden />
          {label}
        </a>
      ))}
    </nav>
  );
}
