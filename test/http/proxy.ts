import { connect, createServer, type Socket } from 'node:net';
import { databaseSchema } from '../../src/database-schema.ts';
import { type Database, openDatabase } from '../../src/db/connection.ts';
import { databaseUrl } from '../setup/harness.ts';

/** A database behind a wire that can be cut and frozen. */
export interface Wire {
  database: Database;
  /** Ends every connection and refuses new ones. */
  cut(): void;
  /** Accepts everything and passes nothing on, as a database that hangs. */
  freeze(): void;
  mend(): void;
  /** The ports that the database sees connections come from. */
  ports(): number[];
  /** Ends one connection, by its port; new ones are let through. */
  cutOne(port: number): void;
  /** Passes nothing on any more on one connection. */
  freezeOne(port: number): void;
  close(): Promise<void>;
}

export async function wiredDatabase(): Promise<Wire> {
  const target = new URL(databaseUrl());
  let state: 'open' | 'cut' | 'frozen' = 'open';
  const sockets = new Set<Socket>();
  const pairs = new Set<[Socket, Socket]>();
  const wire = createServer((near) => {
    const far = connect(Number(target.port || 5432), target.hostname);
    const pair: [Socket, Socket] = [near, far];
    pairs.add(pair);
    for (const socket of pair) {
      const other = socket === near ? far : near;
      sockets.add(socket);
      socket.on('error', () => other.destroy());
      socket.on('close', () => {
        sockets.delete(socket);
        pairs.delete(pair);
        other.destroy();
      });
    }
    // With a plain end, as a server that shuts down: a reset is an error of Node's own realm, which
    // is no Error to code that jest has loaded.
    if (state === 'cut') near.once('data', () => near.end());
    else if (state === 'open') join(pair);
  });
  const pairOf = (port: number): [Socket, Socket] => {
    for (const pair of pairs) if (pair[1].localPort === port) return pair;
    throw new Error(`No connection comes from port ${port}.`);
  };
  const separate = ([near, far]: [Socket, Socket]) => {
    near.unpipe(far).pause();
    far.unpipe(near).pause();
  };
  const join = ([near, far]: [Socket, Socket]) => near.pipe(far).pipe(near);
  await new Promise<void>((resolve) => wire.listen(0, '127.0.0.1', resolve));
  const url = new URL(target);
  const address = wire.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  url.hostname = '127.0.0.1';
  url.port = String(address.port);
  const database = await openDatabase({ url: url.href, schema: databaseSchema });
  return {
    database,
    cut() {
      state = 'cut';
      for (const socket of sockets) socket.end();
    },
    freeze() {
      state = 'frozen';
      for (const pair of pairs) separate(pair);
    },
    mend() {
      if (state === 'frozen') for (const pair of pairs) join(pair);
      state = 'open';
    },
    ports: () => [...pairs].flatMap(([, far]) => far.localPort ?? []),
    cutOne: (port) => pairOf(port).forEach((socket) => void socket.end()),
    freezeOne: (port) => separate(pairOf(port)),
    async close() {
      await database.close();
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => wire.close(resolve));
    },
  };
}
