import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import type { Page } from 'playwright-core';
import {
  ExemptUserDocument,
  UpdateApplicationMfaPolicyDocument,
  UpdateTenantMfaPolicyDocument,
} from '../generated/documents.ts';
import type { StoredPopulation } from '../setup/population.ts';
import { openConsole, showcase, startConsoleStage, storeDeadLetter, storeTenants } from './console-stage.ts';
import { expectNoComplaints, keepScreenshot, overflows, type Stage, violations } from './stage.ts';

/* Every page of the console, for every eye and every reader. SCREENSHOTS=on keeps pictures of them. */

let stage: Stage;
let place: StoredPopulation;
beforeAll(async () => {
  stage = await startConsoleStage({
    kind: 'development',
    roles: [
      { name: 'installation', description: 'everything but signing users in, in the whole installation' },
      { name: 'admin', description: "an application's administrator" },
      { name: 'tenant-admin', description: "a tenant's administrator" },
    ],
    mint: async () => null,
  });
  place = await storeTenants(stage, 'Harbor CRM', showcase, { id: 'harbor-crm' });
  await someHistory();
});
afterAll(() => stage.close());
afterEach(expectNoComplaints);

/** What administrators have done, and what could not be delivered. */
async function someHistory(): Promise<void> {
  const { applicationId } = place;
  const ann = await stage.server.caller({ sub: 'ann@harbor.example', applicationId });
  const about = { tenantId: cedar(), userId: 'kim.w' };
  await ann.call(ExemptUserDocument, {
    input: { ...about, until: daysAhead(20), reason: 'on leave, new phone in the post' },
  });
  await ann.call(UpdateApplicationMfaPolicyDocument, {
    input: { applicationId, policy: { issuer: 'Harbor' } },
  });
  await ann.call(UpdateTenantMfaPolicyDocument, {
    input: { tenantId: cedar(), policy: { gracePeriodDays: 10 } },
  });
  await storeDeadLetter(stage, place, 'https://siem.harbor.example/hooks/cufflink');
}

const daysAhead = (days: number): string =>
  new Date(stage.server.clock.now().getTime() + days * 24 * 3600 * 1000).toISOString();

const names = [
  'sign-in',
  'application',
  'tenants',
  'tenant',
  'users',
  'user',
  'audit',
  'webhooks',
  'change',
] as const;
type Name = (typeof names)[number];

const cedar = () => place.tenantIds[2] as string;

/** Where each page is, and what stands there once it is all loaded. */
const pages: Record<Name, { hash: () => string; ready: (page: Page) => Promise<void> }> = {
  'sign-in': { hash: () => '', ready: (page) => page.getByText('tenant-admin').waitFor() },
  application: {
    hash: () => `#/${place.applicationId}`,
    async ready(page) {
      await page.getByRole('heading', { name: 'Users by state' }).waitFor();
      await page.getByRole('link', { name: 'Cedar Bank' }).waitFor();
      await page.locator('svg circle').first().waitFor();
    },
  },
  tenants: {
    hash: () => `#/${place.applicationId}`,
    async ready(page) {
      await page.getByRole('link', { name: 'Cedar Bank' }).waitFor();
      await page.getByRole('checkbox', { name: 'Select Alder Shipping' }).check();
      await page.getByRole('checkbox', { name: 'Select Birch & Sons' }).check();
      await page.evaluate("document.querySelector('table').closest('section').scrollIntoView()");
    },
  },
  tenant: {
    hash: () => `#/${place.applicationId}/tenants/${cedar()}`,
    async ready(page) {
      await page.getByText('Override the application’s policy').waitFor();
      await page.locator('svg circle').first().waitFor();
    },
  },
  users: {
    hash: () => `#/${place.applicationId}/users/${cedar()}`,
    async ready(page) {
      await page.getByRole('link', { name: 'ada.l' }).waitFor();
      await page.getByText('All 11').waitFor();
    },
  },
  user: {
    hash: () => `#/${place.applicationId}/users/${cedar()}/ada.l`,
    async ready(page) {
      await page.getByText('(this decided)').waitFor({ state: 'attached' });
      await page.waitForTimeout(300);
    },
  },
  audit: {
    hash: () => `#/${place.applicationId}/audit`,
    ready: (page) => page.getByRole('cell', { name: 'tenant.updated' }).first().waitFor(),
  },
  webhooks: {
    hash: () => `#/${place.applicationId}/webhooks`,
    ready: (page) => page.getByText('status 500').waitFor(),
  },
  change: {
    hash: () => `#/${place.applicationId}`,
    async ready(page) {
      await page.getByRole('link', { name: 'Cedar Bank' }).waitFor();
      await page.getByRole('radiogroup', { name: 'MFA Enrollment' }).getByText('Required').click();
      await page.getByText('must enroll at the next sign-in').waitFor();
      await page.getByRole('button', { name: 'Save changes' }).click();
      await page.getByRole('dialog', { name: 'Save this change?' }).waitFor();
      await page.waitForTimeout(300);
    },
  },
};

const looks = [
  ['light', 1280],
  ['light', 390],
  ['dark', 390],
  ['dark', 1280],
] as const;

test.each(names)(
  '%s follows the system, has no barrier, and nowhere must people scroll sideways',
  async (name) => {
    const { hash, ready } = pages[name];
    const options = { colorScheme: 'light', reducedMotion: 'reduce' } as const;
    const page =
      name === 'sign-in'
        ? await stage.open(options)
        : await openConsole(stage, { sub: 'admin@harbor.example' }, hash(), options);
    if (name === 'sign-in') await page.goto(stage.server.url);
    await ready(page);
    for (const [colorScheme, width] of looks) {
      await page.emulateMedia({ colorScheme });
      await page.setViewportSize({ width, height: width === 390 ? 844 : 800 });
      await page.waitForTimeout(200);
      await keepScreenshot(page, `console-${name}-${colorScheme}-${width}`);
      expect({
        colorScheme,
        width,
        violations: await violations(page),
        overflows: await overflows(page),
      }).toEqual({ colorScheme, width, violations: [], overflows: false });
    }
    await page.context().close();
  },
);
