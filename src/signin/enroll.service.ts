import QRCode from 'qrcode';
import { type AuditEntry, auditParts } from '../audit/audit.service.ts';
import type { RequestContext } from '../caller/context.ts';
import { partsOf, type RawBuilder, rowOf, sql } from '../db/sql.ts';
import {
  FactorNotAllowed,
  type InvalidCode,
  InvalidMfaToken,
  StepUpRequired,
  type TooManyAttempts,
} from '../factor/factor-error.type.ts';
import { recoveryCode } from '../factor/recovery-code.ts';
import { type PendingFactor, type PendingFactorJson, toPendingFactor } from '../factor/rows.ts';
import { otpauthUri, reopenTotpSecret, totp } from '../factor/totp.ts';
import { effectivePolicy } from '../policy/effective-policy.ts';
import { secondsAfter } from '../shared/clock.ts';
import { pendingAttemptsMax, pendingFactorSeconds } from '../shared/limits.ts';
import { type Effects, tryCode } from '../user/code-check.ts';
import { enrolledFactor } from '../user/subject.ts';
import { factorView, pendingView } from '../user/user-view.ts';
import { newRecoveryCode, putRecoveryCode } from './recovery-code-issue.ts';
import { isRecovered, lockedStep, openSession, type Session, withinStep } from './session.ts';
import type { EnrollRecoveryCodeAuthFactorInput, EnrollTotpAuthFactorInput } from './signin.input.ts';
import { RecoveryCodeEnrollment, TotpEnrollment } from './signin.type.ts';
import { notAllowed, pendingOf } from './verify.service.ts';

type Refusal = InvalidMfaToken | FactorNotAllowed | StepUpRequired | InvalidCode | TooManyAttempts;

/** Begins a TOTP factor, or shows again the one that was begun in this step. */
export async function enrollTotp(
  context: RequestContext,
  { mfaToken, currentCode }: EnrollTotpAuthFactorInput,
): Promise<TotpEnrollment | Refusal> {
  const session = await openSession(context, mfaToken);
  if (!('subject' in session)) return session;
  if (!totp.isAllowedBy(effectivePolicy(session.subject.tenant)))
    return forbidden(context, session, currentCode);
  const begun = pendingOf(session, totp);
  // A reload must not break a scan. In self-service a bearer token alone shows no secret beside an
  // active factor: whoever stole it could confirm in the user's place.
  const maySeeAgain = session.step !== null || enrolledFactor(session.subject) === undefined;
  if (begun && hasAttempts(begun) && maySeeAgain) return totpEnrollment(context, session, begun);

  const draft = draftOf(context, session);
  const refused = await carryOut(context, session, currentCode, {
    events: [],
    statements: (allowed) => ({ begun: insertPending(session, draft, context.clock.now(), allowed) }),
  });
  if (refused !== null) return refused;
  // A parallel begin may have been first; then its secret is the one.
  const stored = await readPending(context, session);
  return stored === null ? new InvalidMfaToken() : totpEnrollment(context, session, stored);
}

/** Issues a new recovery code in the place of the old. */
export async function enrollRecoveryCode(
  context: RequestContext,
  { mfaToken, currentCode }: EnrollRecoveryCodeAuthFactorInput,
): Promise<RecoveryCodeEnrollment | Refusal> {
  const session = await openSession(context, mfaToken);
  if (!('subject' in session)) return session;
  const { tenant, userId, user } = session.subject;
  const policy = effectivePolicy(tenant);
  if (!recoveryCode.isAllowedBy(policy)) return forbidden(context, session, currentCode);
  // It stands in for an authenticator; without one there is nothing to prove oneself with.
  if (enrolledFactor(session.subject) === undefined) return new StepUpRequired();

  const now = context.clock.now();
  const code = newRecoveryCode(context, tenant.id, userId);
  const issued: AuditEntry = {
    action: 'recovery_code.issued',
    applicationId: tenant.applicationId,
    tenantId: tenant.id,
    userId,
    detail: {},
  };
  const refused = await carryOut(context, session, currentCode, {
    events: [issued],
    // A new code is a new chance; wrong ones of the old no longer count.
    onUser: sql`recovery_failures = 0, recovery_locked_until = null`,
    statements: (allowed) => ({ recovery: putRecoveryCode(code, now, allowed) }),
  });
  if (refused !== null) return refused;
  const factor = {
    id: code.id,
    type: recoveryCode.type,
    secret: code.kept,
    spent: 0,
    createdAt: now,
    activatedAt: now,
    lastUsedAt: null,
  };
  return new RecoveryCodeEnrollment(factorView(factor, { ...user, recoveryFailures: 0 }, policy), code.shown);
}

/** A current code that was sent along is an attempt, though the policy kept it from being looked at. */
const forbidden = async (
  context: RequestContext,
  session: Session,
  currentCode: string | null | undefined,
): Promise<FactorNotAllowed> =>
  currentCode == null ? new FactorNotAllowed() : notAllowed(context, session, totp);

/**
 * Carries an enrollment out once it is proven: by a code of the active factor, spent by it; by the
 * recovery code that satisfied this step; or by there being no active factor to prove.
 */
