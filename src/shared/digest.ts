import { createHash } from 'node:crypto';

/**
 * SHA-256 over parts that cannot be confused with one another: ["a", "bc"] and ["ab", "c"] differ.
 * For identity, not for secrets; those are digested with a key.
 * @returns base64url, 43 characters
 */
export function digestOf(...parts: readonly (string | undefined)[]): string {
  return createHash('sha256')
    .update(JSON.stringify(parts.map((part) => part ?? null)))
    .digest('base64url');
}

/** JSON with sorted keys: equal values give equal text, in whatever order they were written. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) =>
    inner !== null && typeof inner === 'object' && !Array.isArray(inner) && !(inner instanceof Date)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}
