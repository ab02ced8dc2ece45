import { Button, MultiSelect, Switch, TextInput } from '@mantine/core';
import { useQueryClient } from '@tanstack/react-query';
import { type FormEvent, useState } from 'react';
import {
  ConsoleCreateEndpointDocument,
  type ConsoleEndpointFragment,
  ConsoleUpdateEndpointDocument,
} from '../../generated/documents.ts';
import { call } from '../api/client.ts';
import { useWrite } from '../api/use-write.ts';
import { actionGroups } from '../audit/actions.ts';
import { useAnnounce } from '../shared/announce.tsx';
import { WriteProblem } from '../shared/loaded.tsx';
import { Notice } from '../shared/notice.tsx';
import styles from '../shared/shared.module.css';

/** An endpoint that is made, or changed. One that is made answers its secret, this once. */
export function EndpointForm({
  applicationId,
  endpoint,
  onClose,
  onSecret,
}: {
  applicationId: string;
  endpoint: ConsoleEndpointFragment | null;
  onClose: () => void;
  onSecret: (secret: string) => void;
}) {
  const client = useQueryClient();
  const announce = useAnnounce();
  const [url, setUrl] = useState(endpoint?.url ?? '');
  const [actions, setActions] = useState<string[]>(endpoint?.actions ?? []);
  const [enabled, setEnabled] = useState(endpoint?.enabled ?? true);
  // The same attempt twice, e.g. after an answer that got lost, makes one endpoint.
  const [idempotencyKey] = useState(() => crypto.randomUUID());
  const writing = useWrite({
    mutationFn: async () => {
      const values = { url: url.trim(), actions, enabled };
      if (endpoint !== null) {
        const answer = await call(ConsoleUpdateEndpointDocument, { input: { id: endpoint.id, ...values } });
        return answer.updateWebhookEndpoint;
      }
      const answer = await call(ConsoleCreateEndpointDocument, {
        input: { applicationId, ...values, idempotencyKey },
      });
      return answer.createWebhookEndpoint;
    },
    async onSuccess(result) {
      if (!('endpoint' in result)) return;
      announce(endpoint === null ? 'The endpoint is made.' : 'The endpoint is saved.');
      onClose();
      if ('secret' in result && result.secret !== null) onSecret(result.secret);
      await client.invalidateQueries({ queryKey: ['webhooks'] });
    },
  });
  const refused = writing.data && 'message' in writing.data ? writing.data : null;
  const field = refused && 'field' in refused ? refused.field.replace(/\..*/, '') : null;
  const at = (name: string) => (field === name ? refused?.message : null);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (url.trim() !== '' && !writing.isPending) writing.mutate();
  };
  return (
    <form className={styles.dialogBody} onSubmit={submit}>
      <TextInput
        label="Address"
        description="https; in development also http to this machine."
        type="url"
        required
        placeholder="https://example.com/hooks"
        data-autofocus
        value={url}
        error={at('url')}
        onChange={(event) => setUrl(event.currentTarget.value)}
      />
      <MultiSelect
        label="Actions"
        description="What is sent. None picked: everything."
        placeholder={actions.length === 0 ? 'Everything' : ''}
        data={actionGroups}
        searchable
        clearable
        clearButtonProps={{ 'aria-label': 'Send everything' }}
        value={actions}
        error={at('actions')}
        onChange={setActions}
      />
      <Switch
        role="switch"
        label="Send events to it"
        description="Off: nothing is sent, no event is queued, and what is pending waits."
        checked={enabled}
        onChange={(event) => setEnabled(event.currentTarget.checked)}
      />
      {(writing.isError || (refused && at('url') === null && at('actions') === null)) && (
        <Notice tone="danger" live>
          {refused ? refused.message : <WriteProblem thrown={writing.error} />}
        </Notice>
      )}
      <div className={styles.buttons}>
        <Button variant="default" onClick={onClose} disabled={writing.isPending}>
          Go back
        </Button>
        <Button type="submit" loading={writing.isPending} disabled={url.trim() === ''}>
          {endpoint === null ? 'Add endpoint' : 'Save changes'}
        </Button>
      </div>
    </form>
  );
}
