import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import type { StoredPopulation } from '../setup/population.ts';
import {
  enrolled,
  openConsole,
  policy,
  startConsoleStage,
  storeDeadLetter,
  storeTenants,
  unenrolled,
} from './console-stage.ts';
import { expectNoComplaints, type Stage } from './stage.ts';

/* Users, the record and webhooks. */

let stage: Stage;
let place: StoredPopulation;
beforeAll(async () => {
  stage = await startConsoleStage();
  place = await storeTenants(stage, 'Harbor CRM', [
    {
      name: 'Cedar Bank',
      enabled: true,
      values: policy({ enrollment: 'REQUIRED' }),
      users: [enrolled('bela'), unenrolled('ada')],
    },
  ]);
});
afterAll(() => stage.close());
afterEach(expectNoComplaints);

const at = (path: string) => `#/${place.applicationId}/${path}`;

test('a user is found, explained, excused with a reason, and reset', async () => {
  const page = await openConsole(
    stage,
    { applicationId: place.applicationId, sub: 'help@desk' },
    at('users'),
  );
  await page.getByRole('textbox', { name: 'User id' }).fill('ada');
  await page.getByRole('button', { name: 'Find' }).click();
  const user = page.getByRole('dialog', { name: 'User' });
  await user.getByText('Must enroll before getting in.').waitFor();
  await user.getByText('Enrollment required (this decided)').waitFor();
  await user.getByRole('button', { name: 'Exempt' }).click();
  const exempt = page.getByRole('dialog', { name: 'Exempt this user from enrolling?' });
  expect(await exempt.getByRole('button', { name: 'Exempt' }).isDisabled()).toBe(true);
  await exempt.getByRole('textbox', { name: 'Reason' }).fill('new phone is on its way');
  await exempt.getByRole('button', { name: 'Exempt' }).click();
  await user.getByText('new phone is on its way').waitFor();
  await user.getByText('Let in without a code.').waitFor();
  await user.getByRole('button', { name: 'Revoke exemption' }).click();
  await page
    .getByRole('dialog', { name: 'Revoke' })
    .getByRole('button', { name: 'Revoke exemption' })
    .click();
  await user.getByText('Must enroll before getting in.').waitFor();
  await user.getByRole('button', { name: 'Close' }).click();

  await page.getByText('Enrolled 1').click();
  await page.getByRole('link', { name: 'bela' }).click();
  await user.getByText('Asked for a code.', { exact: true }).waitFor();
  await user.getByRole('button', { name: 'Reset MFA' }).click();
  const reset = page.getByRole('dialog', { name: 'Reset this user' });
  await reset.getByRole('textbox', { name: 'Reason' }).fill('lost everything');
  await reset.getByRole('button', { name: 'Reset MFA' }).click();
  await page.getByText('The MFA of bela is reset.').waitFor();
  await user.getByText('None.', { exact: true }).waitFor();
  await page.context().close();
});

test('the record is narrowed by action and user, and its address keeps what is looked at', async () => {
  const page = await openConsole(stage, { applicationId: place.applicationId }, at('audit'));
  await page.getByRole('combobox', { name: 'Action' }).fill('mfa_exemption.gr');
  await page.getByRole('option', { name: 'mfa_exemption.granted' }).click();
  await page.getByText('new phone is on its way').first().waitFor();
  expect(await page.getByRole('row').count()).toBe(2);
  expect(page.url()).toContain('action=mfa_exemption.granted');
  await page.getByRole('textbox', { name: 'User id' }).fill('nobody');
  await page.getByRole('button', { name: 'Apply' }).click();
  await page.getByText('Nothing fits').waitFor();
  await page.reload();
  await page.getByText('Nothing fits').waitFor();
  await page.getByRole('button', { name: 'Clear' }).click();
  await page.getByRole('cell', { name: 'tenant.updated' }).first().waitFor();
  await page.context().close();
});

test('a webhook endpoint shows its secret once, and a dead letter is replayed', async () => {
  const page = await openConsole(stage, { applicationId: place.applicationId }, at('webhooks'));
  await page.getByRole('button', { name: 'Add endpoint' }).click();
  const form = page.getByRole('dialog', { name: 'Add an endpoint' });
  await form.getByRole('textbox', { name: 'Address' }).fill('ftp://example.com');
  await form.getByRole('button', { name: 'Add endpoint' }).click();
  await form.getByRole('textbox', { name: 'Address' }).and(page.locator('[aria-invalid=true]')).waitFor();
  await form.getByRole('textbox', { name: 'Address' }).fill('https://hooks.example.com/cufflink');
  await form.getByRole('button', { name: 'Add endpoint' }).click();
  const secret = page.getByRole('dialog', { name: 'The signing secret' });
  await secret.getByText(/^whsec_/).waitFor();
  await secret.getByRole('button', { name: 'I have kept it' }).click();
  await page.getByText(/whsec_/).waitFor({ state: 'detached' });

  await page.getByRole('button', { name: /^Delete: https/ }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
  await page.getByText('No endpoints yet').waitFor();

  await storeDeadLetter(stage, place, 'https://hooks.example.com/cufflink');
  await page.reload();
  await page.getByText('status 500').waitFor();
  await page.getByRole('button', { name: /^Replay mfa_policy_override.updated/ }).click();
  await page.getByText('1 delivery is sent again.').waitFor();
  await page.getByText('No dead letters').waitFor();
  await page.context().close();
});
