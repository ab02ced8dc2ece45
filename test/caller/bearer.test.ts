import { request } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { WhoAmIDocument } from '../generated/documents.ts';
import { audience, callGraphQl, issuer as issuerName } from '../setup/harness.ts';
import { type BearerServer, expectUnauthenticated, startBearerServer } from './bearer-server.ts';
import { bearerSettings, goodClaims, handMade, secondsOf } from './tokens.ts';

/* JWT-1: what a bearer token must say, and how it is sent. */

let issuer: BearerServer;
let now: number;
beforeAll(async () => {
  issuer = await startBearerServer();
  now = secondsOf(issuer.clock);
});
afterAll(() => issuer.server.stop());

const day = 24 * 3600;

describe('the claims', () => {
  test.each(['iss', 'aud', 'exp', 'iat', 'sub'])('JWT-1: without %s are refused', async (claim) => {
    await issuer.expectRefused(issuer.tokenWith({ [claim]: undefined }));
  });

  test.each<[string, unknown[]]>([
    ['iss', [null, 1, true, '', 'https://other.test', `${issuerName}/`, [issuerName], { a: issuerName }]],
    ['aud', [null, 1, true, '', 'other', [], ['other'], [[audience]], { 0: audience }, [audience, 1]]],
    ['exp', [null, true, '', '9999999999', [9999999999], {}, 0, -1]],
    ['iat', [null, true, '', '1', [1], {}, 0, -1]],
    ['nbf', [null, true, '', '1', [1], {}]],
    ['sub', [null, 1, true, '', [], ['tester'], {}, 'tes\u0000ter', 'x'.repeat(256), '\u202etester']],
    ['scope', [null, 1, true, {}, [1], ['mfa-policy:read', null], [['mfa-policy:read']]]],
  ])('JWT-1: with %s of a wrong type or value are refused', async (claim, values) => {
    for (const value of values) await issuer.expectRefused(issuer.tokenWith({ [claim]: value }));
  });

  test.each(['1e999', '-1e999'])('JWT-1: with a time of %s are refused', async (time) => {
    const claims = JSON.stringify({ ...goodClaims(issuer.clock), iat: 0 });
    await issuer.expectRefused(
      handMade({ alg: 'ES256', kid: 'ES256' }, claims.replace('"iat":0', `"iat":${time}`), issuer.sign),
    );
  });

  test.each(['[]', '"tester"', 'null', '{', ''])(
    'JWT-1: that are %p rather than an object are refused',
    async (text) => {
      await issuer.expectRefused(handMade({ alg: 'ES256', kid: 'ES256' }, text, issuer.sign));
    },
  );

  test('JWT-1: take an audience and scopes as text or as a list', async () => {
    for (const aud of [audience, ['other', audience]]) await issuer.expectAccepted(issuer.tokenWith({ aud }));
    for (const [scope, scopes] of [
      ['mfa-policy:read audit:read', ['mfa-policy:read', 'audit:read']],
      [
        ['mfa-policy:read', 'audit:read'],
        ['mfa-policy:read', 'audit:read'],
      ],
      [' mfa-policy:read  unknown ', ['mfa-policy:read', 'unknown']],
      ['', []],
      [[], []],
      [undefined, []],
    ]) {
      const { data } = await issuer.whoAmI(issuer.tokenWith({ scope }));
      expect(data.viewer.scopes).toEqual(scopes);
    }
  });
});

