import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { expectNoComplaints, type Stage, startStage, violations } from './stage.ts';

let stage: Stage;
beforeAll(async () => {
  stage = await startStage();
});
afterAll(() => stage.close());
afterEach(expectNoComplaints);

test('the IDE loads from this server alone, knows the schema, and carries an operation out', async () => {
  const page = await stage.open({ mayComplain: /401/ });
  const schema = page.waitForResponse(`${stage.server.url}/graphql`);
  await page.goto(`${stage.server.url}/graphiql`);
  await schema;
  await page.getByRole('button', { name: /Execute query/ }).waitFor();
  const height = await page.locator('.graphiql-container').evaluate((box) => box.clientHeight);
  expect(height).toBe(800);
  const editor = page.locator('.graphiql-query-editor');
  // What it begins with is a document that the schema was held against.
  await editor.locator('.view-line').getByText('Welcome').waitFor();
  // The library puts the name of a tab, a button, into the tab.
  const isOfLibrary = (violation: string) => /^nested-interactive: .*<li [^>]*graphiql-tab/.test(violation);
  expect((await violations(page)).filter((violation) => !isOfLibrary(violation))).toEqual([]);
  // The editor comes later than the box that it is put into.
  await editor.locator('.view-line').getByText('viewer').click();
  await page.keyboard.press('Control+A');
  await page.keyboard.type('{ viewer { sub', { delay: 20 });
  // What it offers, it has from the schema.
  const offered = page.locator('.suggest-widget').getByText('subject').first();
  // What was typed before its worker had read the schema is asked for again.
  for (let tries = 0; tries < 20 && !(await offered.isVisible()); tries += 1) {
    await page.keyboard.press('Control+Space');
    await page.waitForTimeout(500);
  }
  await offered.waitFor();
  await offered.click();
  await editor.locator('.view-line').getByText('subject').waitFor();
  // Put in as a whole, without the brackets that the editor adds behind it, when it has the time.
  const operation = '{ viewer { subject } }';
  const written = async () =>
    ((await editor.locator('.view-lines').textContent()) ?? '').replace(/\s+/g, ' ').trim();
  for (let tries = 0; tries < 20 && (await written()) !== operation; tries += 1) {
    await page.keyboard.press('Escape');
    await page.keyboard.press('Control+A');
    await page.keyboard.insertText(operation);
    for (const _ of operation.matchAll(/{/g)) await page.keyboard.press('Delete');
    await page.waitForTimeout(200);
  }
  expect(await written()).toBe(operation);
  await page.keyboard.press('Control+Enter');
  await page.locator('.graphiql-response').getByText('UNAUTHENTICATED').first().waitFor();
  await page
    .getByRole('button', { name: /Documentation Explorer/ })
    .first()
    .click();
  await page.getByText('Who the bearer token speaks for').or(page.getByText('Mutation')).first().waitFor();
  await page.context().close();
});
