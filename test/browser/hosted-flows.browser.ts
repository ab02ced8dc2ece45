import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { uniqueId } from '../setup/harness.ts';
import { codeAt } from '../setup/totp.ts';
import { redeem } from '../signin/step-tools.ts';
import {
  enrolledUser,
  finishChallenge,
  finishEnrollment,
  type SignInWorld,
  signInWorld,
} from '../signin/user-agent.ts';
import { codeField, confirmSaved, heading, recoveryCodeOn, secretOn, startVisit } from './hosted-visit.ts';
import { expectNoComplaints, type Stage, startStage, violations } from './stage.ts';

/* A user's ways through the hosted pages, with codes that the tests compute themselves. */

let stage: Stage;
let world: SignInWorld;
beforeAll(async () => {
  stage = await startStage();
  world = await signInWorld(stage.server);
});
afterAll(() => stage.close());
afterEach(expectNoComplaints);

const code = (secret: string) => codeAt(secret, stage.server.clock.now());

test('a user enrolls, saves the recovery code, answers a challenge, later comes with the recovery code and enrolls anew', async () => {
  const page = await stage.open();
  const userId = uniqueId('user');

  const first = await startVisit(stage, world, userId);
  await page.goto(first.pageUrl);
  await heading(page, 'Set up your authenticator').waitFor();
  await page.getByText(/Your app lists it as .?Acme/).waitFor();
  const secret = await secretOn(page);
  await codeField(page).fill(code(secret));
  await heading(page, 'Save your recovery code').waitFor();
  const recoveryCode = await recoveryCodeOn(page);
  await confirmSaved(page);
  await page.waitForURL(first.redirectUrl);
  expect(await finishEnrollment(world, first.mfaToken)).toMatchObject({ amr: ['otp'], userId });

  stage.server.clock.advance(30);
  const second = await startVisit(stage, world, userId);
  await page.goto(second.pageUrl);
  await heading(page, 'Enter your code').waitFor();
  await codeField(page).fill(code(secret));
  await page.waitForURL(second.redirectUrl);
  expect(await finishChallenge(world, second.mfaToken)).toMatchObject({ amr: ['otp'] });

  const third = await startVisit(stage, world, userId);
  await page.goto(third.pageUrl);
  await page.getByRole('button', { name: 'Use your recovery code instead' }).click();
  await page.getByLabel('Recovery code').fill(recoveryCode.toLowerCase().replaceAll('-', ' '));
  await page.getByRole('button', { name: 'Continue' }).click();
  await heading(page, 'Your recovery code was accepted').waitFor();
  await page.getByRole('button', { name: 'Set up a new authenticator' }).click();
  const newSecret = await secretOn(page);
  expect(newSecret).not.toBe(secret);
  await codeField(page).fill(code(newSecret));
  await heading(page, 'Save your recovery code').waitFor();
  expect(await recoveryCodeOn(page)).not.toBe(recoveryCode);
  await confirmSaved(page);
  await page.waitForURL(third.redirectUrl);
  expect(await finishChallenge(world, third.mfaToken)).toMatchObject({
    amr: ['recovery'],
    recoveryCodeState: 'ACTIVE',
  });

  stage.server.clock.advance(30);
  const fourth = await startVisit(stage, world, userId);
  await page.goto(fourth.pageUrl);
  await codeField(page).fill(code(newSecret));
  await page.waitForURL(fourth.redirectUrl);
  await page.context().close();
});

test('a user whose authenticator still works takes a new recovery code after the old one, or goes on with neither', async () => {
  const user = await enrolledUser(stage.server, world);
  const page = await stage.open();
  const visit = await startVisit(stage, world, user.id);
  await redeem(world.browser, visit.mfaToken, user.recoveryCode);
  await page.goto(visit.pageUrl);
  await heading(page, 'Your recovery code was accepted').waitFor();
  await page.getByRole('button', { name: 'Get a new recovery code' }).click();
  await heading(page, 'Save your recovery code').waitFor();
  const anew = await recoveryCodeOn(page);
  expect(await violations(page)).toEqual([]);
  await confirmSaved(page);
  await page.waitForURL(visit.redirectUrl);

  const next = await startVisit(stage, world, user.id);
  await page.goto(next.pageUrl);
  await page.getByRole('button', { name: 'Use your recovery code instead' }).click();
  await page.getByLabel('Recovery code').fill(anew);
  await page.keyboard.press('Enter');
  await page.getByRole('button', { name: 'Continue without either' }).click();
  await page.waitForURL(next.redirectUrl);
  expect(await finishChallenge(world, next.mfaToken)).toMatchObject({ recoveryCodeState: 'USED' });
  await page.context().close();
});

