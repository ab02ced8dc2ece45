import { connect, createServer, type Socket } from 'node:net';

/** A TCP connection to a database that can be cut, frozen, slowed and told to lose answers. */
export interface Wire {
  port: number;
  /** Ends every connection and refuses new ones. */
  cut(): void;
  /** Accepts everything and passes nothing on, as a database that hangs. */
  freeze(): void;
  mend(): void;
  /** Leads new connections elsewhere: a database that came back has another port. */
  lead(port: number): void;
  /** Passes nothing on, in either direction, before so many milliseconds. */
  delay(ms: number): void;
  /** Told of all that is sent to the database; answers whether the answer to it is to be lost, with its connection. */
  watch(loses: ((sent: Buffer) => boolean) | null): void;
  /** The ports that the database sees connections come from. */
  ports(): number[];
  /** Ends one connection, by its port; new ones are let through. */
  cutOne(port: number): void;
  /** Passes nothing on any more on one connection. */
  freezeOne(port: number): void;
  close(): Promise<void>;
}

interface Pair {
  near: Socket;
  far: Socket;
  isFrozen: boolean;
  /** What is sent is passed on, and what is answered is not. */
  isLosing: boolean;
}

/** How long a database is given to do what it was told before the connection is cut. */
const losingMs = 50;

export async function startWire(host: string, target: number): Promise<Wire> {
  let port = target;
  let state: 'open' | 'cut' | 'frozen' = 'open';
  let delayMs = 0;
  let loses: ((sent: Buffer) => boolean) | null = null;
  const pairs = new Set<Pair>();

  const pass = (pair: Pair, to: Socket, chunk: Buffer): void => {
    const send = () => {
      if (!to.destroyed) to.write(chunk);
    };
    if (to === pair.far && loses?.(chunk)) {
      pair.isLosing = true;
      setTimeout(() => end(pair), losingMs);
    }
    if (to === pair.near && pair.isLosing) return;
    if (delayMs > 0) setTimeout(send, delayMs);
    else send();
  };
  // With a plain end, as a server that shuts down: a reset is an error of Node's own realm, which is no
  // Error to code that jest has loaded.
  const end = ({ near, far }: Pair): void => {
    near.end();
    far.end();
  };
  const setFrozen = (pair: Pair, isFrozen: boolean): void => {
    pair.isFrozen = isFrozen;
    for (const socket of [pair.near, pair.far]) {
      if (isFrozen) socket.pause();
      else socket.resume();
    }
  };

  const server = createServer((near) => {
    if (state === 'cut') {
      near.on('error', () => near.destroy());
      near.once('data', () => near.end());
      return;
    }
    const far = connect(port, host);
    const pair: Pair = { near, far, isFrozen: false, isLosing: false };
    pairs.add(pair);
    for (const socket of [near, far]) {
      const other = socket === near ? far : near;
      socket.on('data', (chunk: Buffer) => pass(pair, other, chunk));
      socket.on('end', () => other.end());
      socket.on('error', () => other.destroy());
      socket.on('close', () => {
        pairs.delete(pair);
        other.destroy();
      });
    }
    if (state === 'frozen') setFrozen(pair, true);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');

  const pairOf = (of: number): Pair => {
    for (const pair of pairs) if (pair.far.localPort === of) return pair;
    throw new Error(`No connection comes from port ${of}.`);
  };
  return {
    port: address.port,
    cut() {
      state = 'cut';
      for (const pair of pairs) end(pair);
    },
    freeze() {
      state = 'frozen';
      for (const pair of pairs) setFrozen(pair, true);
    },
    mend() {
      state = 'open';
      for (const pair of pairs) setFrozen(pair, false);
    },
    lead(to) {
      port = to;
    },
    delay(ms) {
      delayMs = ms;
    },
    watch(told) {
      loses = told;
    },
    ports: () => [...pairs].flatMap(({ far }) => far.localPort ?? []),
    cutOne: (of) => end(pairOf(of)),
    freezeOne: (of) => setFrozen(pairOf(of), true),
    async close() {
      for (const { near, far } of pairs) {
        near.destroy();
        far.destroy();
      }
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
