import { useDebouncedValue } from '@mantine/hooks';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { problemOf } from '../api/problem.ts';
import { useWrite } from '../api/use-write.ts';
import { useAnnounce } from '../shared/announce.tsx';
import type { Part, Stored } from './draft.ts';
import type { Hints } from './hints.ts';
import { hitsPeople, type Preview, type PreviewResult, type Step } from './impact.tsx';
import { type PolicyValues, type Setting, settings } from './values.ts';

/** What became of a write. */
export type Outcome =
  | { kind: 'saved'; stored: Stored }
  | { kind: 'refused'; field: string; message: string }
  | { kind: 'conflict' }
  | { kind: 'missing'; message: string };

export interface SaveRequest {
  /** Names owner and change: what the preview is of. */
  key: readonly unknown[];
  values: PolicyValues;
  parts: readonly Part[];
  step: Step;
  /** Whether the form's own hints let it be sent. */
  isFine: boolean;
  preview(signal?: AbortSignal): Promise<PreviewResult>;
  write(): Promise<Outcome>;
  /** Reads anew what is stored, after somebody else was faster. */
  reread(): Promise<unknown>;
  settle(stored: Stored): void;
  saidWhenSaved: string;
}

export interface Saving {
  preview: Preview | null;
  isPreviewing: boolean;
  /** Refusals by the server, for as long as the value stands there that it refused. */
  errors: Hints;
  /** What is wrong and stands at no field. */
  general: unknown;
  isBusy: boolean;
  /** What is to be confirmed: the impact; 'unknown' where it could not be had. */
  asking: Preview | 'unknown' | null;
  save(): void;
  confirm(): void;
  cancel(): void;
}

interface Refusal {
  setting: Setting;
  value: PolicyValues[Setting];
  message: string;
}

/** Looks at what a change would do, asks where people would be hit, and writes it. */
export function useSave(request: SaveRequest): Saving {
  const client = useQueryClient();
  const announce = useAnnounce();
  const [refusal, setRefusal] = useState<Refusal | null>(null);
  const [general, setGeneral] = useState<unknown>(null);
  const [asking, setAsking] = useState<Preview | 'unknown' | null>(null);
  const queryKey = ['policy', 'preview', ...request.key];
  const [settled] = useDebouncedValue(JSON.stringify(queryKey), 350);
  const isDirty = request.parts.length > 0;
  const looked = useQuery({
    queryKey,
    queryFn: ({ signal }) => request.preview(signal),
    enabled: isDirty && request.isFine && settled === JSON.stringify(queryKey),
    retry: false,
  });

  const refuse = (field: string, message: string) => {
    const setting = settings.find((name) => field === `policy.${name}`);
    if (setting === undefined) setGeneral(new Refused(message));
    else setRefusal({ setting, value: request.values[setting], message });
  };

  const writing = useWrite({
    mutationFn: request.write,
    async onSuccess(outcome) {
      switch (outcome.kind) {
        case 'saved':
          request.settle(outcome.stored);
          announce(request.saidWhenSaved);
          await client.invalidateQueries();
          return;
        case 'refused':
          return refuse(outcome.field, outcome.message);
        case 'conflict':
          await request.reread();
          return;
        case 'missing':
          setGeneral(new Refused(outcome.message));
      }
    },
    onError: setGeneral,
  });

  const checking = useWrite({
    mutationFn: () =>
      client.fetchQuery({ queryKey, queryFn: () => request.preview(), staleTime: 0, retry: false }),
    onSuccess(result) {
      if (result.__typename === 'PolicyChangePreview') {
        if (hitsPeople(result, request.step)) setAsking(result);
        else writing.mutate();
      } else if (result.__typename === 'NotFound') setGeneral(new Refused(result.message));
      else refuse(result.field, result.message);
    },
    onError(thrown) {
      if (problemOf(thrown).kind === 'unavailable') setAsking('unknown');
      else setGeneral(thrown);
    },
  });

  const isBusy = checking.isPending || writing.isPending;
  const preview = looked.data?.__typename === 'PolicyChangePreview' && isDirty ? looked.data : null;
  return {
    preview,
    isPreviewing: isDirty && request.isFine && (looked.isFetching || settled !== JSON.stringify(queryKey)),
    errors:
      refusal !== null && request.values[refusal.setting] === refusal.value
        ? { [refusal.setting]: refusal.message }
        : {},
    general,
    isBusy,
    asking,
    save() {
      if (isBusy) return;
      setGeneral(null);
      setRefusal(null);
      checking.mutate();
    },
    confirm() {
      if (isBusy) return;
      setAsking(null);
      writing.mutate();
    },
    cancel: () => setAsking(null),
  };
}

/** An expected answer that stands at no field of the form. */
export class Refused extends Error {
  override name = 'Refused';
}
