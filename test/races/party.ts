import {
  CreateApplicationDocument,
  CreateTenantDocument,
  UpdateApplicationMfaPolicyDocument,
} from '../generated/documents.ts';
import { uniqueId } from '../setup/harness.ts';
import { base32Decode, hotp } from '../setup/totp.ts';
import { beginTotp, finishEnrollment, type SignInWorld, startToken, verify } from '../signin/user-agent.ts';
import { type Cluster, patient } from './cluster.ts';

export interface RaceWorld extends SignInWorld {
  /** Callers whose calls are judged: none is repeated. */
  racing: Pick<SignInWorld, 'service' | 'browser'>;
}

/** An application on a cluster, made over the API; its callers are patient. */
export async function raceWorld(cluster: Cluster): Promise<RaceWorld> {
  const admin = patient(
    await cluster.caller({
      sub: 'admin',
      scope: 'application:write tenant:write mfa-policy:read mfa-policy:write',
    }),
  );
  const applicationId = uniqueId('app');
  const tenantId = `${applicationId}.t1`;
  await admin.call(CreateApplicationDocument, { input: { id: applicationId, displayName: 'Races' } });
  await admin.call(UpdateApplicationMfaPolicyDocument, {
    input: {
      applicationId,
      policy: { totpEnabled: true, recoveryCodesEnabled: true, enrollment: 'REQUIRED' },
    },
  });
  await admin.call(CreateTenantDocument, { input: { id: tenantId, applicationId, displayName: 'Races' } });
  const service = await cluster.caller({
    sub: 'sign-in',
    scope: 'mfa-workflow:execute',
    application_id: applicationId,
  });
  // Connections are opened under load that grows, as it does in the field.
  for (const calls of [3, 6, 12, 24, 48]) {
    await Promise.all(Array.from({ length: calls }, () => admin.call('{ applications { totalCount } }')));
  }
  const world = { applicationId, tenantIds: [tenantId], tenantId, admin };
  return {
    ...world,
    service: patient(service),
    browser: patient(cluster.anonymous),
    racing: { service, browser: cluster.anonymous },
  };
}

/** A user with many open challenge steps, each with a token of its own. */
export interface Party {
  userId: string;
  tokens: string[];
  secret: string;
  /** The last time step whose code was accepted. */
  spentStep: number;
  recoveryCode: string;
}

export async function makeParty(world: SignInWorld, guests: number): Promise<Party> {
  const userId = uniqueId('user');
  const mfaToken = await startToken(world, userId);
  const authenticator = await bind(world, mfaToken);
  await finishEnrollment(world, mfaToken);
  const tokens: string[] = [];
  while (tokens.length < guests) {
    tokens.push(...(await Promise.all(Array.from({ length: 10 }, () => startToken(world, userId)))));
  }
  return { userId, tokens, ...authenticator };
}

/** Binds an authenticator in a step that may. All counters are zero then, and the recovery code is new. */
export async function bind(
  world: SignInWorld,
  mfaToken: string,
): Promise<Pick<Party, 'secret' | 'spentStep' | 'recoveryCode'>> {
  const { secret } = await beginTotp(world.browser, { mfaToken });
  for (let tries = 0; tries < 2; tries += 1) {
    // Confirmed with the code of the step before, so that the current one is unspent at once.
    const spentStep = Math.floor(Date.now() / 30_000) - 1;
    const confirmed = await verify(world.browser, codeOf(secret, spentStep), mfaToken);
    if (confirmed.__typename === 'FactorVerified' && confirmed.recoveryCode !== null) {
      return { secret, spentStep, recoveryCode: confirmed.recoveryCode };
    }
    // The time step may have ended in between; not twice in a row.
  }
  throw new Error('The authenticator was not bound.');
}

/** The code that the authenticator of a party shows next. */
export const nextCode = ({ secret, spentStep }: Party): string => codeOf(secret, spentStep + 1);

/** Codes that are right at no step near, and some that cannot be right at all. */
export function wrongCodes({ secret, spentStep }: Party, count: number): string[] {
  const near = new Set(Array.from({ length: 7 }, (_, n) => codeOf(secret, spentStep - 3 + n)));
  const malformed = ['', '12345', '1234567', ' 123456', '１２３４５６', 'abcdef'];
  const codes = [...malformed];
  for (let n = 0; codes.length < count; n += 1) {
    const code = String(n * 1999)
      .padStart(6, '0')
      .slice(-6);
    if (!near.has(code)) codes.push(code);
  }
  return codes;
}

const codeOf = (secret: string, step: number): string => hotp(base32Decode(secret), step);
