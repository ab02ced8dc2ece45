import { jest } from '@jest/globals';
import type { Kind, Secret } from './needles.ts';

/** Members that carry a secret, in what is sent and in what comes back. */
const carriers: Readonly<Record<string, Kind>> = {
  mfaToken: 'MFA token',
  secret: 'TOTP secret',
  recoveryCode: 'recovery code',
  assertion: 'JWT',
};
/** Members of an answer that are meant to carry one, in whatever form. */
const meantToCarry = new Set([...Object.keys(carriers), 'pageUrl', 'otpauthUri', 'qrCode']);

/** Everything that goes over the wire, and the secrets in it. */
export class Traffic {
  readonly secrets: Secret[] = [];
  /** Codes of six digits. */
  readonly codes = new Set<string>();
  /** What came back, but for the members that are meant to carry a secret. */
  readonly answers: { status: number; text: string }[] = [];

  /** Notes what this process sends by fetch, until it is told to stop. @returns how to stop */
  record(): () => void {
    const real = globalThis.fetch;
    const spy = jest.spyOn(globalThis, 'fetch').mockImplementation(async (url, init) => {
      this.#sent(init);
      const response = await real(url, init);
      await this.#received(response.clone());
      return response;
    });
    return () => spy.mockRestore();
  }

  know(kind: Kind, value: string | Buffer): void {
    if (/^\d{6}$/.test(String(value))) this.codes.add(String(value));
    else if (value.length >= 12) this.secrets.push({ kind, value });
  }

  #sent({ headers, body }: RequestInit = {}): void {
    const bearer = /^Bearer (.+)$/.exec(new Headers(headers).get('authorization') ?? '')?.[1];
    if (bearer) this.know(bearer.split('.').length === 3 ? 'JWT' : 'text', bearer);
    walk(parsed(body), (name, text) => {
      if (name === 'code' || name === 'currentCode') this.know('text', text);
      else if (carriers[name]) this.know(carriers[name], text);
    });
  }

  async #received(response: Response): Promise<void> {
    const text = await response.text();
    const headers = [...response.headers].map((header) => header.join(': ')).join('\n');
    walk(parsed(text), (name, value) => {
      if (carriers[name]) this.know(carriers[name], value);
    });
    const rest = parsed(text) === null ? text : JSON.stringify(JSON.parse(text, withoutCarriers));
    this.answers.push({ status: response.status, text: `${headers}\n${rest}` });
  }
}

const withoutCarriers = (name: string, value: unknown) => (meantToCarry.has(name) ? undefined : value);

function parsed(body: unknown): unknown {
  try {
    return typeof body === 'string' ? JSON.parse(body) : null;
  } catch {
    return null;
  }
}

/** Every text member, however deep. */
function walk(value: unknown, visit: (name: string, text: string) => void): void {
  if (typeof value !== 'object' || value === null) return;
  for (const [name, member] of Object.entries(value)) {
    if (typeof member === 'string') visit(name, member);
    else walk(member, visit);
  }
}
