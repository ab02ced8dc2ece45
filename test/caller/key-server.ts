import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { JWK } from 'jose';

export type Respond = (response: ServerResponse) => void;

/** The key server of an issuer: a real one, that can be told to misbehave. */
export interface KeyServer {
  url: string;
  /** Paths asked for so far. */
  asked: string[];
  /** From now on answers like this. */
  answer(respond: Respond): void;
  stop(): Promise<void>;
}

export async function startKeyServer(respond: Respond): Promise<KeyServer> {
  const asked: string[] = [];
  let current = respond;
  const server = createServer((request, response) => {
    asked.push(request.url ?? '');
    current(response);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    answer(next) {
      current = next;
    },
    async stop() {
      server.close();
      server.closeAllConnections();
    },
  };
}

export const keySet =
  (...keys: readonly JWK[]): Respond =>
  (response) => {
    response.setHeader('content-type', 'application/jwk-set+json').end(JSON.stringify({ keys }));
  };

export const text =
  (body: string, status = 200, headers: Record<string, string> = {}): Respond =>
  (response) => {
    response.writeHead(status, headers).end(body);
  };

/** Takes the request and never answers. */
export const hang: Respond = () => {};

/** Sends a beginning and never ends. */
export const stall: Respond = (response) => {
  response.writeHead(200, { 'content-type': 'application/json' }).write('{"keys":[');
};

/** Breaks the connection. */
export const hangUp: Respond = (response) => {
  response.destroy();
};
