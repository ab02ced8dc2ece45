import { mkdir, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { env } from 'node:process';
import { expect, jest } from '@jest/globals';
import axe from 'axe-core';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import { repository } from '../process/servers.ts';
import { startTestServer, type TestServer } from '../setup/harness.ts';

/*
 * The built pages of the real server in a real Chromium (CHROMIUM, else Debian's). Whatever a page asks of another host,
 * writes to its console as an error, or is refused by its content security policy, fails the test.
 */

jest.setTimeout(120_000);

export interface Stage {
  server: TestServer;
  /** Where sign-ins come from and go back to: an application of another origin. */
  applicationUrl: string;
  open(options?: PageOptions): Promise<Page>;
  close(): Promise<void>;
}

export interface PageOptions extends Pick<BrowserContextOptions, 'colorScheme' | 'locale' | 'reducedMotion'> {
  width?: number;
  height?: number;
  /** Errors that the page may write to its console, e.g. of a server that was taken away. */
  mayComplain?: RegExp;
  /** Other origins that the page may ask, e.g. an issuer's. */
  otherOrigins?: readonly string[];
}

/** @param overrides of the server */
export async function startStage(overrides: Parameters<typeof startTestServer>[0] = {}): Promise<Stage> {
  const application = await startApplication();
  const applicationUrl = `http://127.0.0.1:${(application.address() as AddressInfo).port}`;
  const server = await startTestServer({
    pages: { folder: join(repository, 'dist'), graphiql: true },
    redirectOrigins: [applicationUrl],
    ...overrides,
  });
  const browser = await chromium.launch({
    executablePath: env['CHROMIUM'] || '/usr/bin/chromium',
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
  return {
    server,
    applicationUrl,
    open: (options) => open(browser, server.url, applicationUrl, options),
    async close() {
      const { complaints } = expectations;
      await browser.close();
      await server.stop();
      application.closeAllConnections();
      application.close();
      expect(complaints.splice(0)).toEqual([]);
    },
  };
}

const expectations = { complaints: [] as string[] };

/** For afterEach: what the pages of a test did that they must not. */
export const expectNoComplaints = (): void => expect(expectations.complaints.splice(0)).toEqual([]);

async function open(
  browser: Browser,
  serverUrl: string,
  applicationUrl: string,
  { width = 1280, height = 800, mayComplain, otherOrigins = [], ...options }: PageOptions = {},
): Promise<Page> {
  const context = await browser.newContext({
    viewport: { width, height },
    locale: 'en-GB',
    acceptDownloads: true,
    ...options,
  });
  const page = await context.newPage();
  page.setDefaultTimeout(20_000);
  const complain = (what: string) => {
    if (!mayComplain?.test(what)) expectations.complaints.push(what);
  };
  page.on('console', (message) => message.type() === 'error' && complain(message.text()));
  page.on('pageerror', (error) => complain(error.message));
  page.on('request', (request) => {
    const { protocol, origin } = new URL(request.url());
    const isOwn =
      [serverUrl, applicationUrl, ...otherOrigins].includes(origin) || ['data:', 'blob:'].includes(protocol);
    if (!isOwn) complain(`asked ${request.url()}`);
  });
  return page;
}

/** An application on an origin of its own; it answers whatever is asked. */
async function startApplication(): Promise<Server> {
  const server = createServer((_request, response) => {
    response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' });
    response.end('<!doctype html><html lang="en"><title>Signed in</title><h1>Signed in</h1></html>');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server;
}

/** What axe-core finds wrong with a page that has come to rest; contrast, names, roles, order. */
export async function violations(page: Page): Promise<string[]> {
  await page.evaluate(comeToRest);
  // As the debugger does it, which no content security policy concerns.
  await page.evaluate(axe.source);
  const found = (await page.evaluate(
    'axe.run(document, { resultTypes: ["violations"] }).then(({ violations }) => violations)',
  )) as axe.Result[];
  return found.flatMap(({ id, help, nodes }) => nodes.map(({ html }) => `${id}: ${help}: ${html}`));
}

/** What fades in has little contrast on its way; it begins some frames after it stands in the page. */
const comeToRest = `(async () => {
  for (let calmFrames = 0; calmFrames < 5; calmFrames += 1) {
    await new Promise(requestAnimationFrame);
    const moves = document.getAnimations().filter(({ effect }) => effect.getComputedTiming().endTime !== Infinity);
    if (moves.length > 0) calmFrames = 0;
    await Promise.allSettled(moves.map(({ finished }) => finished));
  }
})()`;

/** Whether a page is wider than its window: then people must scroll sideways. */
export const overflows = (page: Page): Promise<boolean> =>
  page.evaluate('document.documentElement.scrollWidth > document.documentElement.clientWidth');

/**
 * Keeps a picture of a page in docs/screenshots, as WebP, where SCREENSHOTS=on asks for it.
 * @param name e.g. enroll-light-1280
 */
export async function keepScreenshot(page: Page, name: string): Promise<void> {
  if (env['SCREENSHOTS'] !== 'on') return;
  await page.evaluate('document.fonts.ready');
  const session = await page.context().newCDPSession(page);
  const { data } = (await session.send('Page.captureScreenshot', { format: 'webp', quality: 85 })) as {
    data: string;
  };
  await session.detach();
  const folder = join(repository, 'docs/screenshots');
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, `${name}.webp`), Buffer.from(data, 'base64'));
}
