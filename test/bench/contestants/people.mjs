import { createHash } from 'node:crypto';

/** Users whose authenticator the bench holds: the n-th, by a number from 0. */
export function personOf(n) {
  const number = String(n).padStart(6, '0');
  const secret = createHash('sha1').update(`bench ${n}`).digest();
  return { id: `bench-u${number}`, email: `user-${number}@bench.example`, secret };
}
