import 'reflect-metadata';
import { scopes } from '../caller/caller.ts';
import { type DevelopmentIssuer, developmentIssuer, type TokenClaims } from '../caller/development-issuer.ts';
import { demoPlaces, developmentRoles } from '../caller/roles.ts';
import { developmentFolder, readBearerKey } from '../development.ts';
import { type Env, readSomeEnv } from '../env.ts';
import { systemClock } from '../shared/clock.ts';
import { bearerAgeHoursMax } from '../shared/limits.ts';
import { CommandUse, runCommand } from './run-command.ts';

const roles = new Map(Object.entries(developmentRoles(demoPlaces)));

const help = `Prints a bearer token of the development issuer (the key in ${developmentFolder}/).

  npm run -s token -- [ROLE] [options]

ROLE
${[...roles].map(([name, { description }]) => `  ${name.padEnd(14)}${description}`).join('\n')}

Options, on top of the role or without one
  --subject TEXT      sub: whom the token speaks for
  --application ID    boundary: this application
  --tenant ID         boundary: this tenant of the application
  --scope TEXT        scopes, separated by spaces: ${scopes.join(' ')}
  --hours NUMBER      validity, more than 0 and at most 24 (24)
  --help              this text
`;

await runCommand(
  {
    name: '-s token',
    help,
    allowPositionals: true,
    options: {
      subject: { type: 'string' },
      application: { type: 'string' },
      tenant: { type: 'string' },
      scope: { type: 'string' },
      hours: { type: 'string', default: '24' },
    },
  },
  async (values, positionals) => {
    const hours = Number(values.hours);
    if (!(hours > 0 && hours <= bearerAgeHoursMax)) {
      throw new CommandUse(`--hours must be more than 0 and at most ${bearerAgeHoursMax}.`);
    }
    const claims = claimsOf(positionals, values);
    const issuer = await folderIssuer();
    console.log(await issuer.mint(claims, hours));
  },
);

interface Options {
  subject?: string;
  application?: string;
  tenant?: string;
  scope?: string;
}

/** The role's claims, with the options written over them. */
function claimsOf([roleName, ...surplus]: readonly string[], options: Options): TokenClaims {
  if (surplus.length > 0) throw new CommandUse('Give one ROLE, or none.');
  const role = roleName === undefined ? undefined : roles.get(roleName)?.claims;
  if (roleName !== undefined && role === undefined) throw new CommandUse(`There is no role "${roleName}".`);
  for (const name of ['subject', 'application', 'tenant'] as const) {
    if (options[name]?.trim() === '') throw new CommandUse(`--${name} must not be blank.`);
  }
  const sub = options.subject ?? role?.sub;
  if (sub === undefined) throw new CommandUse('Give a ROLE or --subject.');
  if (options.application !== undefined && options.tenant === undefined && role?.tenant_id !== undefined) {
    throw new CommandUse(`The role ${roleName} is bound to a tenant: give --tenant with --application.`);
  }
  const application_id = options.application ?? role?.application_id;
  const tenant_id = options.tenant ?? role?.tenant_id;
  if (tenant_id !== undefined && application_id === undefined) {
    throw new CommandUse('--tenant needs --application.');
  }
  return { sub, scope: options.scope ?? role?.scope ?? '', application_id, tenant_id };
}

/** The issuer whose tokens a server accepts that was started in this folder with these settings. */
async function folderIssuer(): Promise<DevelopmentIssuer> {
  const env = readSomeEnv([
    'DATABASE_URL',
    'JWT_ISSUER',
    'JWT_AUDIENCE',
    'JWT_JWKS_URL',
    'JWT_CLAIM_APPLICATION',
    'JWT_CLAIM_TENANT',
    'JWT_CLAIM_SCOPE',
    'CLOCK_OFFSET_SECONDS',
  ]);
  if (env.jwt !== undefined) {
    throw new CommandUse('The JWT_ settings name an issuer: the server takes its tokens, and no others.');
  }
  if (env.databaseUrl !== undefined) {
    throw new CommandUse(
      'With DATABASE_URL the development key lives inside the server: use the tokens it printed when it started.',
    );
  }
  const issuer = await readIssuer(env).catch(() => {
    // The cause could carry a piece of the key.
    throw new CommandUse(`The key in ${developmentFolder}/ can't be read: delete it and restart the server.`);
  });
  if (issuer === null) {
    throw new CommandUse('There is no development key yet: start the server once with npm start.');
  }
  return issuer;
}

async function readIssuer({ clockOffsetSeconds, claims }: Env): Promise<DevelopmentIssuer | null> {
  const key = await readBearerKey(developmentFolder);
  return key && developmentIssuer(key, systemClock(clockOffsetSeconds), claims);
}
