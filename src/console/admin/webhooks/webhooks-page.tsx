import { Button } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { webhookEndpointsMax } from '../../../shared/limits.ts';
import type { ConsoleEndpointFragment } from '../../generated/documents.ts';
import { endpointsQuery } from '../api/queries.ts';
import { Card, Empty } from '../shared/card.tsx';
import { Dialog } from '../shared/dialog.tsx';
import { Loaded } from '../shared/loaded.tsx';
import { PageHeader } from '../shared/page-header.tsx';
import styles from '../shared/shared.module.css';
import { Deliveries } from './deliveries.tsx';
import { EndpointForm } from './endpoint-form.tsx';
import { EndpointTable } from './endpoint-table.tsx';
import { SecretOnce } from './secret-once.tsx';

/** Where events are sent, and what could not be delivered. */
export default function WebhooksPage({ applicationId }: { applicationId: string }) {
  const endpoints = useQuery(endpointsQuery(applicationId));
  const [editing, setEditing] = useState<ConsoleEndpointFragment | 'new' | null>(null);
  const [secret, setSecret] = useState<string | null>(null);
  const isFull = (endpoints.data?.length ?? 0) >= webhookEndpointsMax;
  return (
    <>
      <PageHeader
        title="Webhooks"
        documentTitle="Webhooks"
        lead="The events of the application and its tenants, sent as signed Standard Webhooks: at least once, and in order for each tenant."
        actions={
          <Button onClick={() => setEditing('new')} disabled={isFull || !endpoints.isSuccess}>
            Add endpoint
          </Button>
        }
      />
      <div className={styles.stack}>
        <Card
          title="Endpoints"
          lead={isFull ? `An application has at most ${webhookEndpointsMax}.` : undefined}
          flush
        >
          <Loaded query={endpoints}>
            {(list) =>
              list.length === 0 ? (
                <Empty title="No endpoints yet">Add one to be told of changes as they happen.</Empty>
              ) : (
                <EndpointTable endpoints={list} onEdit={setEditing} onSecret={setSecret} />
              )
            }
          </Loaded>
        </Card>
        <Deliveries applicationId={applicationId} endpoints={endpoints.data ?? []} />
      </div>
      <Dialog
        title={editing === 'new' ? 'Add an endpoint' : 'Edit the endpoint'}
        opened={editing !== null}
        onClose={() => setEditing(null)}
        size="lg"
      >
        {editing !== null && (
          <EndpointForm
            applicationId={applicationId}
            endpoint={editing === 'new' ? null : editing}
            onClose={() => setEditing(null)}
            onSecret={setSecret}
          />
        )}
      </Dialog>
      <SecretOnce secret={secret} onClose={() => setSecret(null)} />
    </>
  );
}
