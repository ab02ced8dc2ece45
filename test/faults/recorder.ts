import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** What a server acknowledged: that it was done, once. */
export type Acknowledged =
  | { did: 'tenant'; tenantId: string }
  | { did: 'policy'; tenantId: string; version: number }
  | { did: 'step'; tenantId: string; userId: string; key: string }
  | { did: 'factor'; tenantId: string; userId: string; factorId: string }
  | { did: 'code'; tenantId: string; userId: string; step: number }
  | { did: 'recovery'; tenantId: string; userId: string; code: number }
  | { did: 'finish'; tenantId: string; userId: string; key: string };

/** Writes to a file before anybody judges: what was acknowledged is known whatever comes after. */
export class Recorder {
  readonly #folder = mkdtempSync(join(tmpdir(), 'cufflink-recorder-'));
  readonly #file = join(this.#folder, 'acknowledged.jsonl');

  constructor() {
    writeFileSync(this.#file, '');
  }

  record(it: Acknowledged): void {
    appendFileSync(this.#file, `${JSON.stringify(it)}\n`);
  }

  all(): Acknowledged[] {
    return readFileSync(this.#file, 'utf8')
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line) as Acknowledged);
  }

  close(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
