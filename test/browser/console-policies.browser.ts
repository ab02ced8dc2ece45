import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import type { Page } from 'playwright-core';
import {
  TenantPolicyDocument,
  UpdateApplicationDocument,
  UpdateApplicationMfaPolicyDocument,
} from '../generated/documents.ts';
import type { StoredPopulation } from '../setup/population.ts';
import {
  enrolled,
  openConsole,
  policy,
  startConsoleStage,
  storeTenants,
  unenrolled,
} from './console-stage.ts';
import { expectNoComplaints, type Stage, violations } from './stage.ts';

/* What administrators change in the console, from the look at it to what is stored. */

let stage: Stage;
beforeAll(async () => {
  stage = await startConsoleStage();
});
afterAll(() => stage.close());
afterEach(expectNoComplaints);

const threeTenants = (values = policy()) =>
  storeTenants(
    stage,
    'Harbor CRM',
    [
      { name: 'Alder', users: [enrolled('ann'), unenrolled('bob')] },
      { name: 'Birch', users: [unenrolled('cid'), unenrolled('dee')] },
      { name: 'Cedar', enabled: true, values: policy({ issuer: 'Cedar' }), users: [unenrolled('eve')] },
    ],
    { policy: values },
  );

/** What is stored and applies, as the server says. */
async function tenantNow({ tenantIds }: StoredPopulation, n: number) {
  const { data } = await (await stage.server.caller()).call(TenantPolicyDocument, {
    id: tenantIds[n] as string,
  });
  if (data.tenant === null) throw new Error('The tenant is gone.');
  return data.tenant;
}

const enrollment = (page: Page, choice: 'Optional' | 'Required') =>
  page.getByRole('radiogroup', { name: 'MFA Enrollment' }).getByText(choice, { exact: true }).click();
const save = (page: Page) => page.getByRole('button', { name: 'Save changes' }).click();

/** As another administrator does it elsewhere. */
const changeElsewhere = async (
  applicationId: string,
  values: { gracePeriodDays?: number; issuer?: string },
) =>
  (await stage.server.caller()).call(UpdateApplicationMfaPolicyDocument, {
    input: { applicationId, policy: values },
  });

describe('the policy of an application', () => {
  test('becomes REQUIRED after a look at whom it hits, and a yes', async () => {
    const place = await threeTenants();
    const page = await openConsole(stage, { applicationId: place.applicationId });
    await enrollment(page, 'Required');
    await page.getByText('2 tenants affected, 1 kept apart by their own override').waitFor();
    await save(page);
    const dialog = page.getByRole('dialog', { name: 'Save this change?' });
    await dialog.getByText('3 users must enroll at the next sign-in').waitFor();
    expect((await tenantNow(place, 0)).effectivePolicy.enrollment).toBe('OPTIONAL');
    await dialog.getByRole('button', { name: 'Save and apply' }).click();
    await page.getByText('The application’s policy is saved.').waitFor();
    expect((await tenantNow(place, 0)).effectivePolicy.enrollment).toBe('REQUIRED');
    expect((await tenantNow(place, 2)).effectivePolicy.enrollment).toBe('OPTIONAL');
    expect(await page.getByRole('button', { name: 'Save changes' }).count()).toBe(0);
    await page.context().close();
  });

  test('is not sent while it contradicts itself, and what the server refuses stands at its field', async () => {
    const place = await threeTenants();
    const page = await openConsole(stage, { applicationId: place.applicationId });
    await page.getByRole('switch', { name: 'Enable TOTP MFA' }).press('Space');
    await page.getByText('Recovery codes stand in for an authenticator').waitFor();
    expect(await page.getByRole('button', { name: 'Save changes' }).isDisabled()).toBe(true);
    await page.getByRole('button', { name: 'Discard' }).click();
    await page.route('**/graphql', async (route) => {
      const { query } = route.request().postDataJSON() as { query: string };
      if (!query.includes('ConsolePreviewApplicationPolicy')) return route.fallback();
      const refusal = { __typename: 'InvalidInput', message: 'The issuer is taken.', field: 'policy.issuer' };
      return route.fulfill({ json: { data: { previewApplicationMfaPolicy: refusal } } });
    });
    await page.getByRole('textbox', { name: 'Issuer' }).fill('Harbor');
    await save(page);
    const issuer = page.getByRole('textbox', { name: 'Issuer' });
    await page.getByText('The issuer is taken.').waitFor();
    expect(await issuer.getAttribute('aria-invalid')).toBe('true');
    await issuer.fill('Another');
    await page.getByText('The issuer is taken.').waitFor({ state: 'detached' });
    await page.context().close();
  });

  test('that somebody else changed meanwhile is shown field by field, and nothing typed is lost', async () => {
    const place = await threeTenants();
    const page = await openConsole(stage, { applicationId: place.applicationId });
    const issuer = page.getByRole('textbox', { name: 'Issuer' });
    await issuer.fill('Mine');
    await page.getByRole('switch', { name: 'Enable Recovery Codes' }).press('Space');
    await changeElsewhere(place.applicationId, { gracePeriodDays: 9, issuer: 'Theirs' });
    await save(page);
    const conflict = page.getByRole('alert').filter({ hasText: 'Somebody else changed this policy' });
    await conflict.getByRole('row', { name: /Grace period None 9 days as theirs/ }).waitFor();
    await conflict.getByRole('row', { name: /Issuer Application name Theirs Mine/ }).waitFor();
    expect(await violations(page)).toEqual([]);
    expect(await issuer.inputValue()).toBe('Mine');
    expect((await tenantNow(place, 0)).effectivePolicy).toMatchObject({
      issuer: 'Theirs',
      gracePeriodDays: 9,
    });
    await save(page);
    await page.getByText('The application’s policy is saved.').waitFor();
    expect((await tenantNow(place, 0)).effectivePolicy).toMatchObject({
      issuer: 'Mine',
      gracePeriodDays: 9,
      recoveryCodesEnabled: false,
    });
    await page.context().close();
  });

  test('that is being changed is still there after a reload', async () => {
    const place = await threeTenants();
    const page = await openConsole(stage, { applicationId: place.applicationId });
    await page.getByRole('textbox', { name: 'Issuer' }).fill('Half-typed');
    await page.getByText('Nobody who signs in today').waitFor();
    await page.reload();
    await page.getByText('Nobody who signs in today').waitFor();
    expect(await page.getByRole('textbox', { name: 'Issuer' }).inputValue()).toBe('Half-typed');
    await page.context().close();
  });
});