async function carryOut(
  context: RequestContext,
  session: Session,
  currentCode: string | null | undefined,
  effects: Effects,
): Promise<Refusal | null> {
  const { subject, step, actor } = session;
  const now = context.clock.now();
  const isProven = enrolledFactor(subject) === undefined || isRecovered(session);
  if (!isProven) {
    if (currentCode == null) return new StepUpRequired();
    const within = withinStep(session, now);
    const result = await tryCode(context, subject, actor, totp, currentCode, { ...effects, within });
    return 'spent' in result ? null : result;
  }
  const { tenant, userId } = subject;
  const allowed = sql`exists (select from allowed)`;
  // As the step was read: another call in it may have satisfied it meanwhile.
  const asRead = sql`exists (select from locked) and s.satisfied_by is not distinct from ${step?.satisfiedBy ?? null}`;
  const row = await rowOf(
    context.em,
    sql<{ allowed: boolean }>`
      with locked as (select id from users where tenant_id = ${tenant.id} and id = ${userId} for update),
      allowed as (${step ? lockedStep(tenant.id, step, now, asRead) : sql`select 1`}),
      learned as (
        insert into users (tenant_id, id, created_at) select ${tenant.id}, ${userId}, ${now}::timestamptz where ${allowed}
        on conflict (tenant_id, id) do ${effects.onUser ? sql`update set ${effects.onUser}` : sql`nothing`}),
      ${partsOf(effects.statements(allowed))}
      ${auditParts(context, actor, effects.events, allowed)}
      select ${allowed} as allowed`,
  );
  return row?.allowed ? null : new InvalidMfaToken();
}

type Draft = Pick<PendingFactor, 'id' | 'secret' | 'stepId' | 'createdAt' | 'expiresAt'>;

function draftOf({ ids, keyRing, clock }: RequestContext, { subject, step }: Session): Draft {
  const now = clock.now();
  const place = { tenantId: subject.tenant.id, userId: subject.userId, id: ids.next() };
  return {
    id: place.id,
    secret: totp.begin(place, keyRing).kept,
    stepId: step?.id ?? '',
    createdAt: now,
    expiresAt: step?.expiresAt ?? secondsAfter(now, pendingFactorSeconds),
  };
}

/** Without, it can't be confirmed any more; a fault may have left it there all the same. */
const hasAttempts = ({ failures }: PendingFactor): boolean => failures < pendingAttemptsMax;

/** One pending factor of a kind in a step; a dead one makes room. It remembers which factor it may replace. */
const insertPending = ({ subject }: Session, draft: Draft, now: Date, condition: RawBuilder<unknown>) => sql`
  insert into pending_auth_factors as p (tenant_id, id, user_id, type, step_id, key_id, secret, replaces, created_at, expires_at)
  select ${subject.tenant.id}, ${draft.id}::uuid, ${subject.userId}, ${totp.type}, ${draft.stepId}, ${draft.secret.keyId},
    ${draft.secret.bytes}::bytea, ${enrolledFactor(subject)?.id ?? null}::uuid, ${draft.createdAt}::timestamptz, ${draft.expiresAt}::timestamptz
  where ${condition}
  on conflict (tenant_id, user_id, type, step_id) do update set id = excluded.id, key_id = excluded.key_id,
    secret = excluded.secret, replaces = excluded.replaces, failures = 0, created_at = excluded.created_at, expires_at = excluded.expires_at
  where p.expires_at <= ${now} or p.failures >= ${pendingAttemptsMax}::int or p.replaces is distinct from excluded.replaces`;

async function readPending(
  { em, clock }: RequestContext,
  { subject, step }: Session,
): Promise<PendingFactor | null> {
  const row = await rowOf(
    em,
    sql<{ factor: PendingFactorJson }>`
      select to_jsonb(p) as factor from pending_auth_factors p
      where p.tenant_id = ${subject.tenant.id} and p.user_id = ${subject.userId} and p.type = ${totp.type}
        and p.step_id = ${step?.id ?? ''} and p.expires_at > ${clock.now()}`,
  );
  return row && toPendingFactor(row.factor);
}

async function totpEnrollment(
  { keyRing }: RequestContext,
  { subject, step }: Session,
  begun: PendingFactor,
): Promise<TotpEnrollment> {
  const policy = effectivePolicy(subject.tenant);
  const place = { tenantId: subject.tenant.id, userId: subject.userId, id: begun.id };
  const secret = reopenTotpSecret(place, begun.secret, keyRing);
  const accountName = step?.accountName ?? subject.user.accountName ?? subject.userId;
  const uri = otpauthUri(secret, policy.issuer, accountName);
  return new TotpEnrollment({
    factor: pendingView(begun, policy),
    secret,
    otpauthUri: uri,
    qrCode: await qrCode(uri),
    expiresAt: begun.expiresAt,
  });
}

async function qrCode(uri: string): Promise<string> {
  const svg = await QRCode.toString(uri, { type: 'svg', errorCorrectionLevel: 'M' });
  return `data:image/svg+xml;base64,${Buffer.from(svg).toString('base64')}`;
}
