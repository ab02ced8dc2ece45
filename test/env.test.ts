import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { parseEnv } from 'node:util';
import { describe, expect, test } from '@jest/globals';
import { EnvError, readEnv, readSomeEnv, type SettingName, settingNames } from '../src/env.ts';
import { isEvidentlyNotRandom } from '../src/env-values.ts';

type Variables = Partial<Record<SettingName, string>>;

const p256 = () => generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'jwk' });
const sealingKey = (bytes = 32) => randomBytes(bytes).toString('base64');

/** Settings that production starts with. */
const production: Variables = {
  NODE_ENV: 'production',
  DATABASE_URL: 'postgres://cufflink@db.test/cufflink',
  JWT_ISSUER: 'https://idp.test',
  JWT_AUDIENCE: 'cufflink',
  JWT_JWKS_URL: 'https://idp.test/jwks',
  ENCRYPTION_KEYS: `k1:${sealingKey()}`,
  ASSERTION_KEY: JSON.stringify(p256()),
  PUBLIC_URL: 'https://mfa.test',
};

/** The lines of the refusal; none when the settings are taken. */
function problemsOf(variables: Variables): readonly string[] {
  try {
    readEnv(variables);
    return [];
  } catch (error) {
    if (error instanceof EnvError) return error.problems;
    throw error;
  }
}

/** The settings that the refusal names. */
const named = (variables: Variables) => problemsOf(variables).map((problem) => problem.split(' ')[0]);

describe('in development', () => {
  test('nothing needs to be set', () => {
    expect(readEnv({})).toEqual({
      mode: 'development',
      production: false,
      port: 4000,
      host: '127.0.0.1',
      databaseUrl: undefined,
      databaseReplicaUrls: [],
      jwt: undefined,
      claims: { application: 'application_id', tenant: 'tenant_id', scope: 'scope' },
      oidc: undefined,
      oidcConnectOrigins: [],
      encryptionKeys: undefined,
      assertionKey: undefined,
      publishedAssertionKeys: [],
      publicUrl: undefined,
      redirectOrigins: [],
      corsOrigins: [],
      introspection: true,
      policySnapshot: true,
      preparedStatements: true,
      logLevel: 'info',
      migrate: false,
      clockOffsetSeconds: 0,
    });
  });

  test('an empty value counts as not given', () => {
    const empty = Object.fromEntries(settingNames.map((name) => [name, '']));
    expect(readEnv({ ...empty, NODE_ENV: undefined })).toEqual(readEnv({}));
  });

  test('an empty NODE_ENV is refused: it would take back what an image or a unit says', () => {
    expect(problemsOf({ ...production, NODE_ENV: '' })).toEqual([
      'NODE_ENV must be production, development or test; left out, not empty, it is development.',
    ]);
    expect(() => readSomeEnv(['NODE_ENV', 'DATABASE_URL'], { NODE_ENV: '' })).toThrow(/NODE_ENV must be/);
  });

  test.each<Variables>([
    { JWT_ISSUER: 'a' },
    { JWT_AUDIENCE: 'a' },
    { JWT_JWKS_URL: 'https://a.test' },
    { JWT_ISSUER: 'a', JWT_AUDIENCE: 'a' },
    { JWT_ISSUER: 'a', JWT_JWKS_URL: 'https://a.test' },
    { JWT_AUDIENCE: 'a', JWT_JWKS_URL: 'https://a.test' },
  ])('half an issuer is refused, naming what is missing: %j', (given) => {
    const all = ['JWT_ISSUER', 'JWT_AUDIENCE', 'JWT_JWKS_URL'];
    expect(named(given)).toEqual(all.filter((name) => !(name in given)));
  });

  test('the clock may be shifted, forth and back', () => {
    expect(readEnv({ CLOCK_OFFSET_SECONDS: '-3600' }).clockOffsetSeconds).toBe(-3600);
  });
});

test.each<[SettingName, string[]]>([
  ['NODE_ENV', ['', 'prod', 'Production', 'production ', 'staging']],
  ['PORT', ['65536', '-1', '1.5', '1e3', '0x50', ' ', 'http', '999999999999']],
  ['DATABASE_URL', ['db.test', 'mysql://db.test/x', 'postgres']],
  ['DATABASE_REPLICA_URLS', ['db.test', 'postgres://a.test/x,mysql://b.test/x']],
  ['ENCRYPTION_KEYS', [',', 'x']],
  ['ASSERTION_KEY', ['{', 'null', '[]', '"x"', '{}']],
  ['PUBLIC_URL', ['mfa.test', 'ftp://mfa.test']],
  ['REDIRECT_ORIGINS', ['https://a.test/path', 'https://a.test/', 'a.test', '*', 'https://a.test,b.test']],
  ['CORS_ORIGINS', ['https://a.test/path', '*', 'null', 'https://A.test']],
  ['INTROSPECTION', ['true', 'ON', '1', 'yes']],
  ['POLICY_SNAPSHOT', ['true', 'ON', '0']],
  ['PREPARED_STATEMENTS', ['true', 'ON', '0']],
  ['LOG_LEVEL', ['verbose', 'INFO']],
  ['MIGRATE', ['true', '1', 'ON']],
  ['CLOCK_OFFSET_SECONDS', ['1.5', 'an hour', ' ', '1e3', '99999999999']],
])('%s is refused, by its name, when it makes no sense', (name, values) => {
  for (const value of values)
    expect({ value, named: named({ [name]: value }) }).toEqual({ value, named: [name] });
});

