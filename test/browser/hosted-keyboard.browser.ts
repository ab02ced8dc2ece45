import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import type { Page } from 'playwright-core';
import { uniqueId } from '../setup/harness.ts';
import { codeAt } from '../setup/totp.ts';
import { type SignInWorld, signInWorld } from '../signin/user-agent.ts';
import { heading, recoveryCodeOn, startVisit } from './hosted-visit.ts';
import { expectNoComplaints, type Stage, startStage } from './stage.ts';

/* The hosted pages without a mouse, and with a reader: where the focus is, and what it is on. */

let stage: Stage;
let world: SignInWorld;
beforeAll(async () => {
  stage = await startStage();
  world = await signInWorld(stage.server);
});
afterAll(() => stage.close());
afterEach(expectNoComplaints);

/** What has the focus, as a reader names it. */
const focused = (page: Page): Promise<string> =>
  page.evaluate(`(() => {
    const on = document.activeElement;
    return (on.labels?.[0] ?? on).textContent.trim();
  })()`);

/** Moves on by Tab until something is reached. */
async function tabTo(page: Page, name: string): Promise<void> {
  for (let n = 0; n < 15; n += 1) {
    await page.keyboard.press('Tab');
    if ((await focused(page)).startsWith(name)) return;
  }
  throw new Error(`Tab does not reach ${name}.`);
}

test('a user enrolls and signs in again with the keyboard alone; the focus goes where reading goes on', async () => {
  const page = await stage.open();
  const userId = uniqueId('user');
  const first = await startVisit(stage, world, userId);
  await page.goto(first.pageUrl);
  await page.getByRole('img').waitFor();
  expect(await focused(page)).toBe('Set up your authenticator');
  await tabTo(page, 'Can’t scan the code?');
  await page.keyboard.press('Enter');
  const secret = ((await page.locator('.secret code').textContent()) ?? '').replaceAll(' ', '');
  await tabTo(page, 'Six-digit code');
  await page.keyboard.type(codeAt(secret, stage.server.clock.now()));
  await heading(page, 'Save your recovery code').waitFor();
  expect(await focused(page)).toBe('Save your recovery code');
  const recoveryCode = await recoveryCodeOn(page);
  await tabTo(page, 'Copy');
  await tabTo(page, 'Download');
  await tabTo(page, 'I have saved');
  await page.keyboard.press('Space');
  await tabTo(page, 'Continue');
  await page.keyboard.press('Enter');
  await page.waitForURL(first.redirectUrl);

  const second = await startVisit(stage, world, userId);
  await page.goto(second.pageUrl);
  await heading(page, 'Enter your code').waitFor();
  expect(await focused(page)).toBe('Six-digit code');
  await page.keyboard.press('Enter');
  await page.getByRole('alert').filter({ hasText: 'The code has six digits.' }).waitFor();
  expect(await focused(page)).toBe('Six-digit code');
  await tabTo(page, 'Use your recovery code instead');
  await page.keyboard.press('Enter');
  await page.getByLabel('Recovery code').waitFor();
  expect(await focused(page)).toBe('Recovery code');
  await page.keyboard.press('Enter');
  await page.getByRole('alert').filter({ hasText: 'Enter your recovery code.' }).waitFor();
  await page.keyboard.type(recoveryCode);
  await page.keyboard.press('Enter');
  await heading(page, 'Your recovery code was accepted').waitFor();
  expect(await focused(page)).toBe('Your recovery code was accepted');
  await tabTo(page, 'Continue without either');
  await page.keyboard.press('Enter');
  await page.waitForURL(second.redirectUrl);
  await page.context().close();
});

test('the code field is one that browsers and phones fill in: one-time-code, digits', async () => {
  const page = await stage.open();
  await page.goto((await startVisit(stage, world, uniqueId('user'))).pageUrl);
  const field = page.getByLabel('Six-digit code');
  await field.waitFor();
  expect(await field.getAttribute('autocomplete')).toBe('one-time-code');
  expect(await field.getAttribute('inputmode')).toBe('numeric');
  await page.context().close();
});

test('whoever asks for less motion gets none', async () => {
  const page = await stage.open({ reducedMotion: 'reduce' });
  // Nothing is answered: the page stays as it is while it waits.
  await page.route('**/graphql', () => {});
  await page.goto((await startVisit(stage, world, uniqueId('user'))).pageUrl);
  await page.locator('.skeleton').first().waitFor();
  expect(await page.evaluate('document.getAnimations().length')).toBe(0);
  await page.context().close();
});
