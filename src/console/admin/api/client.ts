import { CallError, type TypedDocument } from '../../../client/client.ts';
import { ownClient } from '../../shared/api.ts';
import { renew } from '../session/renew.ts';
import { currentToken, expire } from '../session/token-store.ts';

const client = ownClient('.', currentToken);

/**
 * One call of this page's server, as whoever is signed in. A call whose token was refused has done nothing, so it is
 * made again with a new one, where there is one to be had.
 * @throws CallError
 */
export async function call<Result, Variables>(
  document: TypedDocument<Result, Variables>,
  variables: Variables,
  signal?: AbortSignal,
): Promise<Result> {
  const options = signal ? { signal } : {};
  const token = currentToken();
  try {
    return await client.call(document, variables, options);
  } catch (error) {
    if (!(error instanceof CallError) || error.code !== 'UNAUTHENTICATED') throw error;
    if (await renew(token)) return client.call(document, variables, options);
    expire(token);
    throw error;
  }
}
