import { Button, Textarea, TextInput } from '@mantine/core';
import { useQueryClient } from '@tanstack/react-query';
import { type FormEvent, useState } from 'react';
import { reasonCharsMax } from '../../../shared/limits.ts';
import { useWrite } from '../api/use-write.ts';
import { useAnnounce } from '../shared/announce.tsx';
import { Dialog } from '../shared/dialog.tsx';
import { WriteProblem } from '../shared/loaded.tsx';
import { Notice } from '../shared/notice.tsx';
import styles from '../shared/shared.module.css';
import type { Dates } from './dates.ts';

interface Given {
  reason: string;
  /** 2026-01-31 */
  until: string;
}

/** What the acts on a user answer. */
type Result = { __typename: 'UserPayload' } | { __typename: string; message: string; field?: string };

interface Act {
  title: string;
  text: string;
  button: string;
  isDangerous?: boolean;
  asksReason?: boolean;
  untilDates?: Dates;
  done: string;
  run(given: Given): Promise<Result>;
}

/** Asks before something is done to a user, with a reason where the record wants one. */
export function ActDialog({ opened, onClose, ...act }: Act & { opened: boolean; onClose: () => void }) {
  return (
    <Dialog title={act.title} opened={opened} onClose={onClose}>
      <ActForm act={act} onClose={onClose} />
    </Dialog>
  );
}

function ActForm({ act, onClose }: { act: Act; onClose: () => void }) {
  const client = useQueryClient();
  const announce = useAnnounce();
  const [given, setGiven] = useState<Given>({ reason: '', until: act.untilDates?.usual ?? '' });
  const running = useWrite({
    mutationFn: () => act.run(given),
    async onSuccess(result) {
      if (result.__typename !== 'UserPayload') return;
      announce(act.done);
      onClose();
      await client.invalidateQueries();
    },
  });
  const refused = running.data && 'message' in running.data ? running.data : null;
  const at = (field: keyof Given) => (refused?.field === field ? refused.message : null);
  const isComplete =
    (!act.asksReason || given.reason.trim() !== '') && (!act.untilDates || given.until !== '');
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (isComplete && !running.isPending) running.mutate();
  };
  return (
    <form className={styles.dialogBody} onSubmit={submit}>
      <p>{act.text}</p>
      {act.untilDates && (
        <TextInput
          label="Until the end of"
          type="date"
          required
          min={act.untilDates.first}
          max={act.untilDates.last}
          value={given.until}
          error={at('until')}
          onChange={(event) => setGiven({ ...given, until: event.currentTarget.value })}
        />
      )}
      {act.asksReason && (
        <Textarea
          label="Reason"
          description="For whoever looks at the record."
          required
          autosize
          minRows={2}
          maxRows={6}
          maxLength={reasonCharsMax}
          dir="auto"
          data-autofocus
          value={given.reason}
          error={at('reason')}
          onChange={(event) => setGiven({ ...given, reason: event.currentTarget.value })}
        />
      )}
      {(running.isError || (refused && at('reason') === null && at('until') === null)) && (
        <Notice tone="danger" live>
          {refused ? refused.message : <WriteProblem thrown={running.error} />}
        </Notice>
      )}
      <div className={styles.buttons}>
        <Button variant="default" onClick={onClose} disabled={running.isPending}>
          Go back
        </Button>
        <Button
          type="submit"
          loading={running.isPending}
          disabled={!isComplete}
          {...(act.isDangerous && { color: 'red.8' })}
        >
          {act.button}
        </Button>
      </div>
    </form>
  );
}
