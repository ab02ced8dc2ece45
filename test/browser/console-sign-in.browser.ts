import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import type { Scope } from '../../src/caller/caller.ts';
import type { StoredPopulation } from '../setup/population.ts';
import { openConsole, policy, startConsoleStage, storeTenants } from './console-stage.ts';
import { type OidcIssuer, startOidcIssuer } from './oidc-issuer.ts';
import { expectNoComplaints, type Stage, violations } from './stage.ts';

/* Who gets into the console, how, and what it then offers. */

describe('with the issuer', () => {
  let issuer: OidcIssuer;
  let stage: Stage;
  let place: StoredPopulation;
  const origins = () => [issuer.url, issuer.tokenOrigin];
  beforeAll(async () => {
    issuer = await startOidcIssuer();
    stage = await startConsoleStage(
      { kind: 'oidc', authority: issuer.url, clientId: 'console', scope: 'openid', audience: 'cufflink' },
      { origins: origins() },
    );
    place = await storeTenants(stage, 'Harbor CRM', [{ name: 'Alder' }]);
  });
  afterAll(async () => {
    await stage.close();
    await issuer.stop();
  });
  afterEach(expectNoComplaints);

  test('people sign in by code and PKCE, come back to where they were, and the code is in no address', async () => {
    issuer.accessToken = await stage.server.token({ applicationId: place.applicationId, sub: 'ann' });
    const page = await stage.open({ otherOrigins: origins() });
    await page.goto(`${stage.server.url}/#/${place.applicationId}/audit`);
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByRole('heading', { level: 1, name: 'Audit' }).waitFor();
    expect(page.url()).toBe(`${stage.server.url}/#/${place.applicationId}/audit`);
    expect(Object.fromEntries(issuer.asked.at(-1) ?? [])).toMatchObject({
      response_type: 'code',
      code_challenge_method: 'S256',
      audience: 'cufflink',
      redirect_uri: `${stage.server.url}/`,
    });
    expect(await page.evaluate('JSON.stringify(localStorage)')).not.toContain(issuer.accessToken);
    await page.evaluate("sessionStorage.setItem('cufflink.draft.application.harbor', '{}')");
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByRole('button', { name: 'Sign in' }).waitFor();
    expect(await page.evaluate('sessionStorage.length')).toBe(0);
    await page.context().close();
  });

  test('a token endpoint at an origin that nobody named is not called, and the sign-in says so', async () => {
    issuer.accessToken = await stage.server.token({ applicationId: place.applicationId, sub: 'ann' });
    const strict = await startConsoleStage(
      { kind: 'oidc', authority: issuer.url, clientId: 'console', scope: 'openid', audience: 'cufflink' },
      { origins: [issuer.url] },
    );
    const page = await strict.open({ otherOrigins: origins(), mayComplain: /Content Security Policy|CSP/ });
    await page.goto(strict.server.url);
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByText('The sign-in was not finished').waitFor();
    await page.context().close();
    await strict.close();
  });

  test('what is not finished says so, and can be begun anew', async () => {
    issuer.accessToken = null;
    const page = await stage.open({ otherOrigins: origins(), mayComplain: /400/ });
    await page.goto(stage.server.url);
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByText('The sign-in was not finished').waitFor();
    await page.goto(`${stage.server.url}/?code=stolen&state=foreign`);
    await page.getByText('The sign-in was not finished').waitFor();
    await page.getByRole('button', { name: 'Sign in' }).waitFor();
    await page.context().close();
  });

  test('a token that ends is renewed unseen, where the issuer gave the means', async () => {
    const good = { applicationId: place.applicationId, sub: 'ann' };
    issuer.accessToken = await stage.server.token(good);
    issuer.refreshToken = 'renew-me';
    const page = await stage.open({ otherOrigins: origins(), mayComplain: /401|ERR_FAILED/ });
    await page.goto(stage.server.url);
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByRole('heading', { level: 1, name: 'Harbor CRM' }).waitFor();
    issuer.refreshedToken = await stage.server.token({ ...good, claims: { renewed: true } });
    let refusals = 0;
    // A moment without the issuer ends no session: what was asked is asked again by itself.
    let lost = 0;
    await page.route(`${issuer.tokenOrigin}/**`, (route) => {
      lost += 1;
      return lost === 1 ? route.abort() : route.fallback();
    });
    await page.route('**/graphql', async (route) => {
      const bearer = route.request().headers()['authorization'];
      if (bearer === `Bearer ${issuer.refreshedToken}`) return route.fallback();
      refusals += 1;
      return route.fulfill({
        status: 401,
        json: {
          errors: [{ message: 'A good bearer token is needed.', extensions: { code: 'UNAUTHENTICATED' } }],
        },
      });
    });
    await page.getByRole('link', { name: 'Audit' }).click();
    await page.getByRole('cell', { name: 'tenant.updated' }).first().waitFor();
    expect(refusals).toBeGreaterThan(0);
    expect(lost).toBeGreaterThan(1);
    await page.context().close();
  });
});

