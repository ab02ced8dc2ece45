import { Modal } from '@mantine/core';
import type { ReactNode } from 'react';

/** Something that is settled before the page goes on. Escape and the cross leave all as it was. */
export function Dialog({
  title,
  opened,
  onClose,
  size = 'md',
  dismissible = true,
  children,
}: {
  title: string;
  opened: boolean;
  onClose: () => void;
  size?: 'md' | 'lg';
  dismissible?: boolean;
  children: ReactNode;
}) {
  return (
    <Modal
      opened={opened}
      onClose={onClose}
      title={<b>{title}</b>}
      size={size}
      centered
      withCloseButton={dismissible}
      closeOnEscape={dismissible}
      closeOnClickOutside={false}
      closeButtonProps={{ 'aria-label': 'Close' }}
      transitionProps={{ duration: 120, transition: 'fade' }}
    >
      {children}
    </Modal>
  );
}