describe('time', () => {
  test.each<[string, Record<string, number>, Record<string, number>]>([
    ['an expiry up to 60 s ago', { exp: -59 }, { exp: -60 }],
    ['a start up to 60 s ahead', { nbf: 60 }, { nbf: 61 }],
    ['an issue up to 60 s ahead', { iat: 60 }, { iat: 61 }],
    ['an issue up to 24 h and 60 s ago', { iat: -day - 60 }, { iat: -day - 61 }],
  ])('JWT-1: %s is taken, and nothing beyond', async (_name, within, beyond) => {
    const at = (offsets: Record<string, number>) =>
      Object.fromEntries(Object.entries(offsets).map(([claim, seconds]) => [claim, now + seconds]));
    await issuer.expectAccepted(issuer.tokenWith(at(within)));
    await issuer.expectRefused(issuer.tokenWith(at(beyond)));
  });

  test('JWT-1: of an expiry far ahead does not outlive the 24 hours', async () => {
    await issuer.expectAccepted(issuer.tokenWith({ iat: now - day, exp: now + 365 * day }));
    await issuer.expectRefused(issuer.tokenWith({ iat: now - 2 * day, exp: now + 365 * day }));
  });
});

describe('a token that was accepted before', () => {
  const atEach = async (
    moments: [moment: number, verdict: 'accepted' | 'refused'][],
    claims: Record<string, number>,
  ) => {
    const own = await startBearerServer();
    const token = own.tokenWith(claims);
    for (const [moment, verdict] of moments) {
      own.clock.fix(new Date(moment * 1000));
      if (verdict === 'accepted') await own.expectAccepted(token);
      else await own.expectRefused(token);
    }
    await own.server.stop();
  };

  test('JWT-1: is refused once it has expired', () =>
    atEach(
      [
        [now, 'accepted'],
        [now + 3659, 'accepted'],
        [now + 3660, 'refused'],
      ],
      { exp: now + 3600 },
    ));

  test('JWT-1: is refused once it is older than 24 hours', () =>
    atEach(
      [
        [now, 'accepted'],
        [now + day + 59, 'accepted'],
        [now + day + 61, 'refused'],
      ],
      { exp: now + 9 * day },
    ));

  test('JWT-1: is refused where the clock was set back to before its beginning', () =>
    atEach(
      [
        [now, 'accepted'],
        [now - 60, 'accepted'],
        [now - 61, 'refused'],
        [now, 'accepted'],
      ],
      {},
    ));

  test('JWT-1: is refused with another signature, or another payload', async () => {
    const token = await issuer.tokenWith({});
    await issuer.expectAccepted(token);
    const [header, payload, signature = ''] = token.split('.');
    const other = await issuer.tokenWith({ sub: 'somebody else' });
    await issuer.expectRefused(`${header}.${payload}.${signature.split('').toReversed().join('')}`);
    await issuer.expectRefused(`${header}.${other.split('.')[1]}.${signature}`);
  });
});

describe('the header of the token', () => {
  test.each([undefined, 'JWT', 'jwt', 'at+jwt', 'AT+JWT', 'application/at+jwt', 'application/jwt'])(
    'JWT-1: of the type %p is accepted',
    async (typ) => {
      await issuer.expectAccepted(issuer.tokenWith({}, { typ }));
    },
  );

  test.each([
    'mfa-assertion+jwt',
    'application/mfa-assertion+jwt',
    'id+jwt',
    'logout+jwt',
    'dpop+jwt',
    'application/application/jwt',
    '',
    null,
    1,
    ['JWT'],
  ])('JWT-1: of the type %p is refused', async (typ) => {
    await issuer.expectRefused(issuer.tokenWith({}, { typ }));
  });

  test.each<[string, object]>([
    ['an unknown extension', { crit: ['x'], x: 1 }],
    ['an unencoded payload', { crit: ['b64'], b64: false }],
    ['a claim that is none', { crit: ['exp'], exp: 1 }],
    ['nothing', { crit: [] }],
    ['something that is no list', { crit: 'x', x: 1 }],
  ])('JWT-1: that declares %s critical is refused', async (_name, header) => {
    await issuer.expectRefused(issuer.tokenWith({}, header));
  });
});

