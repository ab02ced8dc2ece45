import type { ConsolePolicyFragment, MfaPolicyInput } from '../../generated/documents.ts';

/** The settings of a policy as a form holds them. A number that is being typed may be none. */
export interface PolicyValues {
  totpEnabled: boolean;
  recoveryCodesEnabled: boolean;
  enrollment: 'OPTIONAL' | 'REQUIRED';
  gracePeriodDays: number | '';
  /** '' where there is none. */
  issuer: string;
}

export type Setting = keyof PolicyValues;

/** As administrators know them, in the order of the form. */
export const settingNames: Record<Setting, string> = {
  totpEnabled: 'Enable TOTP MFA',
  recoveryCodesEnabled: 'Enable Recovery Codes',
  enrollment: 'MFA Enrollment',
  gracePeriodDays: 'Grace period',
  issuer: 'Issuer',
};

export const settings = Object.keys(settingNames) as Setting[];

export const valuesOf = (
  policy: Pick<
    ConsolePolicyFragment,
    'totpEnabled' | 'recoveryCodesEnabled' | 'enrollment' | 'gracePeriodDays' | 'issuer'
  >,
): PolicyValues => ({
  totpEnabled: policy.totpEnabled,
  recoveryCodesEnabled: policy.recoveryCodesEnabled,
  enrollment: policy.enrollment,
  gracePeriodDays: policy.gracePeriodDays,
  issuer: policy.issuer ?? '',
});

/** Settings whose values differ. The server trims an issuer, so blanks around it are no difference. */
export const differing = (one: PolicyValues, other: PolicyValues): Setting[] =>
  settings.filter((setting) => comparable(one[setting]) !== comparable(other[setting]));

const comparable = (value: PolicyValues[Setting]) => (typeof value === 'string' ? value.trim() : value);

/** Only what was changed is sent: what another admin changed beside it stays. */
export function inputOf(values: PolicyValues, changed: readonly Setting[]): MfaPolicyInput {
  const input: MfaPolicyInput = {};
  if (changed.includes('totpEnabled')) input.totpEnabled = values.totpEnabled;
  if (changed.includes('recoveryCodesEnabled')) input.recoveryCodesEnabled = values.recoveryCodesEnabled;
  if (changed.includes('enrollment')) input.enrollment = values.enrollment;
  if (changed.includes('gracePeriodDays')) input.gracePeriodDays = Number(values.gracePeriodDays);
  if (changed.includes('issuer')) input.issuer = values.issuer;
  return input;
}

/** A value as text for people. */
export function shown(setting: Setting, values: PolicyValues): string {
  switch (setting) {
    case 'totpEnabled':
    case 'recoveryCodesEnabled':
      return values[setting] ? 'On' : 'Off';
    case 'enrollment':
      return values.enrollment === 'REQUIRED' ? 'Required' : 'Optional';
    case 'gracePeriodDays':
      return days(values.gracePeriodDays);
    case 'issuer':
      return values.issuer.trim() || 'Application name';
  }
}

const days = (count: number | ''): string =>
  count === '' ? '—' : count === 0 ? 'None' : count === 1 ? '1 day' : `${count} days`;
