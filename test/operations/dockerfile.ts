import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { repository } from '../process/servers.ts';

/** An instruction of a Dockerfile, as far as ours are written. */
export interface Instruction {
  name: string;
  /** Flags such as --from=build. */
  flags: Record<string, string>;
  /** The rest of the line. */
  text: string;
}

export interface Stage {
  image: string;
  name: string | undefined;
  instructions: Instruction[];
}

/** The stages of our Dockerfile, in their order. */
export async function stages(): Promise<Stage[]> {
  const text = await readFile(join(repository, 'Dockerfile'), 'utf8');
  const lines = text
    .replace(/^#.*\n/gm, '')
    .replace(/\\\n\s*/g, '')
    .split('\n')
    .filter((line) => line.trim() !== '');
  const found: Stage[] = [];
  for (const line of lines) {
    const [, name = '', flags = '', rest = ''] = /^([A-Z]+) ((?:--[\w-]+=\S+ )*)(.*)$/.exec(line) ?? [];
    if (name === 'FROM') {
      const [image = '', , as] = rest.split(' ');
      found.push({ image, name: as, instructions: [] });
    } else {
      found.at(-1)?.instructions.push({ name, flags: flagsOf(flags), text: rest });
    }
  }
  return found;
}

const flagsOf = (text: string): Record<string, string> =>
  Object.fromEntries([...text.matchAll(/--([\w-]+)=(\S+)/g)].map(([, name, value]) => [name, value]));

export const instructionsOf = (stage: Stage | undefined, name: string): Instruction[] =>
  stage?.instructions.filter((each) => each.name === name) ?? [];

/** What a COPY copies from, and to where. */
export function copyOf({ text }: Instruction): { sources: string[]; target: string } {
  const words = text.split(' ');
  return { sources: words.slice(0, -1), target: words.at(-1) ?? '' };
}
