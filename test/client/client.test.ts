import { execFile } from 'node:child_process';
import { mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type CallError, createClient, ViewerEffectivePolicyDocument } from '../../src/client/client.ts';
import { cleanUp, newFolder, repository } from '../process/servers.ts';
import { startTestServer, type TestServer, uniqueId } from '../setup/harness.ts';
import { selfOf } from '../signin/step-tools.ts';
import { type SignInWorld, signInWorld } from '../signin/user-agent.ts';

/* The client for frontends, cufflink/client. */

let server: TestServer;
let world: SignInWorld;
beforeAll(async () => {
  server = await startTestServer();
  world = await signInWorld(server);
});
afterAll(() => server.stop());

/** A server that answers as it is told to, instead of Cufflink. */
async function instead(answer: RequestListener): Promise<{ url: string; close(): void }> {
  const other = createServer(answer);
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(other.address() as AddressInfo).port}/graphql`,
    close() {
      other.closeAllConnections();
      other.close();
    },
  };
}

const refusalOf = async (call: Promise<unknown>): Promise<CallError> => {
  try {
    await call;
  } catch (error) {
    return error as CallError;
  }
  throw new Error('The call went well.');
};

describe('a call', () => {
  test('answers typed data, with the token that is there when it is made', async () => {
    const userId = uniqueId('user');
    const tokens = [
      (await selfOf(server, world, 'another')).token,
      (await selfOf(server, world, userId)).token,
    ];
    const client = createClient({ url: `${server.url}/graphql`, token: () => tokens.shift() ?? null });
    await client.call(ViewerEffectivePolicyDocument, {});
    const { viewer } = await client.call(ViewerEffectivePolicyDocument, {});
    const subject: string = viewer.subject;
    expect(subject).toBe(userId);
    expect(viewer.tenant?.effectivePolicy).toMatchObject({ enrollment: 'REQUIRED', source: 'APPLICATION' });
  });

  test('that is refused says by which code, and under which id the server logged it', async () => {
    const error = await refusalOf(
      createClient({ url: `${server.url}/graphql` }).call(ViewerEffectivePolicyDocument, {}),
    );
    expect(error).toMatchObject({ name: 'CallError', code: 'UNAUTHENTICATED', isPassing: false });
    expect(error.requestId).toMatch(/^[\w-]{36}$/);
    expect(error.errors[0]?.path).toEqual(['viewer']);
  });

  test('that may go well later says so, and when the server wants to be asked again', async () => {
    const busy = await instead((_request, response) => {
      response.writeHead(503, { 'retry-after': '2', 'content-type': 'application/json' });
      response.end('{"errors":[{"message":"busy","extensions":{"code":"UNAVAILABLE"}}]}');
    });
    const error = await refusalOf(createClient({ url: busy.url }).call(ViewerEffectivePolicyDocument, {}));
    expect(error).toMatchObject({ code: 'UNAVAILABLE', isPassing: true, retryAfterSeconds: 2 });
    busy.close();
  });

  test.each<[string, RequestListener]>([
    ['a page of a proxy', (_request, response) => response.writeHead(502).end('<h1>Bad gateway</h1>')],
    ['JSON that is no answer', (_request, response) => response.end('[1]')],
    ['null', (_request, response) => response.end('null')],
    ['nothing', (request) => request.socket.destroy()],
    ['a redirect', (_request, response) => response.writeHead(302, { location: '/elsewhere' }).end()],
  ])('that is answered by %s is NETWORK', async (_what, answer) => {
    const other = await instead(answer);
    const error = await refusalOf(createClient({ url: other.url }).call(ViewerEffectivePolicyDocument, {}));
    expect(error).toMatchObject({ code: 'NETWORK', isPassing: true });
    other.close();
  });

  test('that takes too long is TIMEOUT; one that its caller gives up ends with the caller’s reason', async () => {
    const slow = await instead(() => {});
    const quick = createClient({ url: slow.url, timeoutMs: 50 });
    expect(await refusalOf(quick.call(ViewerEffectivePolicyDocument, {}))).toMatchObject({
      code: 'TIMEOUT',
      isPassing: true,
    });
    const own = new AbortController();
    const call = refusalOf(
      createClient({ url: slow.url }).call(ViewerEffectivePolicyDocument, {}, { signal: own.signal }),
    );
    own.abort(new Error('enough'));
    expect(await call).toMatchObject({ message: 'enough' });
    slow.close();
  });
});

describe('the package', () => {
  test('is imported as cufflink/client, and nothing else is', async () => {
    const run = (program: string) =>
      promisify(execFile)(process.execPath, ['--input-type=module', '-e', program], { cwd: repository });
    const { stdout } = await run(
      "import * as client from 'cufflink/client'; console.log(typeof client.createClient, String(client.MfaStepDocument).includes('introspectMfaToken'))",
    );
    expect(stdout).toBe('function true\n');
    await expect(run("import 'cufflink/dist/server/main.js'")).rejects.toThrow(
      'ERR_PACKAGE_PATH_NOT_EXPORTED',
    );
  });

  test('tells the compiler of its users what is in an answer, and what is not', async () => {
    const folder = await newFolder('user');
    await mkdir(join(folder, 'node_modules'));
    await symlink(repository, join(folder, 'node_modules/cufflink'));
    const files = {
      'package.json': '{ "type": "module" }',
      'tsconfig.json': JSON.stringify({
        compilerOptions: {
          module: 'nodenext',
          target: 'es2024',
          strict: true,
          noEmit: true,
          lib: ['es2024', 'dom'],
          types: [],
        },
        files: ['use.ts'],
      }),
      'use.ts': `
        import { createClient, EnrollTotpAuthFactorDocument, ViewerEffectivePolicyDocument } from 'cufflink/client';
        const client = createClient({ url: 'https://mfa.example.com/graphql' });
        const { viewer } = await client.call(ViewerEffectivePolicyDocument, {});
        export const issuer: string | undefined = viewer.tenant?.effectivePolicy.issuer;
        const { enrollTotpAuthFactor: begun } = await client.call(EnrollTotpAuthFactorDocument, { input: {} });
        export const secret: string = begun.__typename === 'TotpEnrollment' ? begun.secret : begun.message;
        // @ts-expect-error
        viewer.nothing;
        // @ts-expect-error
        await client.call(EnrollTotpAuthFactorDocument, { input: { nothing: 1 } });`,
    };
    for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
    const tsc = join(repository, 'node_modules/.bin/tsc');
    await promisify(execFile)(tsc, ['-p', folder]).catch(({ stdout }) => expect(stdout).toBe(''));
    await cleanUp();
  });

  test('imports nothing but its documents, and its types say all that they need', async () => {
    const folder = join(repository, 'dist/client');
    const files = (await readdir(folder, { recursive: true })).filter((name) => /\.(js|d\.ts)$/.test(name));
    for (const name of files) {
      const text = await readFile(join(folder, name), 'utf8');
      const imported = [...text.matchAll(/from ['"]([^'"]+)['"]/g)].map(([, from]) => from);
      const own = imported.filter((from) => from?.startsWith('./'));
      expect(imported.filter((from) => !own.includes(from))).toEqual(
        name.endsWith('.d.ts') ? ['@graphql-typed-document-node/core'] : [],
      );
    }
  });
});
