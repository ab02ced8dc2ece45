import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import type { Page, Route } from 'playwright-core';
import { uniqueId } from '../setup/harness.ts';
import { codeAt, wrongCode } from '../setup/totp.ts';
import { deleteFactor, setPolicy } from '../signin/step-tools.ts';
import {
  enrolledUser,
  finishChallenge,
  type SignInWorld,
  signInWorld,
  verify,
} from '../signin/user-agent.ts';
import { codeField, heading, secretOn, startVisit } from './hosted-visit.ts';
import { expectNoComplaints, type Stage, startStage, violations } from './stage.ts';

/* What the hosted pages make of wrong codes, dead tokens, policies that change, and servers that do not answer. */

let stage: Stage;
let world: SignInWorld;
beforeAll(async () => {
  stage = await startStage();
  world = await signInWorld(stage.server);
});
afterAll(() => stage.close());
afterEach(expectNoComplaints);

const now = () => stage.server.clock.now();
const code = (secret: string) => codeAt(secret, now());
const over = (page: Page) => heading(page, 'This step is over');

async function challenge(page: Page, own = world) {
  const user = await enrolledUser(stage.server, own);
  const visit = await startVisit(stage, own, user.id);
  await page.goto(visit.pageUrl);
  await codeField(page).waitFor();
  return { user, ...visit };
}

/**
 * The addresses that the browser would go back and forward to, as it keeps them itself. (Beside each, Chromium
 * remembers in its memory where the visit was first led to, which no page can change and nobody is shown.)
 */
async function historyOf(page: Page): Promise<string[]> {
  const devtools = await page.context().newCDPSession(page);
  const { entries } = await devtools.send('Page.getNavigationHistory');
  return entries.map(({ url }) => url);
}

describe('the token', () => {
  test('is in no address, no history and no Referer, and stays with the tab until it leaves', async () => {
    const page = await stage.open();
    const asked: { url: string; referer: string | undefined }[] = [];
    page.on('request', (request) =>
      asked.push({ url: request.url(), referer: request.headers()['referer'] }),
    );
    const user = await enrolledUser(stage.server, world);
    const { mfaToken, pageUrl, redirectUrl } = await startVisit(stage, world, user.id);
    // Sent there by the sign-in, as browsers are, not by what somebody typed.
    await page.goto(stage.applicationUrl);
    await page.evaluate(`location.assign(${JSON.stringify(pageUrl)})`);
    await codeField(page).waitFor();
    const history = await historyOf(page);
    expect(history).toContain(`${stage.server.url}/mfa/challenge`);
    expect(history.join(' ')).not.toContain(mfaToken);
    expect(page.url()).toBe(`${stage.server.url}/mfa/challenge`);
    await codeField(page).fill(code(user.secret));
    await page.waitForURL(redirectUrl);
    for (const { url, referer } of asked.filter(({ url }) => !url.includes('#'))) {
      expect(url).not.toContain(mfaToken);
      expect(referer ?? '').not.toContain(mfaToken);
    }
    expect((await historyOf(page)).join(' ')).not.toContain(mfaToken);
    const left = asked.find(({ url }) => url === redirectUrl);
    expect(left?.referer).toBeUndefined();
    expect(stage.server.logs()).not.toContain(mfaToken);
    // What replaced the page replaced its entry, too.
    await page.goto(`${stage.server.url}/mfa/challenge`);
    await page.getByText('opened by a sign-in').waitFor();
    await page.context().close();
  });

  test('is left to nobody who has the tab next, when the user cancels', async () => {
    const page = await stage.open();
    const { redirectUrl } = await challenge(page);
    await page.getByRole('link', { name: /Cancel/ }).click();
    await page.waitForURL(redirectUrl);
    await page.goto(`${stage.server.url}/mfa/challenge`);
    await page.getByText('opened by a sign-in').waitFor();
    await page.context().close();
  });

  test('that is expired, finished, ended or none is explained, with what to do', async () => {
    const page = await stage.open();
    const finished = await challenge(page);
    await verify(world.browser, code(finished.user.secret), finished.mfaToken);
    await finishChallenge(world, finished.mfaToken);
    await page.reload();
    await over(page).waitFor();
    await page.getByText('Go back to where you sign in').waitFor();

    const ended = await challenge(page);
    await deleteFactor(world, ended.user.factorId);
    await codeField(page).fill(code(ended.user.secret));
    await over(page).waitFor();
    // The page has seen where the sign-in came from.
    await page.getByRole('button', { name: /Continue to/ }).click();
    await page.waitForURL(ended.redirectUrl);

    const expired = await startVisit(stage, world, uniqueId('user'));
    stage.server.clock.advance(601);
    await page.goto(expired.pageUrl);
    await over(page).waitFor();
    expect(await violations(page)).toEqual([]);

    const fresh = await stage.open();
    await fresh.goto(`${stage.server.url}/mfa/enroll`);
    await over(fresh).waitFor();
    await fresh.getByText('there is none here').waitFor();
    await fresh.context().close();
    await page.context().close();
  });

  test('ends the page by itself when its time is up', async () => {
    const page = await stage.open();
    const user = await enrolledUser(stage.server, world);
    const { mfaToken, pageUrl } = await startVisit(stage, world, user.id);
    await stage.server.database.pool.query(
      `update mfa_steps set expires_at = $3 where tenant_id = $1 and user_id = $2 and finished_at is null`,
      [world.tenantId, user.id, new Date(Date.now() + 3_000 + (now().getTime() - Date.now()))],
    );
    // The page goes by the server's clock; the tests have moved that on.
    await page.route('**/graphql', async (route) => {
      const response = await route.fetch();
      await route.fulfill({ response, headers: { ...response.headers(), date: now().toUTCString() } });
    });
    await page.goto(pageUrl);
    await codeField(page).waitFor();
    await over(page).waitFor();
    expect(mfaToken).toBeTruthy();
    await page.context().close();
  });

  test('of another step, opened in the same tab, takes the place of the one before', async () => {
    const page = await stage.open();
    await challenge(page);
    const next = await startVisit(
      stage,
      world,
      (await enrolledUser(stage.server, world)).id,
      'next@acme.test',
    );
    await page.goto(next.pageUrl);
    await page.getByText('next@acme.test').waitFor();
    expect(page.url()).not.toContain('#');
    await page.context().close();
  });
});

