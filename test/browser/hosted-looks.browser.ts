import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import type { Page } from 'playwright-core';
import { uniqueId } from '../setup/harness.ts';
import { codeAt } from '../setup/totp.ts';
import { makeWorld } from '../setup/world.ts';
import { redeem } from '../signin/step-tools.ts';
import { enrolledUser, type SignInWorld, signInWorld } from '../signin/user-agent.ts';
import { codeField, heading, secretOn, startVisit } from './hosted-visit.ts';
import {
  expectNoComplaints,
  keepScreenshot,
  overflows,
  type Stage,
  startStage,
  violations,
} from './stage.ts';

/* Every screen of the hosted pages, for every eye and every reader. SCREENSHOTS=on keeps pictures of them. */

let stage: Stage;
let world: SignInWorld;
beforeAll(async () => {
  stage = await startStage();
  world = await signInWorld(stage.server, { displayName: 'Harbor CRM' });
});
afterAll(() => stage.close());
afterEach(expectNoComplaints);

const names = [
  'enroll',
  'save-code',
  'challenge',
  'wrong-code',
  'recovery',
  'recovered',
  'done',
  'over',
] as const;
type Name = (typeof names)[number];

const wrong = '000000';
const visitOf = (userId: string, own = world) => startVisit(stage, own, userId, 'ada@harbor.example');

/** Leads a page to each of its screens. */
const ways: Record<Name, (page: Page) => Promise<void>> = {
  async enroll(page) {
    await page.goto((await visitOf(uniqueId('user'))).pageUrl);
    await page.getByRole('img').waitFor();
  },
  async 'save-code'(page) {
    await page.goto((await visitOf(uniqueId('user'))).pageUrl);
    await codeField(page).fill(codeAt(await secretOn(page), stage.server.clock.now()));
    await heading(page, 'Save your recovery code').waitFor();
  },
  async challenge(page) {
    await page.goto((await visitOf((await enrolledUser(stage.server, world)).id)).pageUrl);
    await codeField(page).waitFor();
  },
  async 'wrong-code'(page) {
    await ways.challenge(page);
    await codeField(page).fill(wrong);
    await page.getByText('4 attempts left').waitFor();
  },
  async recovery(page) {
    await ways.challenge(page);
    await page.getByRole('button', { name: 'Use your recovery code instead' }).click();
    await page.getByLabel('Recovery code').waitFor();
  },
  async recovered(page) {
    const user = await enrolledUser(stage.server, world);
    const visit = await visitOf(user.id);
    await redeem(world.browser, visit.mfaToken, user.recoveryCode);
    await page.goto(visit.pageUrl);
    await heading(page, 'Your recovery code was accepted').waitFor();
  },
  async done(page) {
    await ways['save-code'](page);
    page.once('dialog', (dialog) => dialog.accept());
    await page.reload();
    await heading(page, 'Two-step verification is set up').waitFor();
  },
  async over(page) {
    await page.goto(`${stage.server.url}/mfa/challenge#token=over`);
    await heading(page, 'This step is over').waitFor();
  },
};
const pictured: readonly Name[] = ['enroll', 'save-code', 'challenge', 'recovered'];

describe.each(['light', 'dark'] as const)('in %s', (colorScheme) => {
  test.each(names)(
    '%s: axe finds nothing, nothing is cut off at 320 px, and the title is the heading',
    async (name) => {
      const page = await stage.open({ colorScheme, height: 900 });
      await ways[name](page);
      expect(await violations(page)).toEqual([]);
      const title = await page.getByRole('heading', { level: 1 }).textContent();
      expect(await page.title()).toMatch(title ?? 'a heading');
      for (const [width, height] of [
        [1280, 900],
        [390, 844],
        [320, 640],
      ] as const) {
        await page.setViewportSize({ width, height });
        expect([width, await overflows(page)]).toEqual([width, false]);
        if (width !== 320 && pictured.includes(name))
          await keepScreenshot(page, `${name}-${colorScheme}-${width}`);
      }
      expect(await violations(page)).toEqual([]);
      await page.context().close();
    },
  );
});

test('German is spoken to who asks for it, the page says so to readers, and the choice is kept', async () => {
  const page = await stage.open({ locale: 'de-AT' });
  const user = await enrolledUser(stage.server, world);
  const release = Promise.withResolvers<void>();
  await page.route('**/graphql', async (route) => {
    await release.promise;
    await route.fallback();
  });
  await page.goto((await visitOf(user.id)).pageUrl);
  await heading(page, 'Einen Moment').waitFor();
  expect(await page.getAttribute('html', 'lang')).toBe('de');
  expect(await page.title()).toBe('Bestätigung in zwei Schritten');
  release.resolve();
  await heading(page, 'Code eingeben').waitFor();
  expect(await page.getAttribute('html', 'lang')).toBe('de');
  expect(await page.title()).toBe('Code eingeben · Harbor CRM');
  expect(await violations(page)).toEqual([]);
  await page.getByRole('button', { name: 'English' }).click();
  await heading(page, 'Enter your code').waitFor();
  expect(await page.getAttribute('html', 'lang')).toBe('en');
  await page.reload();
  await heading(page, 'Enter your code').waitFor();
  expect(await violations(page)).toEqual([]);
  await page.context().close();
});

test('names of 200 characters, without a space or in right-to-left script, break nothing', async () => {
  const page = await stage.open({ width: 320, height: 640 });
  for (const displayName of ['W'.repeat(200), 'שלום '.repeat(40).trim(), 'נמל']) {
    const own = await makeWorld(stage.server, {
      displayName,
      policy: { totpEnabled: true, recoveryCodesEnabled: true, enrollment: 'REQUIRED' },
    });
    const service = await stage.server.caller({
      applicationId: own.applicationId,
      scopes: ['mfa-workflow:execute'],
    });
    const ownWorld = { ...world, ...own, tenantId: own.tenantIds[0] as string, service };
    const visit = await startVisit(stage, ownWorld, uniqueId('user'), 'x'.repeat(200));
    await page.goto(visit.pageUrl);
    await page.getByRole('img').waitFor();
    expect([displayName, await overflows(page)]).toEqual([displayName, false]);
    expect(await violations(page)).toEqual([]);
  }
  await page.context().close();
});
