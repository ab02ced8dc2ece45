import { Checkbox, Select, TextInput } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { useQuery } from '@tanstack/react-query';
import { clsx } from 'clsx';
import { useState } from 'react';
import type { ConsoleApplicationFragment, ConsoleTenantRowFragment } from '../../generated/documents.ts';
import { tenantsQuery } from '../api/queries.ts';
import { hrefOf } from '../router/route.ts';
import type { Permissions } from '../session/permissions.ts';
import { Card, Empty } from '../shared/card.tsx';
import { Loaded } from '../shared/loaded.tsx';
import { Mark } from '../shared/mark.tsx';
import { Name } from '../shared/name.tsx';
import { Pager, usePages } from '../shared/pager.tsx';
import styles from '../shared/shared.module.css';
import { StateBar } from '../stats/state-bar.tsx';
import { BulkSwitch } from './bulk-switch.tsx';
import { OverrideSwitch } from './override-switch.tsx';

type Row = ConsoleTenantRowFragment;

/** The tenants: what applies to each and from where, who is enrolled, and the override toggle, one by one or many. */
export function TenantTable({
  application,
  may,
}: {
  application: ConsoleApplicationFragment;
  may: Permissions;
}) {
  const [typed, setTyped] = useState('');
  const [search] = useDebouncedValue(typed.trim(), 250);
  const [override, setOverride] = useState<'all' | 'on' | 'off'>('all');
  const [selected, setSelected] = useState<ReadonlyMap<string, string>>(new Map());
  const filter = { search, ...(override !== 'all' && { overrideEnabled: override === 'on' }) };
  const pages = usePages(JSON.stringify(filter));
  const tenants = useQuery(
    tenantsQuery(application.id, { after: pages.after, filter, stats: may.applicationStats }),
  );
  const select = (rows: readonly Row[], isSelected: boolean) => {
    const next = new Map(selected);
    for (const { id, displayName } of rows) isSelected ? next.set(id, displayName) : next.delete(id);
    setSelected(next);
  };
  const isFiltered = search !== '' || override !== 'all';
  return (
    <Card title="Tenants" lead="What applies to each tenant’s users, and which level it comes from." flush>
      <div className={styles.toolbar}>
        <TextInput
          label="Search"
          type="search"
          placeholder="Part of the name"
          value={typed}
          onChange={(event) => setTyped(event.currentTarget.value)}
        />
        <Select
          label="Override"
          w={150}
          allowDeselect={false}
          value={override}
          data={[
            { value: 'all', label: 'On and off' },
            { value: 'on', label: 'On' },
            { value: 'off', label: 'Off' },
          ]}
          onChange={(value) => setOverride((value ?? 'all') as typeof override)}
        />
        {may.writeTenantPolicy && selected.size > 0 && (
          <BulkSwitch application={application} tenants={selected} onDone={() => setSelected(new Map())} />
        )}
      </div>
      <Loaded query={tenants} lines={6}>
        {({ nodes, pageInfo, totalCount }) => (
          <div className={clsx(tenants.isPlaceholderData && styles.fading)}>
            {nodes.length === 0 ? (
              <Empty title={isFiltered ? 'No tenant fits' : 'No tenants yet'}>
                {isFiltered
                  ? 'Try another part of the name, or both On and Off.'
                  : 'They are made by your identity provider, with createTenant.'}
              </Empty>
            ) : (
              <Rows {...{ application, may, nodes, selected, select }} />
            )}
            <Pager
              pages={pages}
              info={pageInfo}
              what="tenants"
              label={`${totalCount.toLocaleString('en')} ${totalCount === 1 ? 'tenant' : 'tenants'}`}
            />
          </div>
        )}
      </Loaded>
    </Card>
  );
}

function Rows({
  application,
  may,
  nodes,
  selected,
  select,
}: {
  application: ConsoleApplicationFragment;
  may: Permissions;
  nodes: readonly Row[];
  selected: ReadonlyMap<string, string>;
  select: (rows: readonly Row[], isSelected: boolean) => void;
}) {
  const count = nodes.filter(({ id }) => selected.has(id)).length;
  return (
    <div className={styles.tableWrap}>
      <table className={styles.table}>
        <thead>
          <tr>
            {may.writeTenantPolicy && (
              <th scope="col">
                <Checkbox
                  aria-label="Select all tenants of this page"
                  checked={count === nodes.length}
                  indeterminate={count > 0 && count < nodes.length}
                  onChange={(event) => select(nodes, event.currentTarget.checked)}
                />
              </th>
            )}
            <th scope="col">Tenant</th>
            <th scope="col">What applies</th>
            <th scope="col">Source</th>
            {may.applicationStats && <th scope="col">Users</th>}
            <th scope="col">Override</th>
          </tr>
        </thead>
        <tbody>
          {nodes.map((tenant) => (
            <tr key={tenant.id}>
              {may.writeTenantPolicy && (
                <td>
                  <Checkbox
                    aria-label={`Select ${tenant.displayName}`}
                    checked={selected.has(tenant.id)}
                    onChange={(event) => select([tenant], event.currentTarget.checked)}
                  />
                </td>
              )}
              <td className={styles.cellName}>
                <a
                  className={styles.link}
                  href={hrefOf({ page: 'tenant', applicationId: application.id, tenantId: tenant.id })}
                >
                  <Name>{tenant.displayName}</Name>
                </a>
              </td>
              <td>{inShort(tenant.effectivePolicy)}</td>
              <td>
                <Mark strong={tenant.effectivePolicy.source === 'TENANT'}>
                  {tenant.effectivePolicy.source === 'TENANT' ? 'Tenant' : 'Application'}
                </Mark>
              </td>
              {may.applicationStats && <td>{tenant.mfaStats && <StateBar stats={tenant.mfaStats} />}</td>}
              <td>
                <OverrideSwitch application={application} tenant={tenant} mayWrite={may.writeTenantPolicy} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function inShort({ mfaEnabled, enrollment, gracePeriodDays }: Row['effectivePolicy']): string {
  if (!mfaEnabled) return 'MFA off';
  if (enrollment === 'OPTIONAL') return 'Optional';
  return gracePeriodDays === 0 ? 'Required' : `Required, ${gracePeriodDays} d grace`;
}
