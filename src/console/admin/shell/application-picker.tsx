import { Select } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { applicationQuery, applicationsQuery } from '../api/queries.ts';

/** Which application, for whoever may choose. Typing searches on the server: there may be thousands. */
export function ApplicationPicker({
  value,
  onPick,
}: {
  value: string | null;
  onPick: (applicationId: string) => void;
}) {
  const [typed, setTyped] = useState<string | null>(null);
  const [search] = useDebouncedValue(typed ?? '', 250);
  const { data } = useQuery(applicationsQuery(search));
  const { data: current } = useQuery({ ...applicationQuery(value ?? ''), enabled: value !== null });
  const found = (data?.nodes ?? []).map(({ id, displayName }) => ({ value: id, label: displayName }));
  const isKnown = value === null || found.some((option) => option.value === value);
  const label = value === null ? '' : (current?.displayName ?? value);
  const options = isKnown || typed !== null ? found : [{ value, label }, ...found];
  return (
    <Select
      label="Application"
      placeholder="Select an application"
      data={options}
      value={value}
      allowDeselect={false}
      searchable
      // The server has searched.
      filter={({ options: all }) => all}
      searchValue={typed ?? label}
      onSearchChange={(text) => setTyped(text === label ? null : text)}
      onDropdownClose={() => setTyped(null)}
      nothingFoundMessage="No application has this in its name"
      onChange={(picked) => picked !== null && onPick(picked)}
      comboboxProps={{ shadow: 'md' }}
    />
  );
}