describe('codes', () => {
  test('are taken as they are pasted, with spaces or words around them, and sent once by themselves', async () => {
    const page = await stage.open();
    const sent: string[] = [];
    page.on('request', (request) => {
      const body = request.postData() ?? '';
      if (body.includes('VerifyTotp')) sent.push(body);
    });
    await page
      .context()
      .grantPermissions(['clipboard-read', 'clipboard-write'], { origin: stage.server.url });
    const { user, redirectUrl } = await challenge(page);
    const right = code(user.secret);
    const pasted = `Your code is ${right.slice(0, 3)} ${right.slice(3)}.`;
    await page.evaluate(`navigator.clipboard.writeText(${JSON.stringify(pasted)})`);
    await codeField(page).focus();
    await page.keyboard.press('Control+V');
    await page.waitForURL(redirectUrl);
    expect(sent).toHaveLength(1);
    await page.context().close();
  });

  test('that were not taken may be pasted once more, and none is sent twice meanwhile', async () => {
    const page = await stage.open();
    const { user } = await challenge(page);
    let sent = 0;
    const held = Promise.withResolvers<void>();
    await page.route('**/graphql', async (route) => {
      if (!route.request().postData()?.includes('VerifyTotp')) return route.fallback();
      sent += 1;
      await held.promise;
      return route.fallback();
    });
    const wrong = wrongCode(user.secret, now());
    await codeField(page).fill(wrong);
    await page.getByRole('button', { name: 'Checking' }).waitFor();
    await page.keyboard.press('Enter');
    held.resolve();
    await page.getByRole('alert').filter({ hasText: '4 attempts left' }).waitFor();
    expect(sent).toBe(1);
    await codeField(page).fill(wrong);
    await page.getByRole('alert').filter({ hasText: '3 attempts left' }).waitFor();
    expect(sent).toBe(2);
    await page.context().close();
  });

  test('that are wrong are counted aloud, the fifth brings a wait that counts down, and a reload does not shorten it', async () => {
    const page = await stage.open();
    const { user, redirectUrl } = await challenge(page);
    const wrong = Number(wrongCode(user.secret, now()));
    for (let n = 0; n < 4; n += 1) {
      // Each is typed anew; the same code would not be sent twice.
      await codeField(page).pressSequentially(String(wrong).padStart(6, '0'));
      await page
        .getByRole('alert')
        .filter({ hasText: n === 3 ? 'One attempt left' : `${4 - n} attempts left` })
        .waitFor();
      expect(await codeField(page).inputValue()).toBe('');
    }
    await codeField(page).pressSequentially(String(wrong).padStart(6, '0'));
    await page
      .getByText(/You can try again in \d+:\d\d/)
      .first()
      .waitFor();
    expect(await codeField(page).getAttribute('readonly')).not.toBeNull();
    expect(await violations(page)).toEqual([]);
    await page.reload();
    await page
      .getByText(/You can try again in \d+:\d\d/)
      .first()
      .waitFor();
    stage.server.clock.advance(60);
    await page.reload();
    await codeField(page).fill(code(user.secret));
    await page.waitForURL(redirectUrl);
    await page.context().close();
  });

  test('that are too often wrong while enrolling bring a new QR code', async () => {
    const page = await stage.open();
    const { pageUrl } = await startVisit(stage, world, uniqueId('user'));
    await page.goto(pageUrl);
    const secret = await secretOn(page);
    const wrong = wrongCode(secret, now());
    for (let n = 0; n < 5; n += 1) {
      await codeField(page).pressSequentially(wrong);
      if (n < 4) await page.getByRole('alert').filter({ hasText: /left/ }).waitFor();
      if (n < 4) await page.getByText(n === 3 ? 'One attempt left' : `${4 - n} attempts left`).waitFor();
    }
    await page.getByText('this is a new QR code').waitFor();
    expect(await secretOn(page)).not.toBe(secret);
    await page.context().close();
  });
});

