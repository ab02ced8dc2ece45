import { demoPlaces, developmentRoles } from './caller/roles.ts';
import { EmbeddedPostgresError } from './db/embedded-error.ts';
import { SchemaMismatch } from './db/migrate.ts';
import { EnvError } from './env.ts';
import { isDatabaseUnavailable } from './shared/errors.ts';
import type { Running } from './start.ts';

/** One clear sentence for what can go wrong at start; null for what must not. */
export function sentenceFor(error: unknown): string | null {
  if (
    error instanceof EnvError ||
    error instanceof EmbeddedPostgresError ||
    error instanceof SchemaMismatch
  ) {
    return error.message;
  }
  const { code, syscall, port, address } = error as NodeJS.ErrnoException & {
    port?: number;
    address?: string;
  };
  if (syscall === 'listen') {
    return code === 'EADDRINUSE'
      ? `Port ${port} of ${address} is in use; stop what uses it, or set PORT to another.`
      : `Port ${port} of ${address} can't be listened on (${code}); set PORT and HOST to others.`;
  }
  // 28P01, 28000: wrong password, no access; 3D000: no such database.
  if (isDatabaseUnavailable(error) || /^(28P01|28000|3D000)$/.test(code ?? '')) {
    return `The database of DATABASE_URL can't be used (${code ?? 'no answer'}); check that it runs, its name, user and password.`;
  }
  if (code === '42501') {
    return 'The user of DATABASE_URL may not do that; connect as the owner of the tables, whom migrations run as.';
  }
  return null;
}

/** The address, and in development a token for each role. */
export async function printWelcome({ url, development }: Running): Promise<void> {
  const lines = ['', `Cufflink listens on ${url}/graphql`, `The console is at ${url}/`];
  if (development !== null) {
    lines.push(
      '',
      'Bearer tokens of the development issuer, valid for 24 h (npm run token -- --help makes others):',
    );
    for (const [name, { description, claims }] of Object.entries(developmentRoles(demoPlaces))) {
      lines.push('', `${name}: ${description}`, await development.mint(claims));
    }
  }
  console.log([...lines, ''].join('\n'));
}
