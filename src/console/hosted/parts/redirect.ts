import { forgetToken } from '../token.ts';

/** What people know a place by. */
export const originOf = (url: string): string => new URL(url).host;

/**
 * Leaves for the place that startMfa named; the server tells only addresses of allowed origins. It replaces this page, so
 * that the browser's Back does not lead into a step that is over.
 */
export function leaveFor(url: string): void {
  if (!/^https?:$/.test(new URL(url).protocol)) return;
  forgetToken();
  location.replace(url);
}
