import type { TypedDocument } from '../../../client/client.ts';
import { ownClient } from '../../shared/api.ts';
import { currentToken } from '../session/token-store.ts';

const client = ownClient('.', currentToken);

/**
 * One call of this page's server, as whoever is signed in.
 * @throws CallError
 */
export const call = <Result, Variables>(
  document: TypedDocument<Result, Variables>,
  variables: Variables,
  signal?: AbortSignal,
): Promise<Result> => client.call(document, variables, signal ? { signal } : {});
