import { webhookUrlCharsMax } from '../shared/limits.ts';
import { isPrintable } from '../shared/text.ts';
import { isLoopbackHost, isReachableAddress, literalAddress } from './address.ts';

/**
 * What is wrong with the URL of an endpoint; null when nothing is. In this order:
 *
 * 1. It is a URL of at most 2,000 characters, without control characters.
 * 2. It is https; http only to the machine itself, and only where `loopback` is allowed.
 * 3. It has no credentials, which would be kept in plain text, and no fragment, which is never sent.
 * 4. An address written in it may be reached. What a name resolves to is judged at each connection.
 */
export function urlProblem(text: string, loopback: boolean): string | null {
  const url = text.length <= webhookUrlCharsMax && isPrintable(text) ? URL.parse(text) : null;
  if (url === null) return `must be a URL of at most ${webhookUrlCharsMax} characters`;
  const isOwn = loopback && isLoopbackHost(url.hostname);
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && isOwn)) return 'must start with https://';
  if (url.username !== '' || url.password !== '') {
    return 'must not have credentials; the signature says who sends';
  }
  if (text.includes('#')) return 'must not have a fragment';
  const address = literalAddress(url.hostname);
  if (address !== null && !isReachableAddress(address, loopback)) {
    return 'must not lead to a private, local or reserved address';
  }
  return null;
}
