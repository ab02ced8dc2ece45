import { CallError } from '../../../client/client.ts';

/** Why a request has no answer that can be shown. */
export type ProblemKind =
  /** No server, none that answers, or one that asks to come back later. */
  | 'unavailable'
  /** The token is missing, expired or no good. */
  | 'unauthenticated'
  /** The token lacks a scope. */
  | 'forbidden'
  /** What was asked for is not there, or not for this caller. */
  | 'missing'
  | 'unexpected';

export interface Problem {
  kind: ProblemKind;
  message: string;
  /** Names the answer in the server's log. */
  requestId: string | null;
}

/** What an address names is not there. */
export class Missing extends Error {
  override name = 'Missing';
}

/** What was thrown, as something that can be shown to people. */
export function problemOf(thrown: unknown): Problem {
  if (thrown instanceof Missing) return { kind: 'missing', message: thrown.message, requestId: null };
  if (!(thrown instanceof CallError))
    return { kind: 'unexpected', message: 'Something went wrong in this page.', requestId: null };
  const { code, message, requestId } = thrown;
  if (thrown.isPassing) return { kind: 'unavailable', message, requestId };
  if (code === 'UNAUTHENTICATED') return { kind: 'unauthenticated', message, requestId };
  if (code === 'FORBIDDEN') return { kind: 'forbidden', message, requestId };
  return { kind: 'unexpected', message, requestId };
}
