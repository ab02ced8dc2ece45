import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Resvg } from '@resvg/resvg-js';
import fc from 'fast-check';
import jsQrModule from 'jsqr';
import { otpauthUri } from '../../src/factor/totp.ts';
import { startTestServer, type TestServer, uniqueId } from '../setup/harness.ts';
import { codeAt } from '../setup/totp.ts';
import { beginTotp, signInWorld, startToken, verify } from '../signin/user-agent.ts';
import { selfOf } from './agent.ts';

// The package is CommonJS; its types speak of a default that Node does not unwrap.
const jsQr = jsQrModule as unknown as typeof jsQrModule.default;

interface ReadUri {
  issuer: string;
  account: string;
  parameters: Record<string, string>;
}

/** Reads an otpauth URI as an authenticator app does, and checks that it is nothing else. */
function readUri(text: string): ReadUri {
  expect(text).toMatch(/^[!-~]+$/);
  const uri = new URL(text);
  expect(uri).toMatchObject({ protocol: 'otpauth:', host: 'totp', hash: '', username: '', port: '' });
  const [path = '', ...more] = uri.pathname.slice(1).split('/');
  expect(more).toEqual([]);
  const label = decodeURIComponent(path);
  const colon = label.indexOf(':');
  const pairs = [...uri.searchParams];
  expect(pairs.map(([name]) => name)).toEqual(['secret', 'issuer', 'algorithm', 'digits', 'period']);
  return {
    issuer: label.slice(0, colon),
    account: label.slice(colon + 1),
    parameters: Object.fromEntries(pairs),
  };
}

/** What a camera would read: the SVG drawn by one library and decoded by another. */
function scanned(qrCode: string): string | undefined {
  const [type, base64] = qrCode.split(',') as [string, string];
  expect(type).toBe('data:image/svg+xml;base64');
  const svg = Buffer.from(base64, 'base64').toString('utf8');
  // Eight pixels for each module: the drawing's unit.
  const modules = Number(/ viewBox="0 0 (\d+) \1"/.exec(svg)?.[1]);
  const image = new Resvg(svg, {
    fitTo: { mode: 'width', value: 8 * modules },
    background: 'white',
  }).render();
  const pixels = new Uint8ClampedArray(image.pixels);
  return jsQr(pixels, image.width, image.height, { inversionAttempts: 'dontInvert' })?.data;
}

const secret = 'GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ';
const fixed = { algorithm: 'SHA1', digits: '6', period: '30' };

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
});
afterAll(() => server.stop());

describe('an otpauth URI', () => {
  const names: [string, string][] = [
    ['plain text', 'Acme'],
    ['a colon', 'Acme: Europe'],
    ['colons only', '::'],
    ['an encoded colon', 'Acme%3AEurope'],
    ['a slash', 'Acme/Europe/../x'],
    ['a question mark', 'Acme?secret=AAAA&issuer=Evil'],
    ['an ampersand', 'R&D&issuer=Evil&secret=AAAA'],
    ['a per cent sign', '100% of %26 and %'],
    ['a hash', 'No. #1#'],
    ['quotes', `"Acme's" <b>\`x\`</b>`],
    ['a plus and an equals sign', 'a+b=c'],
    ['a backslash and an at sign', 'me\\you@host:99'],
    ['a line of script', '"/><script>alert(1)</script>'],
    ['accents', 'Gesellschaft für Ärzte'],
    ['combining characters', 'Cafe\u0301'],
    ['emoji', '👩‍👩‍👧‍👦 Acme 🔐'],
    ['right-to-left text', 'חברה שלי'],
    ['Arabic text', 'شركة'],
    ['ideographs', '株式会社アクメ'],
  ];

  test.each(names)(
    'ENR-3: of an application and an account with %s says just that, also as QR code',
    async (_, name) => {
      const world = await signInWorld(server, { displayName: name });
      const userId = uniqueId('user');
      const mfaToken = await startToken(world, userId, { accountName: name });
      const begun = await beginTotp(world.browser, { mfaToken });
      const issuer = name.replaceAll(':', ' ');
      expect(readUri(begun.otpauthUri)).toEqual({
        issuer,
        account: name,
        parameters: { secret: begun.secret, issuer, ...fixed },
      });
      expect(scanned(begun.qrCode)).toBe(begun.otpauthUri);
      const code = codeAt(begun.secret, server.clock.now());
      expect(await verify(world.browser, code, mfaToken)).toMatchObject({ __typename: 'FactorVerified' });
    },
  );

  test.each<[string, string]>([
    ['Latin letters', 'a'],
    ['characters that are written as three', '&'],
    ['emoji', '🔐'],
    ['ideographs', '株'],
  ])('ENR-3: of names of 200 %s fits into a QR code that a camera reads', async (_, character) => {
    const name = character.repeat(200);
    const world = await signInWorld(server, { displayName: name });
    const mfaToken = await startToken(world, uniqueId('user'), { accountName: name });
    const begun = await beginTotp(world.browser, { mfaToken });
    const { issuer, account, parameters } = readUri(begun.otpauthUri);
    expect(parameters).toEqual({ secret: begun.secret, issuer, ...fixed });
    for (const shown of [issuer, account]) {
      expect(name.startsWith(shown)).toBe(true);
      expect([...shown].length).toBeGreaterThan(50);
    }
    expect(scanned(begun.qrCode)).toBe(begun.otpauthUri);
  });

  test('ENR-3: names the user by its id where no account name is known', async () => {
    const world = await signInWorld(server, { displayName: 'Acme' });
    const userId = `${uniqueId('user')}:?&#/ü`;
    const { otpauthUri: uri, qrCode } = await beginTotp(await selfOf(server, world, userId), {});
    expect(readUri(uri)).toMatchObject({ issuer: 'Acme', account: userId });
    expect(scanned(qrCode)).toBe(uri);
  });

  test('ENR-3: of any two names reads back as those names, cut only where they are far too long', () => {
    const name = fc
      .string({ unit: 'grapheme', minLength: 1, maxLength: 200 })
      .filter((text) => text.isWellFormed() && [...text].length <= 200);
    fc.assert(
      fc.property(name, name, (issuer, account) => {
        const uri = otpauthUri(secret, issuer, account);
        const read = readUri(uri);
        const shown = issuer.replaceAll(':', ' ');
        const isWhole = shown === read.issuer && account === read.account;
        expect(shown.startsWith(read.issuer) && account.startsWith(read.account)).toBe(true);
        expect(read.parameters).toEqual({ secret, issuer: read.issuer, ...fixed });
        expect(uri.length).toBeLessThanOrEqual(2_300);
        // What was cut would not have fitted.
        if (!isWhole) expect(uri.length).toBeGreaterThan(2_300 - 2 * 12);
      }),
      { numRuns: 300 },
    );
  });
});
