import 'reflect-metadata';
import { parseArgs } from 'node:util';
import { scopes } from '../caller/caller.ts';
import { developmentIssuer } from '../caller/development-issuer.ts';
import { developmentRoles } from '../caller/roles.ts';
import { demo } from '../demo.ts';
import { developmentFolder, existingDevelopmentKeys } from '../development.ts';
import { readEnv } from '../env.ts';
import { systemClock } from '../shared/clock.ts';

const roles = developmentRoles(demo.places);

const help = `Prints a bearer token of the development issuer (the key in ${developmentFolder}/).

  npm run -s token -- [ROLE] [options]

ROLE
${Object.entries(roles)
  .map(([name, { description }]) => `  ${name.padEnd(14)}${description}`)
  .join('\n')}

Options, on top of the role or without one
  --subject TEXT      sub: whom the token speaks for
  --application ID    boundary: this application
  --tenant ID         boundary: this tenant of the application
  --scope TEXT        scopes, separated by spaces: ${scopes.join(' ')}
  --hours NUMBER      validity, at most 24 (24)
  --help              this text
`;

function fail(message: string): never {
  console.error(`${message} (npm run -s token -- --help)`);
  process.exit(1);
}

const { values, positionals } = (() => {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        subject: { type: 'string' },
        application: { type: 'string' },
        tenant: { type: 'string' },
        scope: { type: 'string' },
        hours: { type: 'string', default: '24' },
        help: { type: 'boolean', default: false },
      },
    });
  } catch (error) {
    return fail((error as Error).message);
  }
})();

if (values.help) {
  process.stdout.write(help);
  process.exit(0);
}
const [roleName] = positionals;
const role = roleName === undefined ? null : roles[roleName];
if (role === undefined) fail(`There is no role "${roleName}".`);
const hours = Number(values.hours);
if (!(hours > 0 && hours <= 24)) fail('--hours must be more than 0 and at most 24.');
const claims = {
  sub: values.subject ?? role?.claims.sub ?? fail('Give a ROLE or --subject.'),
  scope: values.scope ?? role?.claims.scope ?? '',
  application_id: values.application ?? role?.claims.application_id,
  tenant_id: values.tenant ?? role?.claims.tenant_id,
};
if (claims.tenant_id !== undefined && claims.application_id === undefined)
  fail('--tenant needs --application.');

const env = readEnv({ ...process.env, NODE_ENV: undefined });
const keys =
  (await existingDevelopmentKeys(env.databaseUrl)) ?? fail('There is no development key yet: start the server once with npm start.');
const issuer = await developmentIssuer(keys.bearer, systemClock(env.clockOffsetSeconds), env.claims);
console.log(await issuer.mint(claims, hours));
