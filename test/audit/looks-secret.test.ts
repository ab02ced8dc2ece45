import { randomBytes, randomUUID } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import { v7 } from 'uuid';
import { looksSecret } from '../../src/audit/looks-secret.ts';
import { secretForms } from './secret-forms.ts';

describe('LOG-1: what looks like a secret', () => {
  test.each(secretForms())('%s does: %s', (_kind, text) => {
    expect(looksSecret(text)).toBe(true);
  });

  test('an ordinary id does not', () => {
    const ids = [
      ...['alder', 'harbor', 'acme-bank', 'ada', 'ada@example.com', 'a', '12345', '1234567', 'Ünïcode user'],
      ...['auth0|5f7c8ec7c33c6c004bbafe82', 'org_2YmKg9vTq0sWcXbN4hRj7LpZ1aD', 'monkeyJane'],
      '01ARZ3NDEKTSV4RRFFQ69G5FAV',
      `tenant-${randomUUID()}`,
      'urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6',
    ];
    expect(ids.filter(looksSecret)).toEqual([]);
  });

  test('a UUID never does, however it is written', () => {
    const uuids = Array.from({ length: 20_000 }, (_, n) => (n % 2 ? v7() : randomUUID()));
    // In base 32, too.
    uuids.push('abcdefab-cdef-4bcd-abcd-efabcdefabcd');
    for (const write of [
      (uuid: string) => uuid,
      (uuid: string) => uuid.toUpperCase(),
      (uuid: string) => uuid.replaceAll('-', ''),
    ]) {
      expect(uuids.map(write).filter(looksSecret)).toEqual([]);
    }
  });

  test('does so wherever its random part is drawn from', () => {
    const tokens = Array.from({ length: 2_000 }, () => `${randomBytes(32).toString('base64url')}.YWI`);
    expect(tokens.filter((token) => !looksSecret(token))).toEqual([]);
  });
});
