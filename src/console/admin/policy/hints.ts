import { gracePeriodDaysMax, issuerCharsMax } from '../../../shared/limits.ts';
import type { OverrideRule } from '../../generated/documents.ts';
import type { PolicyValues, Setting } from './values.ts';

/** By setting, what the server would refuse, said before it is asked. */
export type Hints = Partial<Record<Setting, string>>;

/** Control characters, and those that turn the direction of writing. */
const unprintable = /[\p{Cc}\p{Zl}\p{Zp}\u061C\u200E\u200F\u202A-\u202E\u2066-\u2069]/u;

/** A policy must make sense by itself. The server decides; these are its rules in short. */
export function hintsFor(values: PolicyValues): Hints {
  const hints: Hints = {};
  if (!values.totpEnabled && values.recoveryCodesEnabled)
    hints.recoveryCodesEnabled = 'Recovery codes stand in for an authenticator: switch on TOTP MFA too.';
  if (!values.totpEnabled && values.enrollment === 'REQUIRED')
    hints.enrollment = 'There is nothing to enroll in while TOTP MFA is off.';
  const { gracePeriodDays: grace } = values;
  if (grace === '' || !Number.isInteger(grace) || grace < 0 || grace > gracePeriodDaysMax)
    hints.gracePeriodDays = `A whole number of days, 0 to ${gracePeriodDaysMax}.`;
  const issuer = values.issuer.trim();
  if ([...issuer].length > issuerCharsMax) hints.issuer = `At most ${issuerCharsMax} characters.`;
  else if (issuer.includes(':')) hints.issuer = 'Without a colon: authenticator apps cut the name there.';
  else if (unprintable.test(issuer)) hints.issuer = 'Without control characters.';
  return hints;
}

/** Where an override is weaker than an application demands that lets its tenants be stricter only. */
export function weakerThan(values: PolicyValues, application: PolicyValues, rule: OverrideRule): Hints {
  if (rule !== 'STRICTER_ONLY') return {};
  const hints: Hints = {};
  if (application.totpEnabled && !values.totpEnabled)
    hints.totpEnabled = 'The application has TOTP MFA on, and tenants may only be stricter.';
  if (application.enrollment === 'REQUIRED') {
    if (values.enrollment === 'OPTIONAL')
      hints.enrollment = 'The application requires enrollment, and tenants may only be stricter.';
    if (Number(values.gracePeriodDays) > Number(application.gracePeriodDays))
      hints.gracePeriodDays = `At most the application's ${application.gracePeriodDays} days: tenants may only be stricter.`;
  }
  return hints;
}

export const isFine = (hints: Hints): boolean => Object.keys(hints).length === 0;
