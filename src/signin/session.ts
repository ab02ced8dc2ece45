import type { EntityManager } from '@mikro-orm/postgresql';
import { callerOf, type RequestContext } from '../caller/context.ts';
import { hot, type RawBuilder, rowOf, sql } from '../db/sql.ts';
import { FactorNotAllowed, InvalidMfaToken } from '../factor/factor-error.type.ts';
import { recoveryCode } from '../factor/recovery-code.ts';
import { effectivePolicy } from '../policy/effective-policy.ts';
import { forbidden } from '../shared/errors.ts';
import type { Effects } from '../user/code-check.ts';
import {
  readSubject,
  type Subject,
  type SubjectColumns,
  subjectColumns,
  toSubject,
} from '../user/subject.ts';
import type { StepPurpose } from './decision.ts';
import type { MfaTrigger } from './signin.type.ts';
import { type MfaToken, parseMfaToken } from './token.ts';

/** An MFA step that is open. */
export interface Step {
  id: string;
  purpose: StepPurpose;
  trigger: MfaTrigger;
  accountName: string;
  redirectUrl: string | null;
  satisfiedBy: 'otp' | 'recovery' | null;
  expiresAt: Date;
}

/** Whoever carries out enrolling and verifying: a user inside a step, or a signed-in user outside one. */
export interface Session {
  subject: Subject;
  /** Null in self-service. */
  step: Step | null;
  /** For the record. */
  actor: string;
}

interface StepJson {
  id: string;
  purpose: StepPurpose;
  trigger: MfaTrigger;
  account_name: string;
  redirect_url: string | null;
  satisfied_by: 'otp' | 'recovery' | null;
  expires_at: string;
}

/**
 * Finds out on whose behalf a call is made: by its MFA token, or by a signed-in user's bearer token.
 * @throws UNAUTHENTICATED with neither, FORBIDDEN for a bearer that is no user
 */
export async function openSession(
  context: RequestContext,
  mfaToken: string | null | undefined,
): Promise<Session | InvalidMfaToken | FactorNotAllowed> {
  if (mfaToken != null) return openStep(context, mfaToken);
  const caller = callerOf(context);
  if (caller.tenantId === null)
    throw forbidden('This needs an mfaToken, or the bearer token of a signed-in user.');
  const subject = await readSubject(context.em, caller, caller.tenantId, caller.subject, context.clock.now());
  // A tenant that is not there allows nothing.
  return subject === null ? new FactorNotAllowed() : { subject, step: null, actor: caller.subject };
}

export interface OpenStep extends Session {
  step: Step;
}

/** Opens the step of a token. A bearer token beside it must not be somebody else's. */
export async function openStep(
  context: RequestContext,
  mfaToken: string,
): Promise<OpenStep | InvalidMfaToken> {
  const token = parseMfaToken(mfaToken);
  const found = token && (await readStep(context.em, token, context.clock.now()));
  if (found === null) return new InvalidMfaToken();
  const { caller } = context;
  const isForeign =
    caller !== null &&
    (!caller.reachesTenant(found.subject.tenant) ||
      (caller.tenantId !== null && caller.subject !== found.subject.userId));
  if (isForeign) return new InvalidMfaToken();
  context.call.isInStep = true;
  return { ...found, actor: found.subject.userId };
}

async function readStep(
  em: EntityManager,
  { tenantId, hash }: MfaToken,
  now: Date,
): Promise<{ subject: Subject; step: Step } | null> {
  const row = await rowOf(
    em,
    hot(sql<SubjectColumns & { step: StepJson }>`
      select ${subjectColumns(sql`s.user_id`, now, sql`${tenantId}`)}, to_jsonb(s) as step
      from mfa_steps s join tenants t on t.id = s.tenant_id join applications a on a.id = t.application_id
      where s.tenant_id = ${tenantId} and s.token_hash = ${hash} and ${isOpen('s', now)}`),
  );
  return row && { subject: toSubject(row), step: toStep(row.step) };
}

/** The condition under which a step is open. @param s alias of mfa_steps */
export const isOpen = (s: string, now: Date) =>
  sql`${sql.ref(`${s}.finished_at`)} is null and ${sql.ref(`${s}.ended_at`)} is null and ${sql.ref(`${s}.expires_at`)} > ${now}`;

/**
 * The step of a session, still open, as a query that locks its row until the statement is done: a finish, a
 * deletion or an enrollment elsewhere that ends the step comes before, and then nothing is done in it, or after.
 * @param condition on the step `s`, and that the user's row is locked: that comes first everywhere, so that no
 *   two wait for each other
 */
export const lockedStep = (tenantId: string, step: Step, now: Date, condition: RawBuilder<unknown>) => sql`
  select 1 from mfa_steps s
  where s.tenant_id = ${tenantId} and s.id = ${step.id} and ${isOpen('s', now)} and ${condition} for update`;

/** Whether a recovery code proves the user in this step. One that is not accepted any more proves nothing. */
export const isRecovered = ({ subject, step }: Session): boolean =>
  step?.satisfiedBy === recoveryCode.amr && recoveryCode.isAllowedBy(effectivePolicy(subject.tenant));

/** What a code that is given in a step depends on. */
export const withinStep = ({ subject, step }: Session, now: Date): Effects<InvalidMfaToken>['within'] =>
  step
    ? { lasting: (locked) => lockedStep(subject.tenant.id, step, now, locked), over: new InvalidMfaToken() }
    : undefined;

const toStep = (row: StepJson): Step => ({
  id: row.id,
  purpose: row.purpose,
  trigger: row.trigger,
  accountName: row.account_name,
  redirectUrl: row.redirect_url,
  satisfiedBy: row.satisfied_by,
  expiresAt: new Date(row.expires_at),
});
