import type { EntityManager } from '@mikro-orm/postgresql';
import { type AuditEntry, auditParts, recordAs } from '../audit/audit.service.ts';
import { type RequestContext, transaction } from '../caller/context.ts';
import { hot, partsOf, type RawBuilder, rowOf, type Statements, sql } from '../db/sql.ts';
import {
  type Attempt,
  isDisabled,
  type RefusedFor,
  reserveAttempt,
  returnAttempt,
  wrongCode,
} from '../factor/attempts.ts';
import type { InvalidCode, TooManyAttempts } from '../factor/factor-error.type.ts';
import type { FactorKind, FactorUnderTest } from '../factor/factor-kind.ts';
import { refused } from '../factor/refusal.ts';
import type { FactorPlace } from '../factor/rows.ts';
import type { KeyRing } from '../shared/key-ring.ts';
import { attemptsMax } from '../shared/limits.ts';
import { lockUser, type Subject } from './subject.ts';

/** What an accepted code brings about, in the statement that spends it. */
export interface Effects<Over = never> {
  /** What the code is given for must not be over when it is spent; else it is not, and nothing is counted. */
  within?: {
    /** A row as long as it is not over, locked. @param locked true once the user's row is locked, which comes first */
    lasting(locked: RawBuilder<unknown>): RawBuilder<unknown>;
    /** The answer when it is over. */
    over: Over;
  };
  /** @param accepted true where the code was spent by this very statement */
  statements(accepted: RawBuilder<unknown>): Statements;
  /** The factor goes with its code; without this its row would be changed twice in one statement. */
  removesFactor?: boolean;
  /** Assignments to the user's row; one statement changes a row only once. */
  onUser?: RawBuilder<unknown>;
  events: readonly AuditEntry[];
}

/** A right code, spent. */
export interface Accepted {
  spent: number;
}

/**
 * Tries a code of the user's active factor of a kind.
 *
 * First the attempt is reserved, in a statement of its own. Then the code is looked at. A right one
 * is spent by one conditional UPDATE whose row count decides, and its effects, events included, are part
 * of that statement. That an attempt failed is known only after it was counted: its events (challenge
 * failed, user locked, factor disabled) are a statement of their own, which a server that dies in
 * between does not reach. User never seen, no factor, wrong code, used code: the same statements, the same answer
 * at the same moment.
 */
export async function tryCode<Over = never>(
  context: RequestContext,
  subject: Subject,
  actor: string,
  kind: FactorKind,
  code: string,
  effects: Effects<Over>,
): Promise<Accepted | InvalidCode | TooManyAttempts | Over> {
  const { em, clock } = context;
  const now = clock.now();
  const user = { tenantId: subject.tenant.id, userId: subject.userId };
  const attempt = await reserveAttempt(em, user, kind.attempts, now);
  if (!('failures' in attempt)) {
    const why = attempt.code === 'TOO_MANY_ATTEMPTS' ? 'waiting' : 'disabled';
    await recordAs(context, em, actor, [refusalEvent(subject, kind, why)]);
    return refused(context, attempt);
  }

  const factor = subject.factors[kind.type];
  let spends: number | null;
  try {
    const place = { ...user, id: factor?.id ?? '' };
    const real = factor && { place, secret: factor.secret, spent: factor.spent };
    spends = kind.verify(code, real ?? decoy(kind, context.keyRing), context.keyRing, now);
  } catch (fault) {
    await returnAttempt(em, user, kind.attempts, attempt);
    throw fault;
  }
  if (factor !== undefined && spends !== null) {
    const place = { ...user, id: factor.id };
    const used: AuditEntry = { ...aboutCode(subject, kind), action: kind.usedAction };
    const spendIn = (tx: EntityManager) => spend(context, tx, actor, kind, place, spends, used, effects);
    const { accepted, lasts } = effects.removesFactor
      ? // What goes with the factor must be seen: the statement begins after the user's row is locked.
        await transaction(context, async (tx) => {
          await lockUser(tx, user);
          return spendIn(tx);
        })
      : await spendIn(em);
    if (accepted) return { spent: spends };
    if (effects.within && !lasts) {
      await returnAttempt(em, user, kind.attempts, attempt);
      await recordAs(context, em, actor, [refusalEvent(subject, kind, 'step over')]);
      return effects.within.over;
    }
  }
  await recordAs(context, em, actor, failureEvents(subject, kind, attempt));
  return refused(context, wrongCode(attempt));
}