describe('a policy that changes meanwhile', () => {
  test('and switches TOTP off is explained', async () => {
    const own = await signInWorld(stage.server);
    const page = await stage.open();
    const { user } = await challenge(page, own);
    await setPolicy(own, { totpEnabled: false, recoveryCodesEnabled: false, enrollment: 'OPTIONAL' });
    await codeField(page).fill(code(user.secret));
    await heading(page, 'No second step is needed any more').waitFor();
    expect(await violations(page)).toEqual([]);
    await page.context().close();
  });

  test('and switches recovery codes off leaves the authenticator, and says who can help', async () => {
    const own = await signInWorld(stage.server);
    const page = await stage.open();
    await challenge(page, own);
    await page.getByRole('button', { name: 'Use your recovery code instead' }).click();
    await setPolicy(own, { recoveryCodesEnabled: false });
    await page.getByLabel('Recovery code').fill('ABCD-ABCD-ABCD-ABCD-ABCD');
    await page.keyboard.press('Enter');
    await codeField(page).waitFor();
    await page.getByText('Lost your authenticator?').click();
    await page.getByText('they can reset your two-step verification').waitFor();
    await page.context().close();
  });

  test('an authenticator that is locked leaves the recovery code, and without one, who can help', async () => {
    const page = await stage.open();
    const { user } = await challenge(page);
    const disable = (column: string) =>
      stage.server.database.pool.query(`update users set ${column} = 50 where tenant_id = $1 and id = $2`, [
        world.tenantId,
        user.id,
      ]);
    await disable('totp_failures');
    await codeField(page).fill(code(user.secret));
    await page.getByText('Your recovery code still works').waitFor();
    await disable('recovery_failures');
    await page.reload();
    await heading(page, 'Your authenticator is locked').waitFor();
    expect(await violations(page)).toEqual([]);
    await page.context().close();
  });
});

describe('a server', () => {
  const mayComplain = /ERR_FAILED|ERR_INTERNET|Failed to load/;
  const gone = (route: Route) => route.abort();

  test('that is gone is said to be, is asked again by itself, and nothing is lost', async () => {
    const page = await stage.open({ mayComplain });
    const { user, redirectUrl } = await challenge(page);
    await page.route('**/graphql', gone);
    await codeField(page).fill(code(user.secret));
    await heading(page, 'The server can’t be reached').waitFor();
    expect(await violations(page)).toEqual([]);
    await sleep(1_500);
    await page.unroute('**/graphql', gone);
    await page.getByText('The connection was interrupted').waitFor();
    await codeField(page).fill(code(user.secret));
    await page.waitForURL(redirectUrl);
    await page.context().close();
  });

  test('whose answer got lost after it took the code is asked where the step stands, and the user is done', async () => {
    const page = await stage.open({ mayComplain });
    const { user, redirectUrl } = await challenge(page);
    await page.route('**/graphql', async (route) => {
      if (!route.request().postData()?.includes('VerifyTotp')) return route.continue();
      await route.fetch();
      await route.abort();
    });
    await codeField(page).fill(code(user.secret));
    await page.waitForURL(redirectUrl);
    await page.context().close();
  });

  test('that is slow shows what comes, and gets each code once however often it is sent', async () => {
    const page = await stage.open();
    const sent: string[] = [];
    await page.route('**/graphql', async (route) => {
      const body = route.request().postData() ?? '';
      if (body.includes('VerifyTotp')) sent.push(body);
      await sleep(1_200);
      await route.continue();
    });
    const user = await enrolledUser(stage.server, world);
    const visit = await startVisit(stage, world, user.id);
    await page.goto(visit.pageUrl);
    await page.locator('.skeleton').first().waitFor();
    await codeField(page).fill(code(user.secret));
    await page.getByRole('button', { name: 'Checking…' }).waitFor();
    for (let n = 0; n < 3; n += 1) await page.keyboard.press('Enter');
    await page.waitForURL(visit.redirectUrl);
    expect(sent).toHaveLength(1);
    await page.context().close();
  });

  test('that answers what nobody expected is said to, with the id of the request', async () => {
    const page = await stage.open({ mayComplain });
    await page.route('**/graphql', (route) =>
      route.fulfill({
        status: 500,
        headers: { 'x-request-id': 'request-7' },
        json: { errors: [{ message: 'no', extensions: { code: 'INTERNAL_SERVER_ERROR' } }] },
      }),
    );
    await page.goto((await startVisit(stage, world, uniqueId('user'))).pageUrl);
    await heading(page, 'Something went wrong').waitFor();
    await page.getByText('Request: request-7').waitFor();
    expect(await violations(page)).toEqual([]);
    await page.context().close();
  });
});
