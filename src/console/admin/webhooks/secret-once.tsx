import { Button } from '@mantine/core';
import { useClipboard } from '@mantine/hooks';
import { Dialog } from '../shared/dialog.tsx';
import { Notice } from '../shared/notice.tsx';
import styles from '../shared/shared.module.css';
import own from './secret-once.module.css';

/** A signing secret. It is shown this once, and goes with the dialog. */
export function SecretOnce({ secret, onClose }: { secret: string | null; onClose: () => void }) {
  const clipboard = useClipboard({ timeout: 3_000 });
  return (
    <Dialog title="The signing secret" opened={secret !== null} onClose={onClose} size="lg">
      <div className={styles.dialogBody}>
        <Notice tone="warning">
          It is shown this once. Put it where your receiver finds it; nobody can read it back.
        </Notice>
        <code className={own.secret}>{secret}</code>
        <div className={styles.buttons}>
          <Button variant="default" onClick={() => secret !== null && clipboard.copy(secret)} data-autofocus>
            {clipboard.copied ? 'Copied' : 'Copy'}
          </Button>
          <Button onClick={onClose}>I have kept it</Button>
        </div>
      </div>
    </Dialog>
  );
}
