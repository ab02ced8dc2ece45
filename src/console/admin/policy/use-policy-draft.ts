import { useEffect, useState } from 'react';
import {
  type ChangedPart,
  changedParts,
  type Draft,
  isChanged,
  type Part,
  rebase,
  type Stored,
  startDraft,
  takeStored,
} from './draft.ts';
import type { PolicyValues } from './values.ts';

export interface DraftInHand {
  draft: Draft;
  /** What somebody else changed while it was typed; until it is put away. */
  changes: readonly ChangedPart[];
  edit(change: Partial<PolicyValues>): void;
  toggle(enabled: boolean): void;
  /** Gives up what was typed of one part. */
  take(part: Part): void;
  discard(): void;
  putChangesAway(): void;
  /** What was written is what is stored. */
  settle(stored: Stored): void;
}

interface State {
  draft: Draft;
  changes: readonly ChangedPart[];
}

/**
 * A change of one owner's policy while it is being made. It outlives reloads and signing in again in this tab, and
 * follows what others store meanwhile: `stored` is what was read last.
 */
export function usePolicyDraft(owner: string, stored: Stored): DraftInHand {
  const key = `cufflink.draft.${owner}`;
  const [state, setState] = useState<State>(() => restored(key, stored));
  const current = followed(state, stored);
  if (current !== state) setState(current);
  const { draft } = current;

  useEffect(() => {
    if (isChanged(draft)) sessionStorage.setItem(key, JSON.stringify(draft));
    else sessionStorage.removeItem(key);
  }, [key, draft]);

  const change = (next: (draft: Draft) => Draft) =>
    setState((before) => ({ ...before, draft: next(before.draft) }));
  return {
    ...current,
    edit: (values) => change((before) => ({ ...before, values: { ...before.values, ...values } })),
    toggle: (enabled) => change((before) => ({ ...before, enabled })),
    take: (part) =>
      setState((before) => ({
        draft: takeStored(before.draft, part),
        changes: before.changes.map((one) => (one.part === part ? { ...one, clashes: false } : one)),
      })),
    discard: () => setState(({ draft: { base } }) => ({ draft: startDraft(base), changes: [] })),
    putChangesAway: () => setState((before) => ({ ...before, changes: [] })),
    settle: (next) => setState({ draft: startDraft(next), changes: [] }),
  };
}

/** The same object where there is nothing new. An answer that was overtaken by a later one is none. */
function followed(state: State, stored: Stored): State {
  const { base } = state.draft;
  const isNew =
    stored.version > base.version ||
    (stored.version === base.version &&
      changedParts({ base, values: stored.values, enabled: stored.enabled }).length > 0);
  if (!isNew) return state;
  if (!isChanged(state.draft)) return { draft: startDraft(stored), changes: [] };
  const { draft, changes } = rebase(state.draft, stored);
  const isSecond = (part: Part) => changes.some((one) => one.part === part);
  return { draft, changes: [...state.changes.filter(({ part }) => !isSecond(part)), ...changes] };
}

function restored(key: string, stored: Stored): State {
  const fresh = { draft: startDraft(stored), changes: [] };
  try {
    const kept = JSON.parse(sessionStorage.getItem(key) ?? 'null') as Draft | null;
    // Written by this page in this tab, and of an older version at most in its shape.
    if (kept === null || typeof kept.base.version !== 'number' || kept.base.version > stored.version)
      return fresh;
    return { draft: kept, changes: [] };
  } catch {
    return fresh;
  }
}
