import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { jest } from '@jest/globals';
import { Webhook } from 'standardwebhooks';

/** A message as its receiver got it, its signature verified. */
export interface Received {
  id: string;
  type: string;
  timestamp: string;
  tenantId: string | null;
  data: Record<string, unknown>;
  headers: Record<string, string>;
  body: string;
}

/** A status to answer with, or what else becomes of the message. */
type Answer = number | 'hang' | ((response: ServerResponse) => void);

/** Receives webhooks as the customers of an application do, with the standard's own library. */
export interface Receiver {
  url: string;
  /** What was answered with a 2xx, in the order in which it came. */
  received: Received[];
  /** Everything that came, also what was refused. */
  attempts: Received[];
  /** Messages whose signature was wrong. */
  forged: string[];
  /** What is accepted as the sender's secret. */
  secret: string;
  answer: (message: Received) => Answer | Promise<Answer>;
  /** Ends every connection and refuses new ones. */
  kill(): Promise<void>;
  restart(): Promise<void>;
}

const receivers: Receiver[] = [];

/** For afterEach. */
export const stopReceivers = () => Promise.all(receivers.splice(0).map((receiver) => receiver.kill()));

export async function startReceiver(): Promise<Receiver> {
  let server: Server | null = null;
  let port = 0;
  const receiver: Receiver = {
    url: '',
    received: [],
    attempts: [],
    forged: [],
    secret: '',
    answer: () => 204,
    async kill() {
      const closing = server;
      server = null;
      if (closing === null) return;
      const closed = new Promise((resolve) => closing.close(resolve));
      closing.closeAllConnections();
      await closed;
    },
    async restart() {
      const opening = createServer(async (request, response) => {
        const chunks: Buffer[] = [];
        try {
          for await (const chunk of request) chunks.push(chunk as Buffer);
        } catch {
          return; // we were killed
        }
        const body = Buffer.concat(chunks).toString();
        const message = verified(receiver.secret, body, request.headers as Record<string, string>);
        if (message === null) {
          receiver.forged.push(body);
          response.writeHead(400).end();
          return;
        }
        receiver.attempts.push(message);
        const answer = await receiver.answer(message);
        if (server !== opening || answer === 'hang') return;
        if (typeof answer === 'function') return answer(response);
        if (answer >= 200 && answer < 300) receiver.received.push(message);
        response.writeHead(answer).end(answer < 300 ? undefined : 'Canary7f3a, an answer that nobody reads');
      });
      await new Promise<void>((resolve) => opening.listen(port, '127.0.0.1', resolve));
      server = opening;
      ({ port } = opening.address() as AddressInfo);
      receiver.url = `http://127.0.0.1:${port}/hooks?token=CanaryPath7f3a`;
    },
  };
  await receiver.restart();
  receivers.push(receiver);
  return receiver;
}

/**
 * The message, if the library takes its signature. It knows no clock but the system's, and the
 * tests' clocks jump: so it is asked at the moment that the message claims, which is signed too.
 */
export function verified(secret: string, body: string, headers: Record<string, string>): Received | null {
  const at = Number(headers['webhook-timestamp']) * 1000;
  const now = jest.spyOn(Date, 'now').mockReturnValue(at);
  try {
    const { type, timestamp, data } = new Webhook(secret).verify(body, headers) as Pick<
      Received,
      'type' | 'timestamp' | 'data'
    >;
    const id = headers['webhook-id'] ?? '';
    return { id, type, timestamp, data, tenantId: data['tenantId'] as string | null, headers, body };
  } catch {
    return null;
  } finally {
    now.mockRestore();
  }
}
