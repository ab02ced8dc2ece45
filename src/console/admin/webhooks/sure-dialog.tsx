import { Button } from '@mantine/core';
import { useQueryClient } from '@tanstack/react-query';
import { useWrite } from '../api/use-write.ts';
import { useAnnounce } from '../shared/announce.tsx';
import { Dialog } from '../shared/dialog.tsx';
import { WriteProblem } from '../shared/loaded.tsx';
import { Notice } from '../shared/notice.tsx';
import styles from '../shared/shared.module.css';

/** @returns why it was refused; null where it was done */
type Run = () => Promise<string | null>;

/** Asks once more, then does it. */
export function SureDialog({
  title,
  about,
  text,
  button,
  isDangerous = false,
  opened,
  onClose,
  run,
  done,
  otherwise,
}: {
  title: string;
  /** What it is done to. */
  about: string;
  text: string;
  button: string;
  isDangerous?: boolean;
  opened: boolean;
  onClose: () => void;
  run: Run;
  done: string;
  /** The same in a harder way. */
  otherwise?: { button: string; run: Run };
}) {
  const client = useQueryClient();
  const announce = useAnnounce();
  const running = useWrite({
    mutationFn: (how: Run) => how(),
    async onSuccess(refused) {
      if (refused !== null) return;
      announce(done);
      close();
      await client.invalidateQueries({ queryKey: ['webhooks'] });
    },
  });
  const close = () => {
    running.reset();
    onClose();
  };
  return (
    <Dialog title={title} opened={opened} onClose={close}>
      <div className={styles.dialogBody}>
        <p className={styles.mono} style={{ overflowWrap: 'anywhere' }} dir="auto">
          {about}
        </p>
        <p>{text}</p>
        {(running.isError || running.data) && (
          <Notice tone="danger" live>
            {running.data ?? <WriteProblem thrown={running.error} />}
          </Notice>
        )}
        {otherwise && (
          <Button
            variant="default"
            disabled={running.isPending}
            onClick={() => running.mutate(otherwise.run)}
          >
            {otherwise.button}
          </Button>
        )}
        <div className={styles.buttons}>
          <Button variant="default" onClick={close} data-autofocus disabled={running.isPending}>
            Go back
          </Button>
          <Button
            loading={running.isPending}
            onClick={() => running.mutate(run)}
            {...(isDangerous && { color: 'red.8' })}
          >
            {button}
          </Button>
        </div>
      </div>
    </Dialog>
  );
}
