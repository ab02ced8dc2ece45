import { Button, Skeleton } from '@mantine/core';
import type { UseQueryResult } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { problemOf } from '../api/problem.ts';
import styles from './shared.module.css';

/** What a query answers: lines in its place while it is on the way, and what is wrong where nothing came. */
export function Loaded<Data>({
  query,
  lines = 4,
  children,
}: {
  query: UseQueryResult<Data>;
  lines?: number;
  children: (data: Data) => ReactNode;
}) {
  if (query.data !== undefined) return children(query.data);
  if (query.isError)
    return <ProblemView thrown={query.error} retry={() => void query.refetch()} busy={query.isFetching} />;
  return <Lines count={lines} />;
}

export function Lines({ count }: { count: number }) {
  return (
    <div className={styles.cardBody} role="status" aria-label="Loading">
      {Array.from({ length: count }, (_, n) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: they are all alike and never move
        <Skeleton key={n} height={14} mt={n === 0 ? 4 : 14} width={`${92 - ((n * 17) % 38)}%`} />
      ))}
    </div>
  );
}

const titles = {
  unavailable: 'The server can’t be reached',
  unauthenticated: 'You are not signed in any more',
  forbidden: 'Your account may not see this',
  missing: 'Nothing is here',
  unexpected: 'This could not be shown',
};

function ProblemView({ thrown, retry, busy }: { thrown: unknown; retry?: () => void; busy?: boolean }) {
  const { kind, message, requestId } = problemOf(thrown);
  return (
    <div className={styles.problem} role="alert">
      <p className={styles.problemTitle}>{titles[kind]}</p>
      <p className={styles.muted}>
        {kind === 'unavailable' ? `${message} It is asked again every few seconds.` : message}
        {kind === 'unexpected' && requestId && ` In the server's log it is request ${requestId}.`}
      </p>
      {retry && kind !== 'forbidden' && (
        <Button variant="default" size="xs" onClick={retry} loading={busy ?? false}>
          Try again
        </Button>
      )}
    </div>
  );
}

/** Why a write has no answer. It may have been carried out all the same, and the page can't know. */
export function WriteProblem({ thrown }: { thrown: unknown }) {
  const { kind, message } = problemOf(thrown);
  return kind === 'unavailable'
    ? `${message} It may have been saved all the same: look before you repeat it.`
    : message;
}