test('lists are separated by commas, blanks around them do not matter', () => {
  const { corsOrigins, databaseReplicaUrls, encryptionKeys } = readEnv({
    CORS_ORIGINS: ' https://a.test , http://localhost:3000,',
    DATABASE_REPLICA_URLS: 'postgres://a.test/x, postgresql://b.test/x',
    ENCRYPTION_KEYS: `new:${sealingKey()}, old:${sealingKey()}`,
  });
  expect(corsOrigins).toEqual(['https://a.test', 'http://localhost:3000']);
  expect(databaseReplicaUrls).toEqual(['postgres://a.test/x', 'postgresql://b.test/x']);
  expect(encryptionKeys).toMatchObject([{ id: 'new' }, { id: 'old' }]);
});

describe('in production', () => {
  test('whole and strong settings are taken, and the schema is closed', () => {
    const env = readEnv(production);
    expect(env).toMatchObject({
      mode: 'production',
      production: true,
      jwt: { issuer: 'https://idp.test', audience: 'cufflink', jwksUrl: 'https://idp.test/jwks' },
      assertionKey: { kty: 'EC', crv: 'P-256' },
      publicUrl: 'https://mfa.test',
      introspection: false,
    });
    expect(env.encryptionKeys?.[0]?.key).toHaveLength(32);
    expect(readEnv({ ...production, INTROSPECTION: 'on' }).introspection).toBe(true);
    expect(readEnv({ ...production, PUBLIC_URL: 'https://mfa.test/' }).publicUrl).toBe('https://mfa.test');
  });

  test('every missing setting is named at once, each once', () => {
    expect(named({ NODE_ENV: 'production' })).toEqual(Object.keys(production).slice(1));
  });

  test.each(Object.keys(production).slice(1))('without %s it does not start', (name) => {
    expect(named({ ...production, [name]: undefined })).toEqual([name]);
  });

  test('every weak setting is named at once', () => {
    const weak = {
      JWT_JWKS_URL: 'http://idp.test/jwks',
      ENCRYPTION_KEYS: `k1:${sealingKey(16)}`,
      ASSERTION_KEY: '{}',
      PUBLIC_URL: 'http://mfa.test',
      CLOCK_OFFSET_SECONDS: '1',
    };
    expect(new Set(named({ ...production, ...weak, DATABASE_URL: undefined }))).toEqual(
      new Set([...Object.keys(weak), 'DATABASE_URL']),
    );
  });

  test.each([
    ['31 bytes', `k1:${sealingKey(31)}`],
    ['33 bytes', `k1:${sealingKey(33)}`],
    ['a passphrase', `k1:${'x'.repeat(32)}`],
    ['no id', sealingKey()],
    ['an empty id', `:${sealingKey()}`],
    ['a strong and a weak key', `k1:${sealingKey()},k2:${sealingKey(16)}`],
    ['one id for two keys', `k1:${sealingKey()},k1:${sealingKey()}`],
    ['hexadecimal', `k1:${randomBytes(32).toString('hex')}`],
  ])('encryption keys with %s are refused', (_what, value) => {
    expect(named({ ...production, ENCRYPTION_KEYS: value })).toEqual(['ENCRYPTION_KEYS']);
  });

  const bytes = (byteOf: (index: number) => number) =>
    Buffer.from(Array.from({ length: 32 }, (_, index) => byteOf(index)));
  test.each<[string, Buffer]>([
    ['zeros', Buffer.alloc(32)],
    ['a few bytes over and over', bytes((index) => [7, 99, 200][index % 3] ?? 0)],
    ['a count', bytes((index) => index)],
    ['a count backwards', bytes((index) => 255 - index)],
    ['a passphrase of many letters', Buffer.from('the quick brown fox jumps over i')],
    ['hexadecimal', Buffer.from(randomBytes(16).toString('hex'))],
  ])('an encryption key of %s is refused, by its id: it is not random', (_what, key) => {
    const value = `k1:${sealingKey()},k2:${key.toString('base64')}`;
    expect(problemsOf({ ...production, ENCRYPTION_KEYS: value })).toEqual([
      'ENCRYPTION_KEYS must be random in production, and the key k2 evidently is not; make one with: openssl rand -base64 32.',
    ]);
    expect(problemsOf({ ENCRYPTION_KEYS: value })).toEqual([]);
  });

  test('a random encryption key is never refused', () => {
    const refused = Array.from({ length: 20_000 }, () => randomBytes(32)).filter(isEvidentlyNotRandom);
    expect(refused).toEqual([]);
  });

  const curve = (namedCurve: string) =>
    generateKeyPairSync('ec', { namedCurve }).privateKey.export({ format: 'jwk' });
  test.each<[string, object]>([
    ['public', { ...p256(), d: undefined }],
    ['of P-384', curve('P-384')],
    ['of secp256k1', curve('secp256k1')],
    ['of secp256k1, called P-256', { ...curve('secp256k1'), crv: 'P-256' }],
    ['Ed25519', generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' })],
    ['RSA', generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ format: 'jwk' })],
    ['symmetric', { kty: 'oct', k: sealingKey() }],
    ['off the curve', { ...p256(), x: p256().x }],
    ['of two halves that differ', { ...p256(), d: p256().d }],
    ['with a zero private half', { ...p256(), d: Buffer.alloc(32).toString('base64url') }],
    ['with a private half past the order', { ...p256(), d: Buffer.alloc(32, 255).toString('base64url') }],
    ['with a private half that is no base64url', { ...p256(), d: '!' }],
    ['with a private half that is no text', { ...p256(), d: 1 }],
    ['in a list', [p256()]],
    ['in a list of a set', [{ keys: [p256()] }]],
    ['an empty set', { keys: [] }],
    ['a set whose first is public', { keys: [{ ...p256(), d: undefined }, p256()] }],
    ['a set whose second is off the curve', { keys: [p256(), { ...p256(), d: undefined, x: p256().x }] }],
    ['a set whose second has halves that differ', { keys: [p256(), { ...p256(), d: p256().d }] }],
    ['a set whose second is of P-384', { keys: [p256(), curve('P-384')] }],
    ['a set with one kid for two', { keys: [p256(), p256()].map((jwk) => ({ ...jwk, kid: 'a' })) }],
  ])('an assertion key that is %s is refused', (_what, jwk) => {
    expect(named({ ...production, ASSERTION_KEY: JSON.stringify(jwk) })).toEqual(['ASSERTION_KEY']);
  });

  test('a set of assertion keys signs with its first, and keeps only the public half of the others', () => {
    const [signing, before, after] = [p256(), p256(), { ...p256(), d: undefined }];
    const env = readEnv({ ...production, ASSERTION_KEY: JSON.stringify({ keys: [signing, before, after] }) });
    expect(env.assertionKey).toMatchObject({ ...signing });
    expect(env.publishedAssertionKeys).toEqual(
      [before, after].map(({ kty, crv, x, y }) => ({ kty, crv, x, y })),
    );
  });

  test('one key twice in a set of assertion keys is refused', () => {
    const key = p256();
    expect(named({ ...production, ASSERTION_KEY: JSON.stringify({ keys: [key, key] }) })).toEqual([
      'ASSERTION_KEY',
    ]);
  });

  test.each(['PUBLIC_URL', 'JWT_JWKS_URL'] as const)('%s must be https, except on loopback', (name) => {
    for (const value of [
      'http://localhost:4000',
      'http://127.0.0.1',
      'http://127.1.2.3:80',
      'http://[::1]:1',
    ]) {
      expect(named({ ...production, [name]: value })).toEqual([]);
    }
    for (const value of [
      'http://mfa.test',
      'http://localhost.mfa.test',
      'http://127.0.0.1.mfa.test',
      'http://127.0.0.1@mfa.test',
      'http://10.0.0.1',
      'http://0.0.0.0',
      'http://[::2]',
      'HTTP://MFA.TEST',
    ]) {
      expect({ value, named: named({ ...production, [name]: value }) }).toEqual({ value, named: [name] });
    }
  });

  test('the clock must not be shifted', () => {
    expect(named({ ...production, CLOCK_OFFSET_SECONDS: '-1' })).toEqual(['CLOCK_OFFSET_SECONDS']);
    expect(named({ ...production, CLOCK_OFFSET_SECONDS: '0' })).toEqual([]);
  });

  test('a command that reads some settings is not asked for the others', () => {
    const { databaseUrl } = readSomeEnv(['DATABASE_URL'], { ...production, JWT_ISSUER: undefined });
    expect(databaseUrl).toBe(production.DATABASE_URL);
  });

  test('a command that reads some settings, NODE_ENV among them, is asked for each of these', () => {
    expect(() => readSomeEnv(['NODE_ENV', 'DATABASE_URL'], { NODE_ENV: 'production' })).toThrow(
      new EnvError(['DATABASE_URL is required in production.']),
    );
    expect(readSomeEnv(['NODE_ENV', 'DATABASE_URL'], production)).toMatchObject({ production: true });
  });
});

