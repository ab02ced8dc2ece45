import { readFileSync } from 'node:fs';

/** A transition of the drawing in src/signin/README.md. */
export interface Edge {
  from: string;
  to: string;
  event: string;
}

/** Reads the mermaid drawing of the MFA step. `[*]` is the state before there is a step. */
export function readDrawing(): { states: string[]; edges: Edge[] } {
  const readme = readFileSync(new URL('../../src/signin/README.md', import.meta.url), 'utf8');
  const drawing = /```mermaid\nstateDiagram-v2\n(.*?)```/s.exec(readme)?.[1] ?? '';
  const lines = drawing
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
  const states: string[] = [];
  const edges: Edge[] = [];
  for (const line of lines) {
    const [, state] = /^state "[^"]+" as (\w+)$/.exec(line) ?? [];
    const [, from, to, event] = /^(\[\*\]|\w+) --> (\w+): (.+)$/.exec(line) ?? [];
    if (state !== undefined) states.push(state);
    else if (from !== undefined && to !== undefined && event !== undefined) edges.push({ from, to, event });
    else throw new Error(`Neither a state nor a transition: ${line}`);
  }
  return { states, edges };
}
