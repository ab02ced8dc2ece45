import { MantineProvider } from '@mantine/core';
import { QueryClientProvider } from '@tanstack/react-query';
import { lazy, Suspense, useEffect, useState, useSyncExternalStore } from 'react';
import { createQueryClient } from './api/query-client.ts';
import { Console } from './console.tsx';
import { styleNonce } from './nonce.ts';
import { SignInAgain } from './session/sign-in-again.tsx';
import { SignInPage } from './session/sign-in-page.tsx';
import { sessionState, subscribeSession } from './session/token-store.ts';
import { Announcer } from './shared/announce.tsx';
import { Failure } from './shared/failure.tsx';
import { theme, variables } from './theme.ts';

const SignInReturn = lazy(() => import('./session/sign-in-return.tsx'));

export function App() {
  const [client] = useState(createQueryClient);
  return (
    <MantineProvider
      theme={theme}
      cssVariablesResolver={variables}
      defaultColorScheme="auto"
      getStyleNonce={styleNonce}
    >
      <QueryClientProvider client={client}>
        <Failure>
          <Announcer>
            <Session
              clearCache={() =>
                client.removeQueries({ predicate: ({ queryKey }) => queryKey[0] !== 'settings' })
              }
              askAnew={() => void client.invalidateQueries()}
            />
          </Announcer>
        </Failure>
      </QueryClientProvider>
    </MantineProvider>
  );
}

/** Nothing of one who has signed out is there for the next. What a token expired under stays on the screen. */
function Session({ clearCache, askAnew }: { clearCache: () => void; askAnew: () => void }) {
  const state = useSyncExternalStore(subscribeSession, sessionState);
  const [returning, setReturning] = useState(isReturning(location.search));
  const [problem, setProblem] = useState<string | null>(null);
  const token = state.status === 'signedIn' ? state.session.token : null;
  // biome-ignore lint/correctness/useExhaustiveDependencies: only another token or its end makes it happen
  useEffect(() => {
    if (state.status === 'signedOut') clearCache();
    if (token !== null) {
      setProblem(null);
      askAnew();
    }
  }, [state.status, token]);

  if (returning)
    return (
      <Suspense>
        <SignInReturn
          onDone={(why) => {
            setProblem(why);
            setReturning(false);
          }}
        />
      </Suspense>
    );
  if (state.status === 'signedOut') return <SignInPage problem={problem} />;
  return (
    <>
      <Console />
      {state.status === 'expired' && <SignInAgain />}
    </>
  );
}

/** Whether an issuer has just sent the browser back. */
function isReturning(search: string): boolean {
  const query = new URLSearchParams(search);
  return query.has('state') && (query.has('code') || query.has('error'));
}
