import type { Page } from 'playwright-core';
import { publicUrl } from '../setup/harness.ts';
import { type SignInWorld, start } from '../signin/user-agent.ts';
import type { Stage } from './stage.ts';

export interface Visit {
  mfaToken: string;
  /** As startMfa answered it, on the server that was really started. */
  pageUrl: string;
  redirectUrl: string;
}

/** Starts a step, as a sign-in service does before it sends the browser away. */
export async function startVisit(
  { server, applicationUrl }: Stage,
  world: SignInWorld,
  userId: string,
  accountName = `${userId}@acme.test`,
): Promise<Visit> {
  const redirectUrl = `${applicationUrl}/signed-in?state=${userId}`;
  const decision = await start(world, userId, { redirectUrl, accountName });
  if (decision.__typename !== 'MfaDecision' || decision.mfaToken === null || decision.pageUrl === null) {
    throw new Error(`No step: ${JSON.stringify(decision)}`);
  }
  const pageUrl = decision.pageUrl.replace(publicUrl, server.url);
  return { mfaToken: decision.mfaToken, pageUrl, redirectUrl };
}

/** The page's own words, whatever the style makes of them. */
export const heading = (page: Page, name: string | RegExp) => page.getByRole('heading', { level: 1, name });

export const codeField = (page: Page) => page.getByLabel('Six-digit code');

/** What the page tells a person who can't scan. */
export async function secretOn(page: Page): Promise<string> {
  await page.getByText('Can’t scan the code?').click();
  const text = (await page.locator('.secret code').textContent()) ?? '';
  return text.replaceAll(' ', '');
}

/** A recovery code that is shown. */
export const recoveryCodeOn = async (page: Page): Promise<string> =>
  (await page.locator('.secret code').textContent()) ?? '';

export async function confirmSaved(page: Page): Promise<void> {
  await page.getByLabel('I have saved my recovery code.').check();
  await page.getByRole('button', { name: 'Continue' }).click();
}
