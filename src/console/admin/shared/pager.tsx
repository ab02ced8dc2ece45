import { Button } from '@mantine/core';
import { useState } from 'react';
import styles from './pager.module.css';

/** Pages by cursor: forward to where a page ended, back to where somebody was. */
export interface Pages {
  after: string | null;
  number: number;
  next(endCursor: string): void;
  previous(): void;
}

/** @param key of the list; another one starts at its first page */
export function usePages(key: string): Pages {
  const [state, setState] = useState<{ key: string; cursors: string[] }>({ key, cursors: [] });
  const cursors = state.key === key ? state.cursors : [];
  return {
    after: cursors.at(-1) ?? null,
    number: cursors.length + 1,
    next: (endCursor) => setState({ key, cursors: [...cursors, endCursor] }),
    previous: () => setState({ key, cursors: cursors.slice(0, -1) }),
  };
}

/** Nothing, while all there is stands on one page. */
export function Pager({
  pages,
  info,
  label,
  what,
}: {
  pages: Pages;
  info: { hasNextPage: boolean; endCursor: string | null };
  /** e.g. how many there are */
  label?: string;
  what: string;
}) {
  const { endCursor, hasNextPage } = info;
  if (pages.number === 1 && !hasNextPage && label === undefined) return null;
  return (
    <nav className={styles.pager} aria-label={`Pages of ${what}`}>
      <span>
        {label}
        {label && (pages.number > 1 || hasNextPage) && ' · '}
        {(pages.number > 1 || hasNextPage) && `Page ${pages.number}`}
      </span>
      {(pages.number > 1 || hasNextPage) && (
        <div className={styles.pagerButtons}>
          <Button variant="default" size="xs" disabled={pages.number === 1} onClick={() => pages.previous()}>
            Previous
          </Button>
          <Button
            variant="default"
            size="xs"
            disabled={!hasNextPage || endCursor === null}
            onClick={() => endCursor !== null && pages.next(endCursor)}
          >
            Next
          </Button>
        </div>
      )}
    </nav>
  );
}
