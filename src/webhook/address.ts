import { lookup as resolve } from 'node:dns';
import { BlockList, isIP, type LookupFunction } from 'node:net';

/*
 * Which addresses a webhook may be sent to. The URL is a caller's, so it must not reach what only
 * this server can reach: itself, its neighbours, the metadata service of a cloud. A name is judged by
 * what it resolves to at the moment of the connection, not before.
 */

/** Not globally reachable [IANA IPv4 Special-Purpose Address Registry; RFC 5771, RFC 1112]. */
const closedV4 = subnets('ipv4', [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
]);

/** Global unicast [RFC 4291 section 2.4]; all else is local, mapped, multicast or not assigned. */
const globalV6 = subnets('ipv6', [['2000::', 3]]);

/** Of these, what leads elsewhere: protocol assignments with Teredo, documentation, 6to4. */
const closedV6 = subnets('ipv6', [
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['3fff::', 20],
]);

const loopbackV4 = subnets('ipv4', [['127.0.0.0', 8]]);
const loopbackV6 = subnets('ipv6', [['::1', 128]]);

function subnets(family: 'ipv4' | 'ipv6', nets: readonly (readonly [string, number])[]): BlockList {
  const list = new BlockList();
  for (const [net, prefix] of nets) list.addSubnet(net, prefix, family);
  return list;
}

/** @param loopback whether the machine itself may be reached, as in development */
export function isReachableAddress(address: string, loopback: boolean): boolean {
  switch (isIP(address)) {
    case 4:
      return (loopback && loopbackV4.check(address, 'ipv4')) || !closedV4.check(address, 'ipv4');
    case 6:
      return (
        (loopback && loopbackV6.check(address, 'ipv6')) ||
        (globalV6.check(address, 'ipv6') && !closedV6.check(address, 'ipv6'))
      );
    default:
      return false;
  }
}

/** The IP address that a URL's host is written as; null for a name. */
export function literalAddress(hostname: string): string | null {
  const host = hostname.replace(/^\[(.*)\]$/, '$1');
  return isIP(host) === 0 ? null : host;
}

export const isLoopbackHost = (hostname: string): boolean => {
  const address = literalAddress(hostname);
  if (address === null) return hostname === 'localhost';
  return isIP(address) === 4 ? loopbackV4.check(address, 'ipv4') : loopbackV6.check(address, 'ipv6');
};

/** The URL leads to where no webhook is sent. */
export class AddressNotAllowed extends Error {
  override name = 'AddressNotAllowed';
}

/**
 * A lookup for a connection that refuses a name with an address that may not be reached, also where
 * it has others: whoever answers so is up to something.
 */
export const guardedLookup =
  (loopback: boolean, resolveName: typeof resolve = resolve): LookupFunction =>
  (hostname, options, callback) => {
    resolveName(hostname, { ...options, all: true }, (error, addresses) => {
      if (error) return callback(error, []);
      if (addresses.some(({ address }) => !isReachableAddress(address, loopback))) {
        return callback(new AddressNotAllowed(), []);
      }
      if (options.all) return callback(null, addresses);
      const [first] = addresses;
      return callback(null, first?.address ?? '', first?.family);
    });
  };
