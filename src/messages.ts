import { serverRole } from './audit/append-only.ts';
import { demoPlaces, developmentRoles } from './caller/roles.ts';
import { EmbeddedPostgresError } from './db/embedded-error.ts';
import { SchemaInUse, SchemaMismatch } from './db/migrate.ts';
import { EnvError } from './env.ts';
import { isDatabaseUnavailable } from './shared/errors.ts';
import type { Running } from './start.ts';

/** One clear sentence for what can go wrong at start; null for what must not. */
export function sentenceFor(error: unknown): string | null {
  if (
    error instanceof EnvError ||
    error instanceof EmbeddedPostgresError ||
    error instanceof SchemaInUse ||
    error instanceof SchemaMismatch
  ) {
    return error.message;
  }
  const { code, syscall, port, address, path, message } = error as NodeJS.ErrnoException & {
    port?: number;
    address?: string;
  };
  if (syscall === 'listen') {
    return code === 'EADDRINUSE'
      ? `Port ${port} of ${address} is in use; stop what uses it, or set PORT to another.`
      : `Port ${port} of ${address} can't be listened on (${code}); set PORT and HOST to others.`;
  }
  if (syscall === 'open') {
    return `The file ${path} can't be read (${code}); where DATABASE_URL names it (sslrootcert, sslcert, sslkey), correct it.`;
  }
  if (code === '08P01') {
    return `What answers at DATABASE_URL seems to be a pooler, such as PgBouncer (${message}). Set DATABASE_DIRECT_URL to PostgreSQL's own address, and let neither of the two have options; docs/scaling.md says more.`;
  }
  if (message === 'The server does not support SSL connections') {
    return 'The database of DATABASE_URL speaks no TLS, which sslmode asks for: switch it on there (ssl = on), or where the way to it is safe, give sslmode=disable.';
  }
  if (/^(CERT_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|ERR_TLS_)/.test(code ?? '')) {
    return `The certificate of the database of DATABASE_URL is not accepted (${code}); sslrootcert must name the file of the authority that signed it, and the host be one that it names.`;
  }
  // 28P01, 28000: wrong password, no access; 3D000: no such database.
  if (isDatabaseUnavailable(error) || /^(28P01|28000|3D000)$/.test(code ?? '')) {
    return `The database of DATABASE_URL can't be used (${code ?? 'no answer'}); check that it runs, its name, user and password, and those of DATABASE_DIRECT_URL where it is given.`;
  }
  if (code === '42501') {
    return `The user of DATABASE_URL may not do that (${message}). A server's must be a member of ${serverRole}, to which "npm run migrate", run by the owner of the tables, grants what servers need; migrating and the commands are the owner's.`;
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