test('LOG-1: no refusal prints a value, whichever settings are wrong', () => {
  const canary = 'canary7f3a';
  const around = [
    canary,
    `${canary}:${canary}`,
    `http://${canary}.test`,
    `{"kty":"EC","d":"${canary}"`,
    `x,${canary}`,
  ];
  for (const mode of ['production', 'development', canary]) {
    for (const value of around) {
      const variables = { ...Object.fromEntries(settingNames.map((name) => [name, value])), NODE_ENV: mode };
      const problems = problemsOf(variables);
      expect(problems.length).toBeGreaterThan(5);
      expect(new EnvError(problems).message).not.toContain(canary);
    }
  }
});

describe('.env.example', () => {
  const example = () => readFile(new URL('../.env.example', import.meta.url), 'utf8');
  const required = Object.fromEntries(Object.entries(production).filter(([name]) => name !== 'NODE_ENV'));

  test('has every setting once, and no other', async () => {
    const names = [...(await example()).matchAll(/^#?([A-Z_]+)=/gm)].map(([, name]) => name);
    expect(names.toSorted()).toEqual(settingNames.toSorted());
  });

  test('is production: as it is, it is refused for what production requires, and for nothing else', async () => {
    expect(named(parseEnv(await example()))).toEqual(Object.keys(required));
  });

  test('holds no line that weakens or changes anything: with what is required it is what production is without it', async () => {
    const filled = { ...parseEnv(await example()), ...required };
    expect(readEnv(filled)).toEqual(readEnv(production));
    // Over what the image says: its address stays.
    expect(readEnv({ HOST: '0.0.0.0', ...filled }).host).toBe('0.0.0.0');
  });

  test('tells the defaults: what is commented out changes nothing when it is taken in', async () => {
    const whole = parseEnv((await example()).replace(/^#(?=[A-Z_]+=)/gm, ''));
    expect(Object.keys(whole)).toHaveLength(settingNames.length);
    expect(readEnv({ ...whole, ...required })).toEqual(readEnv(production));
  });

  test('says above each setting what it is for', async () => {
    const explained = [...(await example()).matchAll(/^# \S.*\n#?([A-Z_]+)=/gm)].map(([, name]) => name);
    expect(explained.toSorted()).toEqual(settingNames.toSorted());
  });
});

test('process.env is read in env.ts only, by the server', async () => {
  const src = new URL('../src/', import.meta.url);
  const files = (await readdir(src, { recursive: true })).filter((file) => file.endsWith('.ts'));
  const readers = [];
  for (const file of files) {
    const text = await readFile(new URL(file, src), 'utf8');
    if (/\bprocess\b.*\benv\b|\benv\b.*\bprocess\b|import\.meta\.env/.test(text)) readers.push(file);
  }
  expect(files.length).toBeGreaterThan(50);
  // The examples are programs of their own, clients.
  expect(readers.filter((file) => !file.startsWith('example/'))).toEqual(['env.ts']);
});

describe('signing in to the console', () => {
  const oidc = { ...production, OIDC_CLIENT_ID: 'console' };

  test('happens where tokens are issued, unless another address is given', () => {
    expect(readEnv(oidc).oidc).toEqual({
      authority: 'https://idp.test',
      clientId: 'console',
      scope: 'openid',
    });
    expect(readEnv({ ...oidc, OIDC_AUTHORITY: 'https://login.test' }).oidc?.authority).toBe(
      'https://login.test',
    );
  });

  test('needs an issuer whose tokens are accepted, at an address that is safe in production', () => {
    expect(named({ OIDC_CLIENT_ID: 'console' })).toEqual(['JWT_ISSUER']);
    expect(named({ ...oidc, JWT_ISSUER: 'urn:issuer' })).toEqual(['OIDC_AUTHORITY']);
    expect(named({ ...oidc, OIDC_AUTHORITY: 'http://login.test' })).toEqual(['OIDC_AUTHORITY']);
  });

  test('may call other origins of the issuer, which are safe to put into a content security policy', () => {
    const origins = (value: string) => ({ ...oidc, OIDC_CONNECT_ORIGINS: value });
    expect(
      readEnv(origins('https://token.idp.test, https://[2001:db8::1]:8443,http://127.0.0.1:9000'))
        .oidcConnectOrigins,
    ).toEqual(['https://token.idp.test', 'https://[2001:db8::1]:8443', 'http://127.0.0.1:9000']);
    for (const value of [
      'https://token.idp.test/path',
      'http://token.idp.test',
      'wss://token.idp.test',
      '*',
      "https://a;script-src'self'",
    ])
      expect(named(origins(value))).toEqual(['OIDC_CONNECT_ORIGINS']);
  });
});
