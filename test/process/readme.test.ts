import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, expect, test } from '@jest/globals';
import { newClone } from './clone.ts';
import { cleanUp, repository, runProcess, startProcess } from './servers.ts';

afterEach(cleanUp);

const blocks = (text: string, language: string): string[] =>
  [...text.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\`$`, 'gms'))].map(([, block]) => block ?? '');

test("the README's commands, typed in one terminal, print the answers that it shows", async () => {
  const readme = await readFile(join(repository, 'README.md'), 'utf8');
  const commands = blocks(readme, 'sh');
  const answers = blocks(readme, 'json').map((answer) => JSON.parse(answer) as unknown);
  expect(commands.length).toBeGreaterThanOrEqual(3);
  expect(commands).toHaveLength(answers.length);

  const folder = await newClone();
  const url = await startProcess({ folder }).ready();
  // Only the address is another: any free port.
  const script = commands.join('\n').replaceAll('http://127.0.0.1:4000', url);
  const { code, stdout, stderr } = await runProcess({ folder, command: ['sh', '-e', '-c', script] });
  expect(stderr).toBe('');
  expect(code).toBe(0);
  const printed = stdout.split(/(?<=})\n(?={)/).map((answer) => JSON.parse(answer) as unknown);
  expect(printed).toEqual(answers);
});
