import {
  type CryptoKey,
  createLocalJWKSet,
  errors,
  type JSONWebKeySet,
  type JWTHeaderParameters,
} from 'jose';
import type { Clock } from '../shared/clock.ts';
import * as limits from '../shared/limits.ts';

/** Finds the key a token names. */
export interface KeySource {
  /** @throws KeysUnavailable, or JWKSNoMatchingKey of jose */
  find(header: JWTHeaderParameters): Promise<CryptoKey | Uint8Array>;
}

/** The key server does not answer and what we know of its keys is too old to be trusted. */
export class KeysUnavailable extends Error {
  override name = 'KeysUnavailable';
}

type Find = (header: JWTHeaderParameters) => Promise<CryptoKey | Uint8Array>;

/** Keys that are at hand, for the development key. */
export function localKeys(keys: JSONWebKeySet): KeySource {
  const find = createLocalJWKSet(keys) as Find;
  return { find };
}

/**
 * The keys of a JWKS endpoint [RFC 7517], cached (security.md JWT-2).
 *
 * jose's own remote set is not used: it fetches again on every call while the server is down, and
 * trusts no clock but its own. The rules here: keys serve for 10 minutes after the fetch that
 * brought them; past half of that they are renewed in the background; a key id that is not among
 * them causes at most one fetch in 30 s; a failed fetch is not repeated for 2 s, and calls in
 * between answer at once.
 */
export function remoteKeys(url: string, clock: Clock, fetchKeys = fetchJwks): KeySource {
  let known: { find: Find; at: number } | null = null;
  let attemptedAt = Number.NEGATIVE_INFINITY;
  let failed = false;
  let fetching: Promise<void> | null = null;

  const seconds = () => clock.now().getTime() / 1000;
  const ageSeconds = () => (known === null ? Number.POSITIVE_INFINITY : seconds() - known.at);
  const sinceAttempt = () => seconds() - attemptedAt;

  function refresh(): Promise<void> {
    attemptedAt = seconds();
    fetching ??= fetchKeys(url)
      .then(
        (keys) => {
          known = { find: createLocalJWKSet(keys) as Find, at: seconds() };
          failed = false;
        },
        () => {
          failed = true;
        },
      )
      .finally(() => {
        fetching = null;
      });
    return fetching;
  }

  return {
    async find(header) {
      if (ageSeconds() > limits.jwksAgeSecondsMax) {
        if (fetching !== null || !failed || sinceAttempt() >= limits.jwksRetrySeconds) await refresh();
        if (known === null || ageSeconds() > limits.jwksAgeSecondsMax) {
          throw new KeysUnavailable('The key server does not answer.');
        }
      } else if (
        ageSeconds() > limits.jwksRefreshSeconds &&
        sinceAttempt() >= limits.jwksFetchIntervalSeconds
      ) {
        void refresh();
      }
      const current = known as unknown as { find: Find };
      try {
        return await current.find(header);
      } catch (error) {
        const mayFetch = fetching !== null || sinceAttempt() >= limits.jwksFetchIntervalSeconds;
        if (!(error instanceof errors.JWKSNoMatchingKey) || !mayFetch) throw error;
        await refresh();
        return (known as unknown as { find: Find }).find(header);
      }
    },
  };
}

async function fetchJwks(url: string): Promise<JSONWebKeySet> {
  const response = await fetch(url, {
    headers: { accept: 'application/jwk-set+json, application/json' },
    redirect: 'error',
    signal: AbortSignal.timeout(limits.jwksFetchTimeoutMs),
  });
  if (!response.ok) throw new Error(`The key server answered ${response.status}.`);
  const keys = (await response.json()) as JSONWebKeySet;
  createLocalJWKSet(keys); // throws when it is no key set
  return keys;
}
