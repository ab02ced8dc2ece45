import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import serveFiles from '@fastify/static';
import type { FastifyInstance } from 'fastify';
import { assetSeconds } from '../shared/limits.ts';

/*
 * The pages for browsers, as `npm run pages` built them: the console at `/`, the pages of the MFA step at
 * `/mfa/enroll` and `/mfa/challenge`, and outside production the IDE at `/graphiql`.
 */

export interface Pages {
  /** The folder that holds what was built: `console/`, `mfa/` and `graphiql/`. */
  folder: string;
  /** Whether the IDE is served. */
  graphiql: boolean;
  /** Origins beside its own that the console calls: where the people who administer sign in. */
  consoleOrigins?: readonly string[];
}

/** Stands in a page's source where each answer has a nonce of its own. */
const nonceMark = '%CSP_NONCE%';

/**
 * What every page may: load what this server serves, and call this server. Nothing of it is inline, it is put
 * into no frame, and no form of it goes anywhere.
 */
const strictPolicy = {
  'default-src': "'none'",
  'script-src': "'self'",
  'style-src': "'self'",
  'img-src': "'self' data:",
  'connect-src': "'self'",
  'frame-ancestors': "'none'",
  'base-uri': "'none'",
  'form-action': "'none'",
};

export async function addPages(
  app: FastifyInstance,
  { folder, graphiql, consoleOrigins = [] }: Pages,
): Promise<void> {
  await addAssets(app, join(folder, 'console/assets'), '/assets/');
  await addPage(app, '/', join(folder, 'console/index.html'), (nonce) => ({
    ...strictPolicy,
    // The component library makes its style elements in the browser.
    'style-src': `'self' 'nonce-${nonce}'`,
    'connect-src': ["'self'", ...consoleOrigins].join(' '),
  }));
  await addAssets(app, join(folder, 'mfa/mfa/assets'), '/mfa/assets/');
  for (const step of ['/mfa/enroll', '/mfa/challenge']) {
    await addPage(app, step, join(folder, 'mfa/mfa/index.html'), () => strictPolicy);
  }
  if (!graphiql) return;
  await addAssets(app, join(folder, 'graphiql/graphiql/assets'), '/graphiql/assets/');
  await addPage(app, '/graphiql', join(folder, 'graphiql/graphiql.html'), () => ({
    ...strictPolicy,
    // Its editor sets style elements and attributes without a nonce.
    'style-src': "'self' 'unsafe-inline'",
    'font-src': "'self' data:",
    'worker-src': "'self' blob:",
  }));
}

async function addPage(
  app: FastifyInstance,
  url: string,
  file: string,
  policy: (nonce: string) => Record<string, string>,
): Promise<void> {
  // Read once: what is built anew under a running server must not mix with what it was started with.
  const html = await readFile(file, 'utf8');
  app.get(url, quiet, async (_request, reply) => {
    const nonce = randomBytes(16).toString('base64');
    reply.header('content-security-policy', headerOf(policy(nonce)));
    reply.type('text/html; charset=utf-8');
    return html.replaceAll(nonceMark, nonce);
  });
}

async function addAssets(app: FastifyInstance, root: string, prefix: string): Promise<void> {
  await app.register(serveFiles, {
    root,
    prefix,
    decorateReply: false,
    index: false,
    preCompressed: true,
    // Their names hold digests of what is in them.
    immutable: true,
    maxAge: assetSeconds * 1000,
    logLevel: quiet.logLevel,
  });
}

/** Pages and files are many lines in a log and tell nothing. */
const quiet = { logLevel: 'warn' } as const;

const headerOf = (policy: Record<string, string>): string =>
  Object.entries(policy)
    .map(([directive, sources]) => `${directive} ${sources}`)
    .join(';');
