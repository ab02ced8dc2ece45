import { Button, SegmentedControl, Select } from '@mantine/core';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { clsx } from 'clsx';
import { useState } from 'react';
import {
  type ConsoleDeliveriesQuery,
  type ConsoleEndpointFragment,
  ConsoleReplayDocument,
  type WebhookDeliveryState,
} from '../../generated/documents.ts';
import { call } from '../api/client.ts';
import { deliveriesQuery } from '../api/queries.ts';
import { useWrite } from '../api/use-write.ts';
import { useAnnounce } from '../shared/announce.tsx';
import { Card, Empty } from '../shared/card.tsx';
import { Loaded, WriteProblem } from '../shared/loaded.tsx';
import { Mark } from '../shared/mark.tsx';
import { Moment } from '../shared/moment.tsx';
import { Id } from '../shared/name.tsx';
import { Notice } from '../shared/notice.tsx';
import { Pager, usePages } from '../shared/pager.tsx';
import styles from '../shared/shared.module.css';

type Delivery = ConsoleDeliveriesQuery['webhookDeliveries']['nodes'][number];

const stateNames: Record<WebhookDeliveryState, string> = {
  DEAD: 'Dead letters',
  PENDING: 'Pending',
  DELIVERED: 'Delivered',
};
const noneTexts: Record<WebhookDeliveryState, string> = {
  DEAD: 'No dead letters',
  PENDING: 'Nothing is waiting',
  DELIVERED: 'Nothing was delivered in the last 7 days',
};

/** What was sent, waits, or was given up; dead letters are sent after all when somebody says so. */
export function Deliveries({
  applicationId,
  endpoints,
}: {
  applicationId: string;
  endpoints: readonly ConsoleEndpointFragment[];
}) {
  const client = useQueryClient();
  const announce = useAnnounce();
  const [state, setState] = useState<WebhookDeliveryState>('DEAD');
  const [endpointId, setEndpointId] = useState<string | null>(null);
  const pages = usePages(`${state} ${endpointId}`);
  const deliveries = useQuery(deliveriesQuery(applicationId, { after: pages.after, state, endpointId }));
  const urlOf = (id: string) => endpoints.find((endpoint) => endpoint.id === id)?.url ?? id;
  const replaying = useWrite({
    mutationFn: (input: { endpointId: string; eventIds?: string[] }) =>
      call(ConsoleReplayDocument, { input }).then(({ replayWebhookDeliveries }) => replayWebhookDeliveries),
    async onSuccess(result) {
      if (result.__typename === 'WebhookDeliveriesReplayed')
        announce(
          result.count === 1 ? '1 delivery is sent again.' : `${result.count} deliveries are sent again.`,
        );
      await client.invalidateQueries({ queryKey: ['webhooks'] });
    },
  });
  return (
    <Card title="Deliveries" flush>
      <div className={styles.toolbar}>
        <SegmentedControl
          aria-label="State of deliveries"
          value={state}
          onChange={(value) => setState(value as WebhookDeliveryState)}
          data={Object.entries(stateNames).map(([value, label]) => ({ value, label }))}
        />
        <Select
          label="Endpoint"
          placeholder="Any"
          clearable
          clearButtonProps={{ 'aria-label': 'Any endpoint' }}
          w={280}
          maw="100%"
          data={endpoints.map(({ id, url }) => ({ value: id, label: url }))}
          value={endpointId}
          onChange={setEndpointId}
        />
        {state === 'DEAD' && endpointId !== null && (deliveries.data?.totalCount ?? 0) > 0 && (
          <Button
            variant="default"
            loading={replaying.isPending}
            onClick={() => replaying.mutate({ endpointId })}
          >
            Replay all of this endpoint
          </Button>
        )}
      </div>
      {replaying.isError && (
        <Notice tone="danger" live>
          <WriteProblem thrown={replaying.error} />
        </Notice>
      )}
      <Loaded query={deliveries} lines={5}>
        {({ nodes, pageInfo, totalCount }) => (
          <div className={clsx(deliveries.isPlaceholderData && styles.fading)}>
            {nodes.length === 0 ? (
              <Empty title={noneTexts[state]} />
            ) : (
              <Rows
                nodes={nodes}
                urlOf={urlOf}
                isBusy={replaying.isPending}
                onReplay={(one) => replaying.mutate({ endpointId: one.endpointId, eventIds: [one.eventId] })}
              />
            )}
            <Pager
              pages={pages}
              info={pageInfo}
              what="deliveries"
              {...(nodes.length > 0 && { label: `${totalCount.toLocaleString('en')} in all` })}
            />
          </div>
        )}
      </Loaded>
    </Card>
  );
}

function Rows({
  nodes,
  urlOf,
  isBusy,
  onReplay,
}: {
  nodes: readonly Delivery[];
  urlOf: (endpointId: string) => string;
  isBusy: boolean;
  onReplay: (delivery: Delivery) => void;
}) {
  return (
    <div className={styles.tableWrap}>
      <table className={styles.table}>
        <thead>
          <tr>
            <th scope="col">Event</th>
            <th scope="col">Endpoint</th>
            <th scope="col">Happened</th>
            <th scope="col">Attempts</th>
            <th scope="col">Last error</th>
            <th scope="col">
              <span className={styles.visuallyHidden}>What can be done</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {nodes.map((delivery) => (
            <tr key={delivery.id}>
              <td>{delivery.action}</td>
              <td className={styles.cellName}>
                <Id>{urlOf(delivery.endpointId)}</Id>
              </td>
              <td>
                <Moment at={delivery.eventAt} />
              </td>
              <td>{delivery.attempts}</td>
              <td>{delivery.lastError && <Mark>{delivery.lastError}</Mark>}</td>
              <td>
                {delivery.state === 'DEAD' ? (
                  <Button
                    size="xs"
                    variant="default"
                    disabled={isBusy}
                    aria-label={`Replay ${delivery.action} of ${delivery.eventAt}`}
                    onClick={() => onReplay(delivery)}
                  >
                    Replay
                  </Button>
                ) : (
                  delivery.nextAttemptAt && (
                    <span className={styles.muted}>
                      Next <Moment at={delivery.nextAttemptAt} />
                    </span>
                  )
                )}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
