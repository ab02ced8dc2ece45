import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import type { ConsoleSignIn } from '../../src/http/console-sign-in.ts';
import type { PolicyValues } from '../../src/tenancy/policy-columns.ts';
import {
  CreateWebhookEndpointDocument,
  RenameTenantDocument,
  UpdateApplicationDocument,
} from '../generated/documents.ts';
import { repository } from '../process/servers.ts';
import type { TokenOptions } from '../setup/harness.ts';
import { type Population, type StoredPopulation, store } from '../setup/population.ts';
import { type PageOptions, type Stage, startStage } from './stage.ts';

/**
 * A stage whose server offers the console a way to sign in.
 * @param origins that the console may call besides its own server
 */
export const startConsoleStage = (
  signIn: ConsoleSignIn = { kind: 'token' },
  { origins = [] }: { origins?: readonly string[] } = {},
): Promise<Stage> =>
  startStage({
    consoleSignIn: signIn,
    pages: { folder: join(repository, 'dist'), graphiql: false, consoleOrigins: origins },
  });

/** Opens the console as somebody who is signed in. @param hash where, e.g. #/harbor/users */
export async function openConsole(
  stage: Stage,
  token: TokenOptions,
  hash = '',
  options: PageOptions = {},
): Promise<Page> {
  const page = await stage.open(options);
  await signInAs(page, await stage.server.token(token));
  await page.goto(`${stage.server.url}/${hash}`);
  return page;
}

/** As a sign-in before in this tab left it. */
async function signInAs(page: Page, token: string): Promise<void> {
  const session = JSON.stringify(JSON.stringify({ token, refreshToken: null }));
  await page.addInitScript(
    `if (sessionStorage.getItem('cufflink.session') === null) sessionStorage.setItem('cufflink.session', ${session})`,
  );
}

type RandomUser = Population['tenants'][number]['users'][number];

const user = (id: string, values: Partial<RandomUser> = {}): RandomUser => ({
  id,
  enrollmentRequiredAt: null,
  firstEnrolledAt: null,
  exemptUntil: null,
  factors: [],
  totpFailures: 0,
  ...values,
});

export const enrolled = (id: string) =>
  user(id, { firstEnrolledAt: -30, enrollmentRequiredAt: -40, factors: ['TOTP', 'RECOVERY_CODE'] });
export const unenrolled = (id: string) => user(id);
const overdue = (id: string) => user(id, { enrollmentRequiredAt: -30 });
const pending = (id: string) => user(id, { enrollmentRequiredAt: -3 });

export const policy = (values: Partial<PolicyValues> = {}): PolicyValues => ({
  totpEnabled: true,
  recoveryCodesEnabled: true,
  enrollment: 'OPTIONAL',
  gracePeriodDays: 0,
  issuer: null,
  ...values,
});

export const longName = `Gesellschaft für ${'außerordentlich '.repeat(11)}lange Namen`.slice(0, 200);
export const rightToLeftName = 'شركة النخيل للتجارة الدولية';

interface NamedTenant {
  name: string;
  enabled?: boolean;
  values?: PolicyValues | null;
  users?: readonly RandomUser[];
}

const people = (make: (id: string) => RandomUser, ...ids: string[]) => ids.map(make);

/** Tenants as a product has them: some override, most do not, and names are of all kinds. */
export const showcase: readonly NamedTenant[] = [
  {
    name: 'Alder Shipping',
    users: [
      ...people(enrolled, 'frida.k', 'emil.h', 'noor.s', 'li.wei'),
      ...people(unenrolled, 'jonas.b', 'mei.t'),
    ],
  },
  {
    name: 'Birch & Sons',
    users: [...people(enrolled, 'a.birch'), ...people(unenrolled, 'b.birch', 'c.birch')],
  },
  {
    name: 'Cedar Bank',
    enabled: true,
    values: policy({ enrollment: 'REQUIRED', gracePeriodDays: 7, issuer: 'Cedar Bank' }),
    users: [
      ...people(enrolled, 'bela.m', 'carla.r', 'dmitri.o', 'elif.y', 'farid.n', 'gita.p', 'hugo.l'),
      ...people(pending, 'ada.l', 'ivo.c'),
      ...people(overdue, 'jan.v'),
      user('kim.w', { exemptUntil: 20, enrollmentRequiredAt: -30 }),
    ],
  },
  {
    name: 'Dogwood Clinics',
    enabled: true,
    values: policy({ enrollment: 'REQUIRED' }),
    users: [...people(enrolled, 'dora.q', 'milo.a'), ...people(overdue, 'cleo.f', 'pia.g')],
  },
  {
    name: 'Elm Street Bakery',
    enabled: true,
    values: policy({ totpEnabled: false, recoveryCodesEnabled: false }),
    users: people(unenrolled, 'gus.e', 'ruth.z'),
  },
  { name: 'Fir Logistics', values: policy({ enrollment: 'REQUIRED', gracePeriodDays: 30 }) },
  { name: longName, users: people(unenrolled, 'x') },
  { name: rightToLeftName, users: people(enrolled, 'أمينة') },
  ...[
    'Hawthorn Media',
    'Ironwood Foundry',
    'Juniper Energy',
    'Katsura Motors',
    'Larch Legal',
    'Maple Health',
  ].map((name) => ({ name, users: [...people(enrolled, 'one', 'two'), ...people(unenrolled, 'three')] })),
];

/** Stores an application with named tenants, whose ids are `<application>.t0` and so on. */
export async function storeTenants(
  { server }: Stage,
  displayName: string,
  tenants: readonly NamedTenant[],
  {
    policy: values = policy(),
    rule = 'ANY',
    id,
  }: Partial<Pick<Population, 'policy' | 'rule'>> & { id?: string } = {},
): Promise<StoredPopulation> {
  const stored = await store(
    server.database.pool,
    {
      rule,
      policy: values,
      tenants: tenants.map((tenant) => ({
        enabled: tenant.enabled ?? false,
        values: tenant.values ?? null,
        users: tenant.users ?? [],
      })),
    },
    server.clock.now(),
    id,
  );
  const admin = await server.caller();
  await admin.call(UpdateApplicationDocument, { input: { id: stored.applicationId, displayName } });
  for (const [n, { name }] of tenants.entries()) {
    await admin.call(RenameTenantDocument, {
      input: { id: stored.tenantIds[n] as string, displayName: name },
    });
  }
  return stored;
}

/** An endpoint of the application, with a delivery that was given up. */
export async function storeDeadLetter(
  { server }: Stage,
  { applicationId, tenantIds }: StoredPopulation,
  url: string,
): Promise<void> {
  const admin = await server.caller();
  const { data } = await admin.call(CreateWebhookEndpointDocument, { input: { applicationId, url } });
  const made = data.createWebhookEndpoint;
  if (made.__typename !== 'WebhookSecretPayload') throw new Error(`No endpoint: ${JSON.stringify(made)}`);
  await server.database.pool.query(
    `insert into webhook_deliveries (tenant_id, endpoint_id, seal, ordinal, application_id, event_id, event_at, action,
       state, attempts, last_error, last_attempt_at, queued_at, settled_at)
     values ($1, $2, 1, 1, $3, $4, $5, 'mfa_policy_override.updated', 'DEAD', 8, 'status 500', $5, $5, $5)`,
    [tenantIds[0], made.endpoint.id, applicationId, randomUUID(), server.clock.now()],
  );
}
