import { type Client, createClient } from '../../client/client.ts';

/**
 * Where the server stands that this page came from. Pages are served at different depths, and a proxy may have put a
 * path before them all.
 * @param toRoot from the page to the root, e.g. '.' or '..'
 */
export const serverUrl = (path: string, toRoot: string): URL =>
  new URL(`${toRoot}/${path}`, `${location.origin}${location.pathname}`);

/** A client of this page's own server. */
export const ownClient = (toRoot: string, token?: () => string | null): Client =>
  createClient({ url: serverUrl('graphql', toRoot), ...(token && { token }) });