describe('a tenant', () => {
  test('is selected, overrides, and users feel what was shown before', async () => {
    const place = await threeTenants();
    const page = await openConsole(stage, { applicationId: place.applicationId });
    await page.getByRole('combobox', { name: 'Select a tenant to configure' }).fill('birc');
    await page.getByRole('option', { name: 'Birch' }).click();
    await page.getByRole('heading', { level: 1, name: 'Birch' }).waitFor();
    expect(await page.getByText('Inherited', { exact: true }).count()).toBe(5);
    await page.getByRole('switch', { name: 'Override the application’s policy' }).press('Space');
    await page.getByText('Overridden', { exact: true }).first().waitFor();
    await enrollment(page, 'Required');
    await page.getByText('Application: Optional').waitFor();
    await page.getByText('Once saved').waitFor();
    await page.getByText('Must set up an authenticator app before they get in.').waitFor();
    await save(page);
    const dialog = page.getByRole('dialog', { name: 'Save this change?' });
    await dialog.getByText('2 users must enroll').waitFor();
    await dialog.getByRole('button', { name: 'Save and apply' }).click();
    await page.getByText('The override of Birch is saved.').waitFor();
    expect((await tenantNow(place, 1)).effectivePolicy).toMatchObject({
      source: 'TENANT',
      enrollment: 'REQUIRED',
    });
    await page.context().close();
  });

  test('whose application allows only stricter overrides is told so before it is sent', async () => {
    const place = await storeTenants(
      stage,
      'Lantern',
      [{ name: 'Hazel', enabled: true, values: policy({ enrollment: 'REQUIRED' }) }],
      { policy: policy({ enrollment: 'REQUIRED' }), rule: 'STRICTER_ONLY' },
    );
    const page = await openConsole(stage, {
      applicationId: place.applicationId,
      tenantId: place.tenantIds[0] as string,
    });
    await enrollment(page, 'Optional');
    await page.getByText('The application requires enrollment, and tenants may only be stricter.').waitFor();
    expect(await page.getByRole('button', { name: 'Save changes' }).isDisabled()).toBe(true);
    await page.context().close();
  });
});

