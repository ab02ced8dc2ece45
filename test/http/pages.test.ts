import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { repository } from '../process/servers.ts';
import { startTestServer, type TestServer } from '../setup/harness.ts';
import { send } from './send.ts';

/* How the pages for browsers are served, as `npm run build` has built them. What they do is tested in test/browser. */

const built = join(repository, 'dist');
let server: TestServer;
let production: TestServer;
beforeAll(async () => {
  server = await startTestServer({ pages: { folder: built, graphiql: true } });
  production = await startTestServer({ pages: { folder: built, graphiql: false } });
});
afterAll(() => Promise.all([server.stop(), production.stop()]));

/** A policy, directive by directive. */
const policyOf = (headers: Headers): Record<string, string> =>
  Object.fromEntries(
    (headers.get('content-security-policy') ?? '').split(';').map((directive) => {
      const [name = '', ...sources] = directive.trim().split(' ');
      return [name, sources.join(' ')];
    }),
  );

const strict = {
  'default-src': "'none'",
  'script-src': "'self'",
  'style-src': "'self'",
  'img-src': "'self' data:",
  'connect-src': "'self'",
  'frame-ancestors': "'none'",
  'base-uri': "'none'",
  'form-action': "'none'",
};

/** The files that a page asks for by itself, as paths. */
async function filesOf(page: string): Promise<string[]> {
  const html = await (await fetch(`${server.url}${page}`)).text();
  return [...html.matchAll(/(?:src|href)="(\.[^"]+)"/g)].map(
    ([, address]) => new URL(address ?? '', `${server.url}${page}`).pathname,
  );
}

describe('a page', () => {
  test.each(['/', '/mfa/enroll', '/mfa/challenge', '/graphiql'])(
    '%s is kept by nobody, framed by nobody, names no referrer and guesses no type',
    async (page) => {
      const reply = await send(server, page);
      expect(reply.status).toBe(200);
      expect(Object.fromEntries(reply.headers)).toMatchObject({
        'content-type': 'text/html; charset=utf-8',
        'cache-control': 'no-store',
        'referrer-policy': 'no-referrer',
        'x-content-type-options': 'nosniff',
        'cross-origin-opener-policy': 'same-origin',
      });
      expect(reply.headers.get('set-cookie')).toBeNull();
      expect(policyOf(reply.headers)).toMatchObject({
        'default-src': "'none'",
        'script-src': "'self'",
        'frame-ancestors': "'none'",
        'base-uri': "'none'",
        'form-action': "'none'",
      });
    },
  );

  test.each(['/mfa/enroll', '/mfa/challenge'])(
    '%s allows nothing inline, and no other host',
    async (page) => {
      expect(policyOf((await send(server, page)).headers)).toEqual(strict);
    },
  );

  test('of the console has a nonce of its own in each answer, for style elements alone', async () => {
    const nonces = new Set<string>();
    for (let n = 0; n < 5; n += 1) {
      const reply = await fetch(`${server.url}/`);
      const { 'style-src': styles = '', ...rest } = policyOf(reply.headers);
      const { 'style-src': _styles, ...expected } = strict;
      expect(rest).toEqual(expected);
      const [, nonce = ''] = /^'self' 'nonce-([A-Za-z0-9+/]{22}==)'$/.exec(styles) ?? [];
      const html = await reply.text();
      expect(html).toContain(`nonce="${nonce}"`);
      expect(html).not.toContain('%CSP_NONCE%');
      nonces.add(nonce);
    }
    expect(nonces.size).toBe(5);
  });

  test('has nothing inline, and asks for what this server serves, wherever a proxy puts it', async () => {
    for (const page of ['/', '/mfa/enroll', '/graphiql']) {
      const html = await (await fetch(`${server.url}${page}`)).text();
      expect(html).not.toMatch(/<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)/);
      expect(html).not.toMatch(/(?:src|href)="(?:\w+:|\/)/);
      for (const file of await filesOf(page))
        expect([file, (await send(server, file)).status]).toEqual([file, 200]);
    }
  });

  test('the console may also call the origins at which people sign in; other pages may not', async () => {
    const consoleOrigins = ['https://idp.test', 'https://token.idp.test:8443'];
    const signing = await startTestServer({ pages: { folder: built, graphiql: true, consoleOrigins } });
    try {
      const connect = async (page: string) =>
        policyOf((await fetch(`${signing.url}${page}`)).headers)['connect-src'];
      expect(await connect('/')).toBe("'self' https://idp.test https://token.idp.test:8443");
      for (const page of ['/mfa/enroll', '/graphiql']) expect(await connect(page)).toBe("'self'");
    } finally {
      await signing.stop();
    }
  });

  test('is no place to write to: POST and the like find nothing', async () => {
    for (const method of ['POST', 'PUT', 'DELETE']) {
      expect((await send(server, '/mfa/enroll', { method })).status).toBe(404);
    }
    expect((await fetch(`${server.url}/`, { method: 'HEAD' })).status).toBe(200);
  });
});

describe('a file', () => {
  test('is kept for good under a name that holds its digest, and comes compressed to who takes it so', async () => {
    for (const file of (await filesOf('/mfa/enroll')).filter((name) => /\.(js|css)$/.test(name))) {
      expect(file).toMatch(/-[\w-]{8}\.(js|css)$/);
      for (const [accepted, encoding] of [
        ['br, gzip', 'br'],
        ['gzip', 'gzip'],
        ['identity', null],
      ] as const) {
        const { headers, status } = await fetch(`${server.url}${file}`, {
          headers: { 'accept-encoding': accepted },
        });
        expect(status).toBe(200);
        expect(headers.get('content-encoding')).toBe(encoding);
        expect(headers.get('cache-control')).toBe('public, max-age=31536000, immutable');
        expect(headers.get('vary')).toMatch(/accept-encoding/i);
        expect(headers.get('x-content-type-options')).toBe('nosniff');
      }
    }
  });

  test('that is not there, or not of the pages, is NOT_FOUND, and not kept', async () => {
    for (const path of [
      '/assets/none.js',
      '/mfa/assets/..%2f..%2f.built',
      '/assets/%2e%2e/index.html',
      '/mfa/',
    ]) {
      const reply = await send(server, path);
      expect([path, reply.status]).toEqual([path, 404]);
      expect(reply.headers.get('cache-control')).toBe('no-store');
    }
  });
});

test('production serves no IDE, and none of its files', async () => {
  const [file = ''] = (await filesOf('/graphiql')).filter((name) => name.endsWith('.js'));
  for (const path of ['/graphiql', file]) {
    expect((await send(server, path)).status).toBe(200);
    expect((await send(production, path)).status).toBe(404);
  }
  expect((await send(production, '/mfa/enroll')).status).toBe(200);
});

test('a server without pages answers as an API alone', async () => {
  const bare = await startTestServer();
  for (const path of ['/', '/mfa/enroll', '/graphiql']) expect((await send(bare, path)).status).toBe(404);
  await bare.stop();
});

/** Kilobytes of script that a page may load, compressed; people wait for it on a phone. */
test.each([
  ['mfa/mfa/assets', 120],
  ['console/assets', 300],
])('all script of %s is at most %i KB, compressed by gzip', async (folder, kilobytes) => {
  const names = (await readdir(join(built, folder))).filter((name) => name.endsWith('.js.gz'));
  expect(names.length).toBeGreaterThan(0);
  const sizes = await Promise.all(
    names.map(async (name) => (await readFile(join(built, folder, name))).length),
  );
  expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThanOrEqual(kilobytes * 1024);
});