describe('the Authorization header', () => {
  const send = (authorization: string) =>
    new Promise<{ status: number | undefined; challenge: string | undefined; body: string }>(
      (resolve, reject) => {
        const call = request(
          `${issuer.server.url}/graphql`,
          { method: 'POST', headers: { 'content-type': 'application/json', authorization } },
          (response) => {
            let body = '';
            response.setEncoding('utf8').on('data', (chunk: string) => {
              body += chunk;
            });
            response.on('end', () =>
              resolve({ status: response.statusCode, challenge: response.headers['www-authenticate'], body }),
            );
          },
        );
        call.on('error', reject).end('{"query":"{ __typename }"}');
      },
    );

  test('JWT-1: is refused in any other form, all with one answer', async () => {
    const good = issuer.tokenWith({});
    const answers = new Set<string>();
    for (const value of [
      '',
      'Bearer',
      'Bearer ',
      'Basic dGVzdGVyOnNlY3JldA==',
      good,
      `Token ${good}`,
      `Bearer${good}`,
      `Bearer ${good} ${good}`,
      `Bearer ${good}, Bearer ${good}`,
      `Bearer ${good},`,
      `Bearer "${good}"`,
      `Bearer ${good}=`,
      `Bearer ${good}.${good}`,
      `Bearer ${good.split('.').slice(0, 2).join('.')}`,
      `Bearer ${good.split('.').slice(0, 2).join('.')}.`,
      'Bearer a.b.c',
      'Bearer ..',
      'Bearer null',
      `Bearer ${'x'.repeat(12_000)}`,
      `Bearer ${good}${'A'.repeat(12_000)}`,
    ]) {
      const { status, challenge, body } = await send(value);
      expect({ value, status, challenge }).toEqual({ value, status: 401, challenge: 'Bearer' });
      answers.add(body);
    }
    expect([...answers]).toHaveLength(1);
  });

  test('JWT-1: may name the scheme in any case [RFC 9110, 11.1]', async () => {
    for (const scheme of ['bearer', 'BEARER', 'Bearer  ']) {
      expect(await send(`${scheme} ${issuer.tokenWith({})}`)).toMatchObject({ status: 200 });
    }
  });

  test('JWT-1: with a good token of more than 8 KiB is refused', async () => {
    await issuer.expectRefused(issuer.tokenWith({ padding: 'x'.repeat(8 * 1024) }));
    await issuer.expectAccepted(issuer.tokenWith({ padding: 'x'.repeat(4 * 1024) }));
  });

  test('JWT-1: with a bad token is refused also where none is needed', async () => {
    const { url } = issuer.server;
    const needsNone = ['{ __typename }', '{ __schema { queryType { name } } }', '{ _service { sdl } }'];
    for (const document of needsNone) {
      expect(await callGraphQl(url, null, document)).toMatchObject({ status: 200, errors: [] });
      expectUnauthenticated(await callGraphQl(url, 'bad', document));
      expectUnauthenticated(await callGraphQl(url, issuer.tokenWith({ exp: now - day }), document));
    }
    expectUnauthenticated(await callGraphQl(url, 'bad', 'not a document'));
  });

  test('JWT-1: without it, what needs a caller is refused', async () => {
    const { status, errors } = await callGraphQl(issuer.server.url, null, WhoAmIDocument);
    expect(status).toBe(401);
    expect(errors).toMatchObject([{ extensions: { code: 'UNAUTHENTICATED' } }]);
  });
});

describe('an issuer that uses other claim names', () => {
  test('is read by the configured names, and by no others', async () => {
    const renamed = await startBearerServer(['ES256'], {
      ...bearerSettings,
      claimApplication: 'https://idp.test/app',
      claimTenant: 'org',
      claimScope: 'permissions',
    });
    const token = (claims: object) => renamed.tokenWith({ scope: 'audit:read', ...claims });
    const { data } = await renamed.whoAmI(token({ permissions: ['tenant:write'], application_id: 1 }));
    expect(data.viewer).toMatchObject({ scopes: ['tenant:write'], application: null });
    for (const claims of [
      { org: 'x' },
      { 'https://idp.test/app': '' },
      { 'https://idp.test/app': 'a', org: 1 },
    ]) {
      await renamed.expectRefused(token(claims));
    }
    await renamed.server.stop();
  });
});
