import type { LookupAddress, LookupOptions } from 'node:dns';
import { createServer } from 'node:http';
import type { AddressInfo, LookupFunction } from 'node:net';
import { describe, expect, test } from '@jest/globals';
import { guardedLookup, isReachableAddress } from '../../src/webhook/address.ts';
import { post } from '../../src/webhook/post.ts';
import { urlProblem } from '../../src/webhook/webhook-url.ts';

const reachable = ['8.8.8.8', '1.1.1.1', '172.32.0.1', '100.128.0.1', '2606:4700:4700::1111', '2a00:1450::1'];

const closed: [string, string][] = [
  ['of this network', '0.0.0.0'],
  ['private', '10.0.0.1'],
  ['private', '172.16.0.1'],
  ['private', '172.31.255.255'],
  ['private', '192.168.1.1'],
  ['shared by a carrier', '100.64.0.1'],
  ['link-local, where clouds keep metadata', '169.254.169.254'],
  ['for protocols', '192.0.0.8'],
  ['for documentation', '192.0.2.1'],
  ['for documentation', '198.51.100.1'],
  ['for documentation', '203.0.113.1'],
  ['for benchmarks', '198.18.0.1'],
  ['multicast', '224.0.0.1'],
  ['reserved', '240.0.0.1'],
  ['broadcast', '255.255.255.255'],
  ['unspecified', '::'],
  ['loopback mapped into IPv6', '::ffff:127.0.0.1'],
  ['private, mapped into IPv6', '::ffff:10.0.0.1'],
  ['private, mapped in hexadecimal', '::ffff:a00:1'],
  ['compatible with IPv4', '::127.0.0.1'],
  ['translated to IPv4', '64:ff9b::a00:1'],
  ['unique-local', 'fc00::1'],
  ['unique-local', 'fd12:3456::1'],
  ['link-local', 'fe80::1'],
  ['site-local', 'fec0::1'],
  ['multicast', 'ff02::1'],
  ['6to4', '2002:7f00:1::'],
  ['Teredo', '2001:0:7f00:1::'],
  ['for documentation', '2001:db8::1'],
  ['for documentation', '3fff::1'],
  ['nothing', 'not an address'],
];

const loopback = ['127.0.0.1', '127.8.9.10', '::1'];

describe('an address', () => {
  test.each(reachable)('%s may be reached', (address) => {
    expect(isReachableAddress(address, false)).toBe(true);
  });

  test.each(closed)('that is %s may not be reached: %s', (_what, address) => {
    expect(isReachableAddress(address, false)).toBe(false);
    expect(isReachableAddress(address, true)).toBe(false);
  });

  test.each(loopback)('%s may be reached in development only', (address) => {
    expect(isReachableAddress(address, false)).toBe(false);
    expect(isReachableAddress(address, true)).toBe(true);
  });
});

describe('a connection', () => {
  const signal = new AbortController().signal;
  const options = { loopback: false, timeoutMs: 1_000, signal };
  const message = (url: string) => ({ url, headers: {}, body: '{}' });

  test('is not made to this machine: by address, by name, or written otherwise', async () => {
    let connections = 0;
    const server = createServer((_request, response) => response.end()).on('connection', () => {
      connections += 1;
    });
    await new Promise<void>((resolve) => server.listen(0, resolve));
    const { port } = server.address() as AddressInfo;
    for (const host of [
      '127.0.0.1',
      'localhost',
      '[::1]',
      '[::ffff:127.0.0.1]',
      '2130706433',
      '0x7f.1',
      '0177.0.0.1',
      '0.0.0.0',
    ]) {
      expect([host, await post(message(`http://${host}:${port}/`), options)]).toEqual([
        host,
        { kind: 'failed', reason: 'address not allowed' },
      ]);
    }
    expect(connections).toBe(0);
    expect(await post(message(`http://localhost:${port}/`), { ...options, loopback: true })).toEqual({
      kind: 'delivered',
    });
    expect(connections).toBe(1);
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });

  /** What a name resolves to, by a resolver that answers this. */
  const lookedUp = (addresses: LookupAddress[], all: boolean): Promise<unknown> => {
    const resolver = ((_name: string, _options: LookupOptions, answer: (...args: unknown[]) => void) =>
      answer(null, addresses)) as unknown as NonNullable<Parameters<typeof guardedLookup>[1]>;
    const lookup: LookupFunction = guardedLookup(false, resolver);
    return new Promise((resolve) =>
      lookup('name.test', { all }, (error, address) => resolve(error?.name ?? address)),
    );
  };
  const open = { address: '8.8.8.8', family: 4 };

  test.each([true, false])('by name goes to what the name resolves to (all: %s)', async (all) => {
    expect(await lookedUp([open], all)).toEqual(all ? [open] : open.address);
  });

  test.each(closed.filter(([what]) => what !== 'nothing'))(
    'by a name that resolves to what is %s is refused, also beside others: %s',
    async (_what, address) => {
      const inside = { address, family: address.includes(':') ? 6 : 4 };
      for (const all of [true, false]) {
        expect(await lookedUp([inside], all)).toBe('AddressNotAllowed');
        expect(await lookedUp([open, inside], all)).toBe('AddressNotAllowed');
      }
    },
  );
});

describe('a URL', () => {
  test.each([
    'https://hooks.example.com/in',
    'https://hooks.example.com:8443/in?id=1',
    'https://8.8.8.8/',
    'https://[2606:4700:4700::1111]/',
  ])('%s is taken', (url) => {
    expect(urlProblem(url, false)).toBeNull();
    expect(urlProblem(url, true)).toBeNull();
  });

  test.each([
    ['http://hooks.example.com/', 'must start with https://'],
    ['ftp://hooks.example.com/', 'must start with https://'],
    ['javascript:alert(1)', 'must start with https://'],
    ['file:///etc/passwd', 'must start with https://'],
    ['https://user@hooks.example.com/', 'must not have credentials; the signature says who sends'],
    ['https://:secret@hooks.example.com/', 'must not have credentials; the signature says who sends'],
    ['https://hooks.example.com/#part', 'must not have a fragment'],
    ['https://hooks.example.com/#', 'must not have a fragment'],
    ['https://10.0.0.1/', 'must not lead to a private, local or reserved address'],
    ['https://[fd00::1]/', 'must not lead to a private, local or reserved address'],
    ['https://169.254.169.254/latest/meta-data', 'must not lead to a private, local or reserved address'],
    ['https://2852039166/', 'must not lead to a private, local or reserved address'],
    ['hooks.example.com', 'must be a URL of at most 2000 characters'],
    ['', 'must be a URL of at most 2000 characters'],
    ['https://hooks.example.com/\u202e', 'must be a URL of at most 2000 characters'],
    ['https://hooks.example.com/\u0000', 'must be a URL of at most 2000 characters'],
    [`https://hooks.example.com/${'x'.repeat(2_000)}`, 'must be a URL of at most 2000 characters'],
  ])('%s is refused', (url, problem) => {
    expect(urlProblem(url, false)).toBe(problem);
    expect(urlProblem(url, true)).toBe(problem);
  });

  test.each(['http://localhost:9000/', 'http://127.0.0.1/', 'http://[::1]:1/', 'https://127.0.0.1/'])(
    '%s is taken in development only',
    (url) => {
      expect(urlProblem(url, true)).toBeNull();
      expect(urlProblem(url, false)).not.toBeNull();
    },
  );
});
