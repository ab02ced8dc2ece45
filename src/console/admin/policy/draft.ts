import { differing, type PolicyValues, type Setting } from './values.ts';

/** What was stored when somebody looked, and of which version. */
export interface Stored {
  values: PolicyValues;
  /** The tenant's override toggle; true for an application, whose policy has none. */
  enabled: boolean;
  version: number;
}

/** A change that is being made: what it starts from, and what is to be. */
export interface Draft {
  base: Stored;
  values: PolicyValues;
  enabled: boolean;
}

/** A setting, or the override toggle. */
export type Part = Setting | 'enabled';

/** What somebody else changed meanwhile. */
export interface ChangedPart {
  part: Part;
  before: Stored;
  theirs: Stored;
  /** Whether the draft changes it too, to something else. */
  clashes: boolean;
}

export const startDraft = (base: Stored): Draft => ({ base, values: base.values, enabled: base.enabled });

/** What the draft would change. */
export function changedParts({ base, values, enabled }: Draft): Part[] {
  return [...(enabled === base.enabled ? [] : (['enabled'] as const)), ...differing(base.values, values)];
}

export const isChanged = (draft: Draft): boolean => changedParts(draft).length > 0;

/**
 * Puts a draft on what is stored by now. What only they changed becomes theirs; what was typed here stays, and is
 * named where it clashes with theirs: people decide.
 */
export function rebase(draft: Draft, theirs: Stored): { draft: Draft; changes: ChangedPart[] } {
  const mine = new Set(changedParts(draft));
  const theirParts = changedParts({ base: draft.base, values: theirs.values, enabled: theirs.enabled });
  const values = { ...theirs.values };
  for (const part of mine) if (part !== 'enabled') assign(values, part, draft.values);
  const enabled = mine.has('enabled') ? draft.enabled : theirs.enabled;
  const rebased = { base: theirs, values, enabled };
  const still = new Set(changedParts(rebased));
  const changes = theirParts.map((part) => ({
    part,
    before: draft.base,
    theirs,
    clashes: mine.has(part) && still.has(part),
  }));
  return { draft: rebased, changes };
}

/** The draft with one part as it is stored. */
export function takeStored(draft: Draft, part: Part): Draft {
  if (part === 'enabled') return { ...draft, enabled: draft.base.enabled };
  const values = { ...draft.values };
  assign(values, part, draft.base.values);
  return { ...draft, values };
}

function assign<S extends Setting>(to: PolicyValues, setting: S, from: PolicyValues): void {
  to[setting] = from[setting];
}