test('what tenants may override is changed with a look at whom it concerns, and not over another change', async () => {
  const place = await threeTenants();
  const admin = await stage.server.caller();
  const page = await openConsole(stage, { applicationId: place.applicationId });
  const choose = (rule: string) => page.getByRole('radio', { name: rule }).check();
  await choose('Nothing');
  await admin.call(UpdateApplicationDocument, {
    input: { id: place.applicationId, overrideRule: 'STRICTER_ONLY' },
  });
  await page.getByRole('button', { name: 'Save', exact: true }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByText('1 tenant has an override on.').waitFor();
  await dialog.getByText('Their own values will be ignored').waitFor();
  await dialog.getByRole('button', { name: 'Save and apply' }).click();
  await page.getByText('Another administrator has changed this to Only stricter').waitFor();
  expect(await page.getByRole('radio', { name: 'Nothing' }).isChecked()).toBe(true);
  await page.getByRole('button', { name: 'Save', exact: true }).click();
  await dialog.getByRole('button', { name: 'Save and apply' }).click();
  await page.getByText('What tenants may override is saved.').waitFor();
  const { data } = await admin.call(UpdateApplicationDocument, { input: { id: place.applicationId } });
  expect(data.updateApplication).toMatchObject({ application: { overrideRule: 'NONE' } });
  await page.context().close();
});

test('nothing is switched for many before it is known, or said to be unknown, what that does to all of them', async () => {
  const place = await storeTenants(
    stage,
    'Harbor CRM',
    Array.from({ length: 30 }, (_, n) => ({
      name: `Tenant ${n}`,
      enabled: true,
      values: policy({ totpEnabled: false, recoveryCodesEnabled: false }),
      users: [enrolled('ann')],
    })),
    { policy: policy({ totpEnabled: false, recoveryCodesEnabled: false, enrollment: 'OPTIONAL' }) },
  );
  const admin = await stage.server.caller();
  await admin.call(UpdateApplicationMfaPolicyDocument, {
    input: { applicationId: place.applicationId, policy: { totpEnabled: true, enrollment: 'REQUIRED' } },
  });
  for (const tenantId of place.tenantIds)
    await stage.server.database.pool.query(
      "insert into users (tenant_id, id, created_at) values ($1, 'bob', now())",
      [tenantId],
    );
  const page = await openConsole(stage, { applicationId: place.applicationId }, '', { mayComplain: /503/ });
  const [held, release] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  let isGone = false;
  await page.route('**/graphql', async (route) => {
    if (!route.request().postData()?.includes('query ConsolePreviewOverrides')) return route.fallback();
    if (isGone) return route.fulfill({ status: 503, json: {} });
    held.resolve();
    await release.promise;
    return route.fallback();
  });
  await page.getByRole('checkbox', { name: /^Select all/ }).check();
  await page.getByRole('button', { name: 'Next' }).click();
  // Until the next page is there, the one before stands, all of it selected.
  await page.getByRole('checkbox', { name: /^Select all/, checked: false }).waitFor();
  await page.getByRole('checkbox', { name: /^Select all/ }).check();
  await page.getByText('30 tenants selected').waitFor();
  await page.getByRole('button', { name: 'Switch overrides off' }).click();
  const dialog = page.getByRole('dialog');
  const confirm = dialog.getByRole('button', { name: 'Switch off' });
  await confirm.waitFor();
  expect(await confirm.isDisabled()).toBe(true);
  await held.promise;
  release.resolve();
  await dialog.getByText('30 tenants affected').waitFor();
  await dialog.getByText('30 users must enroll at the next sign-in').waitFor();
  expect(await confirm.isEnabled()).toBe(true);
  await dialog.getByRole('button', { name: 'Go back' }).click();
  isGone = true;
  await page.getByRole('button', { name: 'Switch overrides off' }).click();
  await dialog.getByText('can’t be told now').waitFor();
  await dialog.getByRole('button', { name: 'Switch off without knowing' }).click();
  await page.getByText('The override of 30 tenants is off.').waitFor();
  expect((await tenantNow(place, 29)).mfaPolicyOverride.enabled).toBe(false);
  await page.context().close();
});

test('the overrides of many tenants are switched together', async () => {
  const place = await threeTenants();
  const page = await openConsole(stage, { applicationId: place.applicationId });
  await page.getByRole('checkbox', { name: 'Select Alder' }).check();
  await page.getByRole('checkbox', { name: 'Select Birch' }).check();
  await page.getByText('2 tenants selected').waitFor();
  await page.getByRole('button', { name: 'Switch overrides on' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByText('Nobody who signs in today is treated differently').waitFor();
  await dialog.getByRole('button', { name: 'Switch on' }).click();
  await page.getByText('The override of 2 tenants is on.').waitFor();
  await page.getByRole('switch', { name: 'Override of Alder', checked: true }).waitFor();
  await page.getByRole('switch', { name: 'Override of Birch', checked: true }).waitFor();
  expect((await tenantNow(place, 1)).mfaPolicyOverride.enabled).toBe(true);
  await page.getByRole('switch', { name: 'Override of Birch' }).press('Space');
  await page.getByText('The override of Birch is off.').waitFor();
  expect((await tenantNow(place, 1)).mfaPolicyOverride.enabled).toBe(false);
  await page.context().close();
});
