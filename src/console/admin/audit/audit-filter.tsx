import { Button, Select, TextInput } from '@mantine/core';
import { type FormEvent, useState } from 'react';
import type { AuditPlace } from '../router/route.ts';
import type { Viewer } from '../session/permissions.ts';
import styles from '../shared/shared.module.css';
import { TenantSelect } from '../tenant/tenant-select.tsx';
import { actionGroups } from './actions.ts';

/** Which events to look at. What is picked counts at once, what is typed with Enter. */
export function AuditFilterForm({
  place,
  fixedTenant,
  applicationId,
  mayListTenants,
  onLook,
}: {
  place: AuditPlace;
  fixedTenant: Viewer['tenant'];
  applicationId: string;
  mayListTenants: boolean;
  onLook: (place: AuditPlace) => void;
}) {
  const [typed, setTyped] = useState(place);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    onLook(withoutBlanks(typed));
  };
  const pick = (change: AuditPlace) => onLook(withoutBlanks({ ...typed, ...change }));
  const field = (name: keyof AuditPlace) => ({
    value: typed[name] ?? '',
    onChange: (event: { currentTarget: HTMLInputElement }) =>
      setTyped({ ...typed, [name]: event.currentTarget.value }),
  });
  return (
    <form className={styles.toolbar} onSubmit={submit}>
      {fixedTenant === null &&
        (mayListTenants ? (
          <TenantSelect
            label="Tenant"
            applicationId={applicationId}
            value={place.tenantId ?? null}
            onPick={(tenantId) => pick({ tenantId })}
          />
        ) : (
          <TextInput label="Tenant id" {...field('tenantId')} />
        ))}
      <TextInput label="User id" dir="auto" {...field('userId')} />
      <Select
        label="Action"
        placeholder="Any"
        data={actionGroups}
        value={place.action ?? null}
        searchable
        clearable
        clearButtonProps={{ 'aria-label': 'Any action' }}
        w={240}
        maw="100%"
        onChange={(action) => pick({ action: action ?? '' })}
      />
      <TextInput label="From" type="datetime-local" {...field('from')} />
      <TextInput label="Before" type="datetime-local" {...field('to')} />
      <Button type="submit" variant="default">
        Apply
      </Button>
      {Object.keys(place).length > 0 && (
        <Button variant="subtle" onClick={() => onLook({})}>
          Clear
        </Button>
      )}
    </form>
  );
}

function withoutBlanks(place: AuditPlace): AuditPlace {
  const kept: AuditPlace = {};
  for (const [name, value] of Object.entries(place) as [keyof AuditPlace, string][])
    if (value.trim() !== '') kept[name] = value.trim();
  return kept;
}
