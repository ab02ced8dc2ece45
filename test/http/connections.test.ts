import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { getIntrospectionQuery } from 'graphql';
import { headersTimeoutMs, requestTimeoutMs, timeoutCheckMs } from '../../src/shared/limits.ts';
import { startTestServer, type TestServer } from '../setup/harness.ts';

/* Connections that hold what they do not use: each has a limit. */

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
});
afterAll(() => server.stop());

/** What comes back for these bytes until the connection is closed. */
const answerTo = ({ url }: { url: string }, bytes: string): Promise<string> =>
  new Promise((resolve, reject) => {
    const socket = connect(Number(new URL(url).port), '127.0.0.1', () => socket.write(bytes));
    let text = '';
    socket.on('data', (data) => {
      text += data;
    });
    socket.on('close', () => resolve(text));
    socket.on('error', reject);
  });

test('REL-6: headers that do not end are answered with 408, in time', async () => {
  const startedAt = performance.now();
  const answer = await answerTo(server, 'POST /graphql HTTP/1.1\r\nhost: x\r\n');
  expect(answer).toContain('HTTP/1.1 408 Request Timeout');
  expect(performance.now() - startedAt).toBeLessThan(headersTimeoutMs + 3 * timeoutCheckMs);
});

test('REL-6: a body that does not end is answered with 408, in time', async () => {
  const startedAt = performance.now();
  const answer = await answerTo(
    server,
    'POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{',
  );
  expect(answer).toContain('HTTP/1.1 408 Request Timeout');
  expect(answer).toContain('The request took too long to arrive.');
  const milliseconds = performance.now() - startedAt;
  expect(milliseconds).toBeGreaterThan(requestTimeoutMs - timeoutCheckMs);
  expect(milliseconds).toBeLessThan(requestTimeoutMs + 3 * timeoutCheckMs);
}, 30_000);

test('REL-6: past so many connections new ones are closed, and those that are there are served', async () => {
  const at = await startTestServer({ connectionsMax: 2 });
  const port = Number(new URL(at.url).port);
  const open = await Promise.all(
    [1, 2].map(async () => {
      const socket = connect(port, '127.0.0.1');
      await once(socket, 'connect');
      return socket;
    }),
  );
  const third = connect(port, '127.0.0.1');
  third.on('error', () => {});
  await new Promise((resolve) => third.on('close', resolve));
  for (const socket of open) {
    socket.write('GET /health/live HTTP/1.1\r\nhost: x\r\n\r\n');
    const [data] = await once(socket, 'data');
    expect(String(data)).toContain('HTTP/1.1 200 OK');
    socket.destroy();
  }
  await at.stop();
});

test('REL-6: who takes no answers for too long is disconnected, and what was not taken is forgotten', async () => {
  const at = await startTestServer({ connectionTimeoutMs: 1_000 });
  const asked = 100;
  const body = JSON.stringify({ query: getIntrospectionQuery() });
  const head = `POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n`;
  const socket = connect(Number(new URL(at.url).port), '127.0.0.1');
  // The server may end it with a reset.
  socket.on('error', () => {});
  await once(socket, 'connect');
  socket.pause();
  socket.write((head + body).repeat(asked));
  // Answers fill what the two sides' kernels hold, and then nothing is taken any more.
  await sleep(8_000);
  let answers = 0;
  const closed = new Promise((resolve) => socket.on('close', resolve));
  socket.on('data', (data) => {
    answers += String(data).split('HTTP/1.1 200 OK').length - 1;
  });
  socket.resume();
  await closed;
  expect(answers).toBeGreaterThan(0);
  expect(answers).toBeLessThan(asked);
  await at.stop();
}, 60_000);
