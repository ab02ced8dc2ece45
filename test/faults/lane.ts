import { setTimeout as sleep } from 'node:timers/promises';
import {
  FaultBeginDocument,
  FaultFinishChallengeDocument,
  FaultFinishEnrollmentDocument,
  FaultPolicyDocument,
  FaultRedeemDocument,
  FaultStartDocument,
  FaultTenantDocument,
  FaultVerifyDocument,
} from '../generated/documents.ts';
import { uniqueId } from '../setup/harness.ts';
import { base32Decode, hotp } from '../setup/totp.ts';
import type { FaultCaller } from './caller.ts';
import type { Recorder } from './recorder.ts';

/** Tokens of those who call. */
export interface Callers {
  applicationId: string;
  admin: string;
  service: string;
}

interface Guest {
  id: string;
  secret: string;
  /** No step up to here may be used again. */
  spentStep: number;
  recoveryCode: string | null;
}

const guestsMax = 12;

/**
 * One client that does everything the service is for, in a tenant of its own, one thing after the other.
 * What is acknowledged is written down before it goes on. What got no answer is repeated: under the same
 * idempotency key, or so that the answer tells what became of it.
 */
export class Lane {
  readonly #caller: FaultCaller;
  readonly #callers: Callers;
  readonly #recorder: Recorder;
  readonly #guests: Guest[] = [];
  #tenantId = '';
  #version = 0;

  constructor(caller: FaultCaller, callers: Callers, recorder: Recorder) {
    this.#caller = caller;
    this.#callers = callers;
    this.#recorder = recorder;
  }