test('the recovery code is copied and downloaded as it is shown, and nobody goes on without saying that it is saved', async () => {
  const page = await stage.open();
  await page.context().grantPermissions(['clipboard-read', 'clipboard-write'], { origin: stage.server.url });
  const visit = await startVisit(stage, world, uniqueId('user'));
  await page.goto(visit.pageUrl);
  await codeField(page).fill(code(await secretOn(page)));
  await heading(page, 'Save your recovery code').waitFor();
  const shown = await recoveryCodeOn(page);

  await page.getByRole('button', { name: /^Copy/ }).click();
  await page.getByRole('button', { name: /^Copied/ }).waitFor();
  expect(await page.evaluate('navigator.clipboard.readText()')).toBe(shown);

  const [download] = await Promise.all([
    page.waitForEvent('download'),
    page.getByRole('button', { name: 'Download' }).click(),
  ]);
  expect(download.suggestedFilename()).toBe('recovery-code.txt');
  const chunks: Buffer[] = [];
  for await (const chunk of await download.createReadStream()) chunks.push(chunk as Buffer);
  expect(Buffer.concat(chunks).toString()).toContain(shown);

  await page.getByRole('button', { name: 'Continue' }).click();
  await page.getByText('Please save the code first').waitFor();
  await page.context().close();
});

test('a user who did not save the recovery code gets a new one for a code of the authenticator', async () => {
  const page = await stage.open();
  const visit = await startVisit(stage, world, uniqueId('user'));
  await page.goto(visit.pageUrl);
  const secret = await secretOn(page);
  await codeField(page).fill(code(secret));
  await heading(page, 'Save your recovery code').waitFor();
  const lost = await recoveryCodeOn(page);
  page.on('dialog', (dialog) => dialog.accept());
  await page.reload();
  await heading(page, 'Two-step verification is set up').waitFor();
  await page.getByRole('button', { name: /save your recovery code/ }).click();
  stage.server.clock.advance(30);
  await codeField(page).fill(code(secret));
  await heading(page, 'Save your recovery code').waitFor();
  expect(await recoveryCodeOn(page)).not.toBe(lost);
  await confirmSaved(page);
  await page.waitForURL(visit.redirectUrl);
  await page.context().close();
});

test('a reload breaks neither a scan nor a challenge', async () => {
  const page = await stage.open();
  await page.goto((await startVisit(stage, world, uniqueId('user'))).pageUrl);
  const secret = await secretOn(page);
  await page.reload();
  expect(await secretOn(page)).toBe(secret);

  const user = await enrolledUser(stage.server, world);
  const visit = await startVisit(stage, world, user.id);
  await page.goto(visit.pageUrl);
  await codeField(page).waitFor();
  await page.reload();
  await codeField(page).fill(code(user.secret));
  await page.waitForURL(visit.redirectUrl);
  await page.context().close();
});

test('without a redirectUrl the page says that the user may go back', async () => {
  const user = await enrolledUser(stage.server, world);
  const page = await stage.open();
  const visit = await startVisit(stage, world, user.id);
  await stage.server.database.pool.query(
    'update mfa_steps set redirect_url = null where tenant_id = $1 and user_id = $2',
    [world.tenantId, user.id],
  );
  await page.goto(visit.pageUrl);
  await codeField(page).fill(code(user.secret));
  await heading(page, 'You’re verified').waitFor();
  await page.getByText(/You can go back to .*Acme.* now/).waitFor();
  await page.context().close();
});
