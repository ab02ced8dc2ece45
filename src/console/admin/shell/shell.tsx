import { ActionIcon, Button, Drawer } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { IconLogout, IconMenu2 } from '@tabler/icons-react';
import { type ReactNode, useEffect, useRef } from 'react';
import icon from '../../shared/icon.svg';
import { navigate, useRoute } from '../router/use-route.ts';
import type { Permissions, Viewer } from '../session/permissions.ts';
import { signOut } from '../session/token-store.ts';
import { Name } from '../shared/name.tsx';
import { ApplicationPicker } from './application-picker.tsx';
import { itemsFor, Nav } from './nav.tsx';
import { SchemeSwitch } from './scheme-switch.tsx';
import { ServerGone } from './server-gone.tsx';
import styles from './shell.module.css';

interface ShellProps {
  viewer: Viewer;
  may: Permissions;
  applicationId: string | null;
  children: ReactNode;
}

/** What stands around every page. */
export function Shell(props: ShellProps) {
  const [opened, { open, close }] = useDisclosure();
  const main = useRef<HTMLElement>(null);
  const { page } = useRoute();
  // A new page starts at its top.
  // biome-ignore lint/correctness/useExhaustiveDependencies: the page is what makes it happen
  useEffect(() => {
    window.scrollTo(0, 0);
  }, [page]);
  return (
    <div className={styles.layout}>
      <button type="button" className={styles.skip} onClick={() => main.current?.focus()}>
        Skip to content
      </button>
      <section className={styles.topbar} aria-label="Top">
        <Brand />
        <ActionIcon variant="default" size="lg" aria-label="Menu" onClick={open}>
          <IconMenu2 size={18} aria-hidden />
        </ActionIcon>
      </section>
      <aside className={styles.sidebar} aria-label="Where you are">
        <Brand />
        <Side {...props} />
      </aside>
      <Drawer
        opened={opened}
        onClose={close}
        size={290}
        title="Menu"
        closeButtonProps={{ 'aria-label': 'Close' }}
      >
        <div className={styles.drawer}>
          <Side {...props} onGo={close} />
        </div>
      </Drawer>
      <main className={styles.main} ref={main} tabIndex={-1}>
        <ServerGone />
        <div className={styles.content}>{props.children}</div>
      </main>
    </div>
  );
}

const Brand = () => (
  <div className={styles.brand}>
    <img src={icon} alt="" />
    Cufflink
  </div>
);

function Side({ viewer, may, applicationId, onGo }: ShellProps & { onGo?: () => void }) {
  const goTo = (picked: string) => {
    onGo?.();
    navigate({ page: 'application', applicationId: picked });
  };
  return (
    <>
      <div className={styles.field}>
        {may.chooseApplication ? (
          <ApplicationPicker value={applicationId} onPick={goTo} />
        ) : (
          viewer.application && (
            <>
              <div className={styles.fieldLabel}>Application</div>
              <div className={styles.fixedApplication}>
                <Name>{viewer.application.displayName}</Name>
              </div>
            </>
          )
        )}
      </div>
      {applicationId !== null && <Nav items={itemsFor(applicationId, viewer, may)} {...(onGo && { onGo })} />}
      <div className={styles.foot}>
        <div className={styles.viewer}>
          <div className={styles.viewerName}>
            <Name>{viewer.subject}</Name>
          </div>
          <div className={styles.viewerReach}>{reachOf(viewer)}</div>
        </div>
        <div className={styles.footButtons}>
          <Button
            variant="default"
            leftSection={<IconLogout size={16} stroke={1.7} aria-hidden />}
            onClick={signOut}
          >
            Sign out
          </Button>
          <SchemeSwitch />
        </div>
      </div>
    </>
  );
}

const reachOf = ({ application, tenant }: Viewer): ReactNode =>
  tenant ? (
    <Name>{`Tenant ${tenant.displayName}`}</Name>
  ) : application ? (
    'The whole application'
  ) : (
    'The whole installation'
  );