describe('with a role or a token', () => {
  let stage: Stage;
  let place: StoredPopulation;
  beforeAll(async () => {
    stage = await startConsoleStage({
      kind: 'development',
      roles: [{ name: 'admin', description: "an application's administrator" }],
      mint: async (role) =>
        role === 'admin' ? stage.server.token({ applicationId: place.applicationId }) : null,
    });
    place = await storeTenants(stage, 'Harbor CRM', [
      { name: 'Alder', enabled: true, values: policy({ issuer: 'Alder' }) },
    ]);
  });
  afterAll(() => stage.close());
  afterEach(expectNoComplaints);

  const as = (scopes: Scope[], tenant = false) =>
    openConsole(stage, {
      scopes,
      applicationId: place.applicationId,
      ...(tenant && { tenantId: place.tenantIds[0] as string }),
    });
  const navigation = (page: Awaited<ReturnType<typeof as>>) =>
    page.getByRole('navigation', { name: 'Pages' }).getByRole('link').allTextContents();

  test.each([
    { signIn: { kind: 'oidc', authority: 'https://idp.test' } },
    { signIn: { kind: 'development', roles: [{ name: 'admin' }] } },
    { signIn: null },
  ])('an answer that is not the server’s is not taken for its settings: %j', async (json) => {
    const page = await stage.open();
    await page.route('**/console/settings.json', (route) => route.fulfill({ json }));
    await page.goto(stage.server.url);
    await page.getByText('is not understood by this page').waitFor();
    await page.context().close();
  });

  test('in development a role is chosen', async () => {
    const page = await stage.open();
    await page.goto(stage.server.url);
    await page.getByRole('button', { name: 'admin' }).waitFor();
    expect(await violations(page)).toEqual([]);
    await page.getByRole('button', { name: 'admin' }).click();
    await page.getByRole('heading', { level: 1, name: 'Harbor CRM' }).waitFor();
    await page.context().close();
  });

  test('only what the scopes allow is offered', async () => {
    const reader = await as(['mfa-policy:read']);
    await reader.getByRole('heading', { level: 1, name: 'Harbor CRM' }).waitFor();
    await reader.getByRole('link', { name: 'Alder' }).waitFor();
    expect(await navigation(reader)).toEqual(['Application view', 'Tenant view']);
    expect(await reader.getByRole('textbox', { name: 'Issuer' }).count()).toBe(0);
    expect(await reader.getByRole('switch', { name: 'Override of Alder' }).isDisabled()).toBe(true);
    await reader.context().close();

    const support = await as(['auth-factor:read', 'auth-factor:delete', 'mfa-exemption:write']);
    await support.getByRole('textbox', { name: 'Tenant id' }).waitFor();
    expect(await navigation(support)).toEqual(['Users']);
    await support.context().close();

    const auditor = await as(['audit:read']);
    await auditor.getByRole('cell', { name: 'tenant.updated' }).first().waitFor();
    expect(await navigation(auditor)).toEqual(['Audit']);
    await auditor.context().close();

    const nobody = await as([], true);
    await nobody.getByText('Your sign-in carries no scopes.').waitFor();
    expect(await violations(nobody)).toEqual([]);
    await nobody.context().close();
  });

  test('a tenant’s administrator lands in its Tenant View, and gets no other', async () => {
    const page = await as(['mfa-policy:read', 'mfa-policy:write', 'auth-factor:read'], true);
    await page.getByRole('heading', { level: 1, name: 'Alder' }).waitFor();
    await page.getByRole('heading', { name: 'Users by state' }).waitFor();
    expect(await navigation(page)).toEqual(['Tenant view', 'Users']);
    expect(await page.getByRole('combobox', { name: 'Select a tenant to configure' }).count()).toBe(0);
    await page.context().close();
  });

  test('of the whole installation, an application is picked first', async () => {
    const page = await openConsole(stage, {});
    await page.getByRole('searchbox', { name: 'Search' }).fill('harbor crm');
    await page.getByRole('link', { name: 'Harbor CRM' }).first().click();
    await page.getByRole('heading', { level: 1, name: 'Harbor CRM' }).waitFor();
    await page.context().close();
  });
});
