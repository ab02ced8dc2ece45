import { Select } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { tenantChoicesQuery } from '../api/queries.ts';

/** "Select a tenant to configure". Typing searches on the server: there may be thousands. */
export function TenantSelect({
  applicationId,
  value,
  valueName,
  label = 'Select a tenant to configure',
  onPick,
}: {
  applicationId: string;
  value: string | null;
  valueName?: string | undefined;
  label?: string;
  onPick: (tenantId: string) => void;
}) {
  const [typed, setTyped] = useState<string | null>(null);
  const [search] = useDebouncedValue(typed ?? '', 250);
  const { data, isError } = useQuery(tenantChoicesQuery(applicationId, search));
  const found = (data?.nodes ?? []).map(({ id, displayName }) => ({ value: id, label: displayName }));
  const named = found.find((option) => option.value === value)?.label;
  const chosen = value === null ? '' : (valueName ?? named ?? value);
  const isKnown = value === null || named !== undefined;
  const options = isKnown || typed !== null ? found : [{ value, label: chosen }, ...found];
  return (
    <Select
      label={label}
      placeholder="Type a part of its name"
      w={280}
      maw="100%"
      data={options}
      value={value}
      allowDeselect={false}
      searchable
      // The server has searched.
      filter={({ options: all }) => all}
      searchValue={typed ?? chosen}
      onSearchChange={(text) => setTyped(text === chosen ? null : text)}
      onDropdownClose={() => setTyped(null)}
      maxDropdownHeight={320}
      nothingFoundMessage={isError ? 'The server can’t be reached' : 'No tenant has this in its name'}
      comboboxProps={{ shadow: 'md' }}
      onChange={(picked) => picked !== null && onPick(picked)}
    />
  );
}
