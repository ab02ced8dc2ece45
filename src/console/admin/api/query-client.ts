import { QueryClient } from '@tanstack/react-query';
import { problemOf } from './problem.ts';

/** A first answer that does not come is asked for again after 1 and 2 s; then every 5 s, as long as somebody looks. */
const retriesMax = 2;
const askAgainMs = 5_000;

/**
 * What was read stays on the screen while it is read anew. Only what a later try can mend is tried again, and a write
 * never: it may have been carried out, so people decide.
 */
export function createQueryClient(): QueryClient {
  const isPassing = (thrown: unknown) => problemOf(thrown).kind === 'unavailable';
  return new QueryClient({
    defaultOptions: {
      queries: {
        retry: (count, error) => isPassing(error) && count < retriesMax,
        retryDelay: (count) => 1_000 * 2 ** count,
        // Whether the browser thinks it is online says little of a server on the same machine.
        networkMode: 'always',
        staleTime: 5_000,
        refetchInterval: ({ state }) =>
          state.status === 'error' && isPassing(state.error) ? askAgainMs : false,
      },
      mutations: { networkMode: 'always', retry: false },
    },
  });
}
