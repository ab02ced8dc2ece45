import { Button, TextInput } from '@mantine/core';
import { type FormEvent, useState } from 'react';
import { ConsoleFindUserDocument } from '../../generated/documents.ts';
import { call } from '../api/client.ts';
import { problemOf } from '../api/problem.ts';
import { useWrite } from '../api/use-write.ts';
import { Card } from '../shared/card.tsx';
import { Notice } from '../shared/notice.tsx';
import styles from '../shared/shared.module.css';

/** One user by id: in the tenant at hand, or in whichever knows it. */
export function FindUser({
  tenantId,
  asksTenant,
  onFound,
}: {
  tenantId: string | null;
  /** For callers who may not list tenants, but look after their users. */
  asksTenant: boolean;
  onFound: (tenantId: string, userId: string) => void;
}) {
  const [id, setId] = useState('');
  const [typedTenant, setTypedTenant] = useState('');
  const where = asksTenant && typedTenant.trim() !== '' ? typedTenant.trim() : tenantId;
  const finding = useWrite({
    mutationFn: () => call(ConsoleFindUserDocument, { id, tenantId: where }).then(({ user }) => user),
    onSuccess(user) {
      if (user?.mfa) onFound(user.mfa.tenant.id, user.id);
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (id !== '' && !finding.isPending) finding.mutate();
  };
  const isMissing = finding.isSuccess && !finding.data?.mfa;
  return (
    <Card title="Find a user" lead={where === null ? 'In any tenant that knows the id.' : undefined}>
      <form className={styles.inlineForm} onSubmit={submit}>
        {asksTenant && (
          <TextInput
            label="Tenant id"
            placeholder="any"
            value={typedTenant}
            onChange={(event) => setTypedTenant(event.currentTarget.value)}
          />
        )}
        <TextInput
          label="User id"
          placeholder="As your identity provider calls them"
          dir="auto"
          w={300}
          maw="100%"
          value={id}
          onChange={(event) => setId(event.currentTarget.value)}
        />
        <Button type="submit" disabled={id === ''} loading={finding.isPending}>
          Find
        </Button>
      </form>
      {isMissing && (
        <p role="alert" className={styles.muted}>
          {where === null
            ? 'No tenant, or more than one, knows this id. Select the tenant first.'
            : 'There is no such tenant, or none that you may see.'}
        </p>
      )}
      {finding.isError && (
        <Notice tone="danger" live>
          {problemOf(finding.error).message}
        </Notice>
      )}
    </Card>
  );
}
