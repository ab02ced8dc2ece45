import { Button } from '@mantine/core';
import { useState } from 'react';
import {
  ConsoleDeleteEndpointDocument,
  type ConsoleEndpointFragment,
  ConsoleRotateSecretDocument,
} from '../../generated/documents.ts';
import { call } from '../api/client.ts';
import { Mark } from '../shared/mark.tsx';
import { Id } from '../shared/name.tsx';
import styles from '../shared/shared.module.css';
import { SureDialog } from './sure-dialog.tsx';

type Doing = { what: 'rotate' | 'delete'; endpoint: ConsoleEndpointFragment } | null;

export function EndpointTable({
  endpoints,
  onEdit,
  onSecret,
}: {
  endpoints: readonly ConsoleEndpointFragment[];
  onEdit: (endpoint: ConsoleEndpointFragment) => void;
  onSecret: (secret: string) => void;
}) {
  const [doing, setDoing] = useState<Doing>(null);
  const close = () => setDoing(null);
  const rotate = (endPrevious: boolean) => async () => {
    if (doing === null) return null;
    const { rotateWebhookSecret: result } = await call(ConsoleRotateSecretDocument, {
      input: { id: doing.endpoint.id, endPrevious },
    });
    if (result.__typename === 'NotFound') return result.message;
    if (result.secret !== null) onSecret(result.secret);
    return null;
  };
  const remove = async () => {
    if (doing === null) return null;
    const { deleteWebhookEndpoint: result } = await call(ConsoleDeleteEndpointDocument, {
      input: { id: doing.endpoint.id },
    });
    return result.__typename === 'NotFound' ? result.message : null;
  };
  return (
    <div className={styles.tableWrap}>
      <table className={styles.table}>
        <thead>
          <tr>
            <th scope="col">Address</th>
            <th scope="col">Actions</th>
            <th scope="col">State</th>
            <th scope="col">
              <span className={styles.visuallyHidden}>What can be done</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {endpoints.map((endpoint) => (
            <tr key={endpoint.id}>
              <td className={styles.cellName}>
                <Id>{endpoint.url}</Id>
              </td>
              <td className={styles.cellName} title={endpoint.actions?.join(', ')}>
                {endpoint.actions === null ? 'All' : `${endpoint.actions.length} of them`}
              </td>
              <td>
                <Mark strong={endpoint.enabled}>
                  {endpoint.enabled ? 'On' : endpoint.gone ? 'Gone (410)' : 'Off'}
                </Mark>
              </td>
              <td>
                <div className={styles.rowButtons}>
                  <RowButton endpoint={endpoint} name="Edit" onClick={() => onEdit(endpoint)} />
                  <RowButton
                    endpoint={endpoint}
                    name="New secret"
                    onClick={() => setDoing({ what: 'rotate', endpoint })}
                  />
                  <RowButton
                    endpoint={endpoint}
                    name="Delete"
                    onClick={() => setDoing({ what: 'delete', endpoint })}
                  />
                </div>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      <SureDialog
        title="Give this endpoint a new secret?"
        about={doing?.endpoint.url ?? ''}
        text="The secret before still signs beside the new one for 24 hours, so that the receiver can change over."
        button="New secret"
        opened={doing?.what === 'rotate'}
        onClose={close}
        run={rotate(false)}
        done="The endpoint has a new secret."
        otherwise={{ button: 'It became known: end the old one now', run: rotate(true) }}
      />
      <SureDialog
        title="Delete this endpoint?"
        about={doing?.endpoint.url ?? ''}
        text="With all of its deliveries, also those that are still to be sent. It can’t be undone."
        button="Delete"
        isDangerous
        opened={doing?.what === 'delete'}
        onClose={close}
        run={remove}
        done="The endpoint is deleted."
      />
    </div>
  );
}

const RowButton = ({
  endpoint,
  name,
  onClick,
}: {
  endpoint: ConsoleEndpointFragment;
  name: string;
  onClick: () => void;
}) => (
  <Button size="xs" variant="default" aria-label={`${name}: ${endpoint.url}`} onClick={onClick}>
    {name}
  </Button>
);
