import { useMemo, useSyncExternalStore } from 'react';
import { hrefOf, parseRoute, type Route } from './route.ts';

const subscribe = (changed: () => void): (() => void) => {
  window.addEventListener('hashchange', changed);
  return () => window.removeEventListener('hashchange', changed);
};

const hashNow = (): string => window.location.hash;

export function useRoute(): Route {
  const hash = useSyncExternalStore(subscribe, hashNow);
  return useMemo(() => parseRoute(hash), [hash]);
}

/** @param replace whether Back skips where the browser is now */
export function navigate(route: Route, replace = false): void {
  if (!replace) {
    window.location.hash = hrefOf(route);
    return;
  }
  window.history.replaceState(null, '', hrefOf(route));
  window.dispatchEvent(new HashChangeEvent('hashchange'));
}