async function spend<Over>(
  context: RequestContext,
  em: EntityManager,
  actor: string,
  kind: FactorKind,
  { tenantId, userId, id }: FactorPlace,
  spends: number,
  used: AuditEntry,
  { within, ...effects }: Effects<Over>,
): Promise<{ accepted: boolean; lasts: boolean }> {
  const accepted = sql`exists (select from spent)`;
  const locked = sql`exists (select from locked)`;
  const unspent = sql`tenant_id = ${tenantId} and user_id = ${userId} and type = ${kind.type} and id = ${id} and spent < ${spends}
    and ${locked} and exists (select from lasting)`;
  const spending = effects.removesFactor
    ? sql`delete from auth_factors where ${unspent}`
    : sql`update auth_factors set spent = ${spends}, last_used_at = ${context.clock.now()} where ${unspent}`;
  const row = await rowOf(
    em,
    // The user's row is locked first, as by everything else that changes a user's factors: whoever
    // takes it second waits, and nobody waits for each other.
    hot(sql<{ accepted: boolean; lasts: boolean }>`
      with locked as (select id from users where tenant_id = ${tenantId} and id = ${userId} for update),
      lasting as (${within ? within.lasting(locked) : sql`select 1 from locked`}),
      spent as (${spending} returning 1),
      cleared as (
        update users set ${kind.onAccepted}${effects.onUser ? sql`, ${effects.onUser}` : sql``} where tenant_id = ${tenantId} and id = ${userId} and ${accepted}
      ),
      ${partsOf(effects.statements(accepted))}
      ${auditParts(context, actor, [used, ...effects.events], accepted)}
      select ${accepted} as accepted, exists (select from lasting) as lasts`),
  );
  return row ?? { accepted: false, lasts: false };
}

/** An event of a code of a kind, whose name is still missing. */
const aboutCode = ({ tenant, userId }: Subject, { type }: FactorKind, more: object = {}) => ({
  applicationId: tenant.applicationId,
  tenantId: tenant.id,
  userId,
  detail: { type, ...more },
});

/** An attempt that was refused whatever its code is an attempt all the same. */
export const refusalEvent = (subject: Subject, kind: FactorKind, refusedFor: RefusedFor): AuditEntry => ({
  ...aboutCode(subject, kind, { refusedFor }),
  action: 'mfa_challenge.failed',
});

function failureEvents(subject: Subject, kind: FactorKind, { failures, lockedUntil }: Attempt): AuditEntry[] {
  const events: AuditEntry[] = [
    { ...aboutCode(subject, kind, { failures }), action: 'mfa_challenge.failed' },
  ];
  if (lockedUntil !== null) {
    events.push({ ...aboutCode(subject, kind, { until: lockedUntil }), action: 'mfa_user.locked' });
  }
  if (isDisabled(failures) && subject.factors[kind.type] !== undefined) {
    events.push({ ...aboutCode(subject, kind, { failures: attemptsMax }), action: 'auth_factor.disabled' });
  }
  return events;
}

const decoys = new WeakMap<KeyRing, Map<FactorKind, FactorUnderTest>>();

/** A factor that nobody has: codes of users without one are tried on it, so that the time tells nothing. */
function decoy(kind: FactorKind, keyRing: KeyRing): FactorUnderTest {
  const made = decoys.get(keyRing) ?? new Map<FactorKind, FactorUnderTest>();
  decoys.set(keyRing, made);
  const place = { tenantId: '', userId: '', id: '' };
  const factor = made.get(kind) ?? { place, secret: kind.begin(place, keyRing).kept, spent: 0 };
  made.set(kind, factor);
  return factor;
}
