import { once } from 'node:events';
import { rm, stat } from 'node:fs/promises';
import { connect, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * Takes a folder for this process alone, until it is released or the process ends, however it ends.
 * The lock is a listening socket, which the kernel closes with its process. On Linux its name is an
 * abstract one that leaves no file behind.
 * @returns the release; null when another process holds the folder
 */
export async function lockFolder(folder: string): Promise<(() => Promise<void>) | null> {
  const { dev, ino } = await stat(folder);
  const name = `cufflink-${dev}-${ino}`;
  const lock =
    process.platform === 'linux' ? await listen(`\0${name}`) : await listenOnFile(join(tmpdir(), name));
  if (lock === null) return null;
  return async () => {
    lock.close();
    await once(lock, 'close');
  };
}

/** Elsewhere the name is a file: one that nobody listens on any more is taken over. */
async function listenOnFile(path: string): Promise<Server | null> {
  const lock = await listen(path);
  if (lock !== null || (await isListening(path))) return lock;
  await rm(path, { force: true });
  return listen(path);
}

async function listen(path: string): Promise<Server | null> {
  const server = createServer((socket) => socket.destroy());
  server.unref();
  server.listen(path);
  try {
    await once(server, 'listening');
    return server;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EADDRINUSE') return null;
    throw error;
  }
}

async function isListening(path: string): Promise<boolean> {
  const socket = connect(path);
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
