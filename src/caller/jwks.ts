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
  /** @throws KeysUnavailable, or an error of jose: no key, or more than one, fits the header */
  find: FindKey;
}

type FindKey = (header: JWTHeaderParameters) => Promise<CryptoKey>;

/** The key server does not answer and what we know of its keys is too old to be trusted. */
export class KeysUnavailable extends Error {
  override name = 'KeysUnavailable';
}

/** Keys that are at hand, for the development key. */
export function localKeys(keys: JSONWebKeySet): KeySource {
  return { find: createLocalJWKSet(keys) };
}

/**
 * The keys of a JWKS endpoint [RFC 7517], cached (security.md JWT-2).
 *
 * 1. Keys serve for 10 minutes after the fetch that brought them; past that, calls wait for new
 *    ones or are refused as KeysUnavailable.
 * 2. Past half of that they are renewed in the background.
 * 3. A key id that is not among them may be a new one: it causes a fetch, at most once in 30 s.
 * 4. There is one fetch at a time, and none within 2 s of a failed one: calls in between are
 *    answered at once from what is known.
 *
 * jose's own remote set is not used: it fetches again on every call while the server is down, and
 * trusts no clock but its own.
 */
export function remoteKeys(url: string, clock: Clock): KeySource {
  const elapsedSeconds = stopwatch(clock);
  let known: { find: FindKey; at: number } | null = null;
  let failed: { reason: string; at: number } | null = null;
  let missedAt = Number.NEGATIVE_INFINITY;
  let fetching: Promise<void> | null = null;

  const ageSeconds = () => (known === null ? Number.POSITIVE_INFINITY : elapsedSeconds() - known.at);

  /** Never rejects: whether it brought anything shows in what is usable. */
  function refresh(): Promise<void> {
    if (fetching !== null) return fetching;
    if (failed !== null && elapsedSeconds() - failed.at < limits.jwksRetrySeconds) return Promise.resolve();
    fetching = fetchKeys(url)
      .then(
        (find) => {
          known = { find, at: elapsedSeconds() };
          failed = null;
        },
        (error: unknown) => {
          failed = { reason: reasonOf(error), at: elapsedSeconds() };
        },
      )
      .finally(() => {
        fetching = null;
      });
    return fetching;
  }

  function usable(): FindKey {
    if (known === null || ageSeconds() > limits.jwksAgeSecondsMax) {
      throw new KeysUnavailable(`The key server ${hostOf(url)} gives no keys: ${failed?.reason}`);
    }
    return known.find;
  }

  return {
    async find(header) {
      const stale = ageSeconds() > limits.jwksAgeSecondsMax;
      if (stale) await refresh();
      else if (ageSeconds() > limits.jwksRefreshSeconds) void refresh();
      try {
        return await usable()(header);
      } catch (error) {
        if (!(error instanceof errors.JWKSNoMatchingKey)) throw error;
        const mayRefresh =
          fetching !== null || elapsedSeconds() - missedAt >= limits.jwksFetchIntervalSeconds;
        if (!stale && !mayRefresh) throw error;
        missedAt = elapsedSeconds();
        if (stale) throw error; // the fetch just waited for was this key's, too
        await refresh();
        return usable()(header);
      }
    },
  };
}

/**
 * Seconds that only grow. A clock that was set back hides how much time went by: too much is
 * assumed rather than too little, so that keys are fetched anew and not served past their age.
 */
function stopwatch(clock: Clock): () => number {
  let lastMs = clock.now().getTime();
  let elapsedMs = 0;
  return () => {
    const nowMs = clock.now().getTime();
    elapsedMs += nowMs >= lastMs ? nowMs - lastMs : (limits.jwksAgeSecondsMax + 1) * 1000;
    lastMs = nowMs;
    return elapsedMs / 1000;
  };
}

async function fetchKeys(url: string): Promise<FindKey> {
  const response = await fetch(url, {
    headers: { accept: 'application/jwk-set+json, application/json' },
    redirect: 'error',
    signal: AbortSignal.timeout(limits.jwksFetchTimeoutMs),
  });
  if (!response.ok) throw new BadAnswer(`it answered ${response.status}`);
  const keys = (await response.json().catch((error) => {
    throw (error as Error).name === 'SyntaxError' ? new BadAnswer('its answer is no JSON') : error;
  })) as JSONWebKeySet;
  return createLocalJWKSet(keys); // throws when it is no key set
}

/** The key server's fault, in words of ours. */
class BadAnswer extends Error {}

/** Without what may be secret in an address: user, password and query string. */
const hostOf = (url: string): string => URL.parse(url)?.host ?? 'of JWT_JWKS_URL';

/** In words that hold nothing of the address but its host, nor of what was answered. */
function reasonOf(error: unknown): string {
  if (error instanceof BadAnswer || error instanceof errors.JOSEError) return error.message;
  const { name, cause } = error as Error;
  if (name === 'TimeoutError') return `no answer within ${limits.jwksFetchTimeoutMs} ms`;
  // fetch says "fetch failed", and in the cause why: a code of the network or of TLS.
  const { code, message } = (cause ?? {}) as Partial<NodeJS.ErrnoException>;
  return [code, message].filter(Boolean).join(': ') || name;
}