  /** @param isOver asked between two things */
  async work(isOver: () => boolean): Promise<void> {
    if (this.#tenantId === '') this.#tenantId = await this.#newTenant();
    while (!isOver()) {
      const guest = this.#guests.find(({ spentStep }) => spentStep < stepNow() + 1);
      const draw = Math.random();
      if (draw < 0.1) await this.#changePolicy();
      else if (draw < 0.15) await this.#newTenant();
      else if (draw < 0.2 && guest?.recoveryCode != null) await this.#recover(guest);
      else if (guest !== undefined) await this.#signIn(guest);
      else if (this.#guests.length < guestsMax) await this.#enroll();
      else await sleep(100);
    }
  }

  async #newTenant(): Promise<string> {
    const tenantId = uniqueId('tenant');
    const { applicationId, admin } = this.#callers;
    const input = { id: tenantId, applicationId, displayName: tenantId, idempotencyKey: uniqueId('key') };
    const { result } = await this.#caller.insist(admin, FaultTenantDocument, { input });
    if (result.__typename === 'TenantPayload') this.#recorder.record({ did: 'tenant', tenantId });
    else this.#violated(`a new tenant was answered with ${result.__typename}`);
    return tenantId;
  }

  async #changePolicy(): Promise<void> {
    const tenantId = this.#tenantId;
    const input = {
      tenantId,
      policy: { totpEnabled: true, recoveryCodesEnabled: true, issuer: uniqueId('Issuer') },
      expectedVersion: this.#version,
    };
    const { result, isRepeated } = await this.#caller.insist(this.#callers.admin, FaultPolicyDocument, {
      input,
    });
    const next = this.#version + 1;
    if (result.__typename === 'TenantPayload') {
      const version = result.tenant.mfaPolicyOverride.policy?.version;
      if (version !== next) this.#violated(`a policy went from version ${this.#version} to ${version}`);
      this.#recorder.record({ did: 'policy', tenantId, version: next });
    } else if (!isRepeated || result.__typename !== 'VersionConflict' || result.currentVersion !== next) {
      this.#violated(`a policy was answered with ${JSON.stringify(result)}`);
    }
    this.#version = next;
  }

  async #start(userId: string): Promise<string | null> {
    const tenantId = this.#tenantId;
    const key = uniqueId('key');
    const input = { tenantId, userId, accountName: userId, trigger: 'LOGIN' as const, idempotencyKey: key };
    const { result } = await this.#caller.insist(this.#callers.service, FaultStartDocument, { input });
    if (result.__typename === 'MfaDecision' && result.mfaToken !== null) {
      this.#recorder.record({ did: 'step', tenantId, userId, key });
      return result.mfaToken;
    }
    this.#violated(`a start was answered with ${JSON.stringify(result)}`);
    return null;
  }

  async #enroll(): Promise<void> {
    const tenantId = this.#tenantId;
    const userId = uniqueId('user');
    const mfaToken = await this.#start(userId);
    if (mfaToken === null) return;
    const { result: begun } = await this.#caller.insist(null, FaultBeginDocument, { input: { mfaToken } });
    if (begun.__typename !== 'TotpEnrollment') {
      this.#violated(`an enrollment was answered with ${begun.__typename}`);
      return;
    }
    const step = stepNow() - 1;
    const code = codeOf(begun.secret, step);
    const { result, isRepeated } = await this.#caller.insist(null, FaultVerifyDocument, {
      input: { mfaToken, code },
    });
    const isConfirmed = result.__typename === 'FactorVerified';
    if (isConfirmed) this.#recorder.record({ did: 'factor', tenantId, userId, factorId: begun.factor.id });
    // The time step may have ended before the call came; that the code was taken before shows at the finish.
    // And each repetition of a call that was carried out, though answered too late, is a wrong code more.
    else if (
      result.__typename !== 'InvalidCode' &&
      !(isRepeated && result.__typename === 'TooManyAttempts')
    ) {
      this.#violated(`a confirmation was answered with ${result.__typename}`);
    }
    const { result: finished } = await this.#caller.insist(
      this.#callers.service,
      FaultFinishEnrollmentDocument,
      {
        input: { mfaToken },
      },
    );
    const isEnrolled = isConfirmed || finished.__typename === 'MfaCompleted';
    if (!isEnrolled) return;
    if (!isConfirmed && !isRepeated) this.#violated('a code that was refused confirmed a factor');
    const recoveryCode = result.__typename === 'FactorVerified' ? result.recoveryCode : null;
    this.#guests.push({ id: userId, secret: begun.secret, spentStep: step, recoveryCode });
  }

  async #signIn(guest: Guest): Promise<void> {
    const tenantId = this.#tenantId;
    const mfaToken = await this.#start(guest.id);
    if (mfaToken === null) return;
    const step = Math.max(guest.spentStep + 1, stepNow() - 1);
    if (step > stepNow() + 1) return;
    guest.spentStep = step;
    const input = { mfaToken, code: codeOf(guest.secret, step) };
    const { result } = await this.#caller.insist(null, FaultVerifyDocument, { input });
    if (result.__typename === 'FactorVerified') {
      this.#recorder.record({ did: 'code', tenantId, userId: guest.id, step });
      const { result: again } = await this.#caller.insist(null, FaultVerifyDocument, { input });
      if (again.__typename === 'FactorVerified') this.#violated('a code was accepted twice');
    }
    await this.#finish(guest, mfaToken);
  }

  async #recover(guest: Guest): Promise<void> {
    const { recoveryCode } = guest;
    const mfaToken = await this.#start(guest.id);
    if (mfaToken === null || recoveryCode === null) return;
    // Makes room for the next enrollment: without, nobody would have a code left after a while.
    this.#guests.splice(this.#guests.indexOf(guest), 1);
    const input = { mfaToken, recoveryCode };
    const { result } = await this.#caller.insist(null, FaultRedeemDocument, { input });
    if (result.__typename === 'FactorVerified') {
      this.#recorder.record({ did: 'recovery', tenantId: this.#tenantId, userId: guest.id, code: 1 });
      const { result: again } = await this.#caller.insist(null, FaultRedeemDocument, { input });
      if (again.__typename === 'FactorVerified') this.#violated('a recovery code was accepted twice');
    }
    await this.#finish(guest, mfaToken);
  }

  async #finish(guest: Guest, mfaToken: string): Promise<void> {
    const input = { mfaToken };
    const { service } = this.#callers;
    const { result } = await this.#caller.insist(service, FaultFinishChallengeDocument, { input });
    if (result.__typename !== 'MfaCompleted') return;
    this.#recorder.record({
      did: 'finish',
      tenantId: this.#tenantId,
      userId: guest.id,
      key: uniqueId('finish'),
    });
    const { result: again } = await this.#caller.insist(service, FaultFinishChallengeDocument, { input });
    if (again.__typename === 'MfaCompleted') this.#violated('a step was finished twice');
  }

  #violated(what: string): void {
    this.#caller.tally.violations.push(what);
  }
}

const stepNow = (): number => Math.floor(Date.now() / 30_000);
const codeOf = (secret: string, step: number): string => hotp(base32Decode(secret), step);
