import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import type { Page, Route } from 'playwright-core';
import {
  longName,
  openConsole,
  rightToLeftName,
  startConsoleStage,
  storeTenants,
  unenrolled,
} from './console-stage.ts';
import { expectNoComplaints, overflows, type Stage, violations } from './stage.ts';

/* What goes wrong around the console, and what people then see. */

let stage: Stage;
beforeAll(async () => {
  stage = await startConsoleStage();
});
afterAll(() => stage.close());
afterEach(expectNoComplaints);

const asks = (route: Route, operation: string): boolean =>
  (route.request().postDataJSON() as { query: string }).query.includes(operation);

const issuer = (page: Page) => page.getByRole('textbox', { name: 'Issuer' });

test('a server that is gone is said to be, asked again by itself, and nothing typed is lost', async () => {
  const { applicationId } = await storeTenants(stage, 'Harbor CRM', [{ name: 'Alder' }]);
  const page = await openConsole(stage, { applicationId }, '', { mayComplain: /ERR_FAILED/ });
  await issuer(page).fill('Typed');
  await page.route('**/graphql', (route) => route.abort());
  await page.getByRole('link', { name: 'Audit' }).click();
  await page.getByText('The server can’t be reached.').waitFor();
  expect(await violations(page)).toEqual([]);
  await page.getByRole('link', { name: 'Application view' }).click();
  expect(await issuer(page).inputValue()).toBe('Typed');
  await page.getByRole('button', { name: 'Save changes' }).click();
  await page.getByRole('dialog').getByText('can’t be told now').waitFor();
  expect(await violations(page)).toEqual([]);
  await page.getByRole('dialog').getByRole('button', { name: 'Save and apply' }).click();
  await page.getByText('It may have been saved all the same').waitFor();
  await page.unroute('**/graphql');
  await page.getByText('The server can’t be reached.').waitFor({ state: 'detached' });
  await page.getByRole('button', { name: 'Save changes' }).click();
  await page.getByText('The application’s policy is saved.').waitFor();
  await page.context().close();
});

test('slow answers show where they will stand, and a button pressed twice writes once', async () => {
  const { applicationId } = await storeTenants(stage, 'Harbor CRM', [{ name: 'Alder' }]);
  const page = await openConsole(stage, { applicationId }, '#/nowhere-yet');
  let writes = 0;
  await page.route('**/graphql', async (route) => {
    if (asks(route, 'mutation ConsoleUpdateApplicationPolicy')) writes += 1;
    await new Promise((resolve) => setTimeout(resolve, 700));
    await route.fallback();
  });
  await page.goto(`${stage.server.url}/#/${applicationId}`);
  await page.getByRole('status', { name: 'Loading' }).first().waitFor();
  await issuer(page).fill('Once');
  await page.getByRole('button', { name: 'Save changes' }).dblclick();
  await page.getByText('The application’s policy is saved.').waitFor();
  expect(writes).toBe(1);
  await page.context().close();
});

test('a token that ends is asked for anew over the page, which stays as it is', async () => {
  const { applicationId } = await storeTenants(stage, 'Harbor CRM', [{ name: 'Alder' }]);
  const page = await openConsole(stage, { applicationId }, '', { mayComplain: /401/ });
  await issuer(page).fill('Still here');
  const unauthenticated = {
    status: 401,
    json: { errors: [{ message: 'A good token is needed.', extensions: { code: 'UNAUTHENTICATED' } }] },
  };
  // What is typed is looked at by itself; the token ends after that, with the look that saving takes.
  await page.getByText('Nobody who signs in today').waitFor();
  let hasEnded = false;
  await page.route('**/graphql', (route) => {
    hasEnded ||= asks(route, 'ConsolePreviewApplicationPolicy');
    return hasEnded ? route.fulfill(unauthenticated) : route.fallback();
  });
  await page.getByRole('button', { name: 'Save changes' }).click();
  const again = page.getByRole('dialog', { name: 'Your sign-in has ended' });
  await again.waitFor();
  expect(await violations(page)).toEqual([]);
  await page.unroute('**/graphql');
  await again.getByLabel('Bearer token').fill(await stage.server.token({ applicationId }));
  await again.getByRole('button', { name: 'Use this token' }).click();
  await again.waitFor({ state: 'detached' });
  expect(await issuer(page).inputValue()).toBe('Still here');
  await page.getByRole('button', { name: 'Save changes' }).click();
  await page.getByText('The application’s policy is saved.').waitFor();
  await page.context().close();
});

test('55 tenants are paged and searched, and names of any length and direction fit a phone', async () => {
  const names = Array.from({ length: 53 }, (_, n) => `Tenant ${String(n).padStart(2, '0')}`);
  const { applicationId } = await storeTenants(
    stage,
    longName,
    [...names, longName, rightToLeftName].map((name) => ({ name, users: [unenrolled('x'.repeat(255))] })),
  );
  const page = await openConsole(stage, { applicationId }, '', { width: 390, height: 844 });
  await page.getByText('55 tenants').waitFor();
  const pager = page.getByRole('navigation', { name: 'Pages of tenants' });
  await pager.getByRole('button', { name: 'Next' }).click();
  await pager.getByText('Page 2').waitFor();
  await pager.getByRole('button', { name: 'Next' }).click();
  await page.getByRole('link', { name: rightToLeftName }).waitFor();
  expect(await pager.getByRole('button', { name: 'Next' }).isDisabled()).toBe(true);
  const name = page.getByRole('link', { name: rightToLeftName }).locator('span');
  expect([await name.getAttribute('dir'), await name.getAttribute('title')]).toEqual([
    'auto',
    rightToLeftName,
  ]);
  expect(await overflows(page)).toBe(false);
  await page.getByRole('searchbox', { name: 'Search' }).fill('gesellschaft');
  await page.getByText('1 tenant', { exact: true }).waitFor();
  await page.getByRole('link', { name: longName }).click();
  await page.getByRole('heading', { level: 1, name: longName }).waitFor();
  await page.getByText('Override the application’s policy').waitFor();
  expect(await overflows(page)).toBe(false);
  await page.context().close();
});

test('an application without tenants, and an address that leads nowhere, say so', async () => {
  const { applicationId } = await storeTenants(stage, 'Empty', []);
  const page = await openConsole(stage, {}, `#/${applicationId}`);
  await page.getByText('No tenants yet').waitFor();
  await page.getByText('No users yet').waitFor();
  expect(await violations(page)).toEqual([]);
  await page.goto(`${stage.server.url}/#/absent`);
  await page.getByText('There is no such application, or none that you may see.').waitFor();
  await page.context().close();
});
