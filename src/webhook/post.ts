import {
  type ClientRequest,
  request as httpRequest,
  type IncomingMessage,
  type RequestOptions,
} from 'node:http';
import { request as httpsRequest } from 'node:https';
import { webhookAnswerBytesMax } from '../shared/limits.ts';
import { AddressNotAllowed, guardedLookup, isReachableAddress, literalAddress } from './address.ts';

export interface Message {
  url: string;
  headers: Record<string, string>;
  body: string;
}

export interface PostOptions {
  /** Whether the machine itself may be reached, as in development. */
  loopback: boolean;
  timeoutMs: number;
  /** Gives the attempt up. */
  signal: AbortSignal;
}

/** What came of an attempt. `reason` is a few words of ours: nothing that the receiver said. */
export type Outcome =
  | { kind: 'delivered' }
  /** 410: the receiver wants no more. */
  | { kind: 'gone'; reason: string }
  /** What was to be sent is there no more. */
  | { kind: 'lost'; reason: string }
  | { kind: 'failed'; reason: string };

/**
 * Sends one message. Redirects are not followed, and what the receiver says beside the status is not
 * read. Never rejects, save with the signal's reason.
 */
export async function post(message: Message, options: PostOptions): Promise<Outcome> {
  const timeout = AbortSignal.timeout(options.timeoutMs);
  try {
    return outcomeOf(await statusOf(message, options, AbortSignal.any([timeout, options.signal])));
  } catch (error) {
    options.signal.throwIfAborted();
    return { kind: 'failed', reason: timeout.aborted ? 'timeout' : reasonOf(error) };
  }
}

function outcomeOf(status: number): Outcome {
  if (status >= 200 && status < 300) return { kind: 'delivered' };
  return { kind: status === 410 ? 'gone' : 'failed', reason: `status ${status}` };
}

function statusOf(
  { url, headers, body }: Message,
  options: PostOptions,
  signal: AbortSignal,
): Promise<number> {
  const { hostname, protocol } = new URL(url);
  const address = literalAddress(hostname);
  // A literal address is never looked up.
  if (address !== null && !isReachableAddress(address, options.loopback)) throw new AddressNotAllowed();
  return new Promise((resolve, reject) => {
    const begin: (url: string, options: RequestOptions) => ClientRequest =
      protocol === 'https:' ? httpsRequest : httpRequest;
    const request = begin(url, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'content-length': String(Buffer.byteLength(body)),
        'user-agent': 'Cufflink-Webhooks/1',
        ...headers,
      },
      // A connection of its own for each: none is found half closed, and each is looked up anew.
      agent: false,
      lookup: guardedLookup(options.loopback),
      signal,
    });
    request.on('error', reject);
    // A request that is destroyed already hears of no signal; it must not be waited for all the same.
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
    // Without a listener for it, Node drops the connection of a 101 and says nothing.
    request.once('upgrade', (response, socket) => {
      socket.destroy();
      resolve(response.statusCode ?? 0);
    });
    request.once('response', (response) => pass(response, () => resolve(response.statusCode ?? 0)));
    request.end(body);
  });
}

/** Lets an answer's body go by, up to a bound. */
function pass(response: IncomingMessage, done: () => void): void {
  let bytes = 0;
  response.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > webhookAnswerBytesMax) response.destroy();
  });
  // The status counts, however the rest ends.
  response.on('error', () => {});
  response.once('close', done);
}

const reasons: Record<string, string> = {
  ECONNREFUSED: 'refused',
  ECONNRESET: 'connection reset',
  EPIPE: 'connection reset',
  ENOTFOUND: 'unknown host',
  EAI_AGAIN: 'unknown host',
  ETIMEDOUT: 'timeout',
  EHOSTUNREACH: 'unreachable',
  ENETUNREACH: 'unreachable',
};

function reasonOf(error: unknown): string {
  if (error instanceof AddressNotAllowed) return 'address not allowed';
  const { code = '' } = error as { code?: string };
  if (/CERT|SSL|TLS|SELF_SIGNED|UNABLE_TO/.test(code)) return 'certificate';
  return reasons[code] ?? 'connection failed';
}
