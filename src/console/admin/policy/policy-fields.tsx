import { NumberInput, SegmentedControl, Switch, TextInput } from '@mantine/core';
import type { ReactNode } from 'react';
import { gracePeriodDaysMax } from '../../../shared/limits.ts';
import type { Hints } from './hints.ts';
import styles from './policy.module.css';
import { type ControlProps, SettingRow } from './setting.tsx';
import { type PolicyValues, type Setting, settingNames, settings, shown } from './values.ts';

const explanations: Record<Setting, string> = {
  totpEnabled:
    'Users sign in with a six-digit code of an authenticator app beside their password. Off: nobody is enrolled or asked, and what was enrolled is kept.',
  recoveryCodesEnabled:
    'Each user gets one single-use code that lets them in when the authenticator is lost.',
  enrollment:
    'Optional: users may enroll, and who has is asked for a code. Required: users who have not must enroll before they get in.',
  gracePeriodDays:
    'Days a user may still sign in without enrolling, counted from the first time it was required of them.',
  issuer: 'The name that the authenticator app shows beside the account.',
};

/** The settings of a policy, as a form, or as text for whoever may not change them. */
export function PolicyFields({
  values,
  onChange,
  errors,
  issuerDefault,
  mark,
  beside,
}: {
  values: PolicyValues;
  /** Left out, nothing can be changed. */
  onChange?: ((change: Partial<PolicyValues>) => void) | undefined;
  errors: Hints;
  /** What applies while the issuer is blank. */
  issuerDefault: string;
  mark?: (setting: Setting) => ReactNode;
  beside?: (setting: Setting) => ReactNode;
}) {
  return settings.map((setting) => (
    <SettingRow
      key={setting}
      name={settingNames[setting]}
      explanation={explanations[setting]}
      mark={mark?.(setting)}
      error={errors[setting]}
      {...(beside && { beside: beside(setting) })}
      control={(props) =>
        onChange ? (
          <Control {...{ setting, values, onChange, issuerDefault, props }} />
        ) : (
          <span className={styles.value} dir="auto">
            {setting === 'issuer' && values.issuer.trim() === '' ? issuerDefault : shown(setting, values)}
          </span>
        )
      }
    />
  ));
}

function Control({
  setting,
  values,
  onChange,
  issuerDefault,
  props,
}: {
  setting: Setting;
  values: PolicyValues;
  onChange: (change: Partial<PolicyValues>) => void;
  issuerDefault: string;
  props: ControlProps;
}) {
  switch (setting) {
    case 'totpEnabled':
    case 'recoveryCodesEnabled':
      return (
        <Switch
          {...props}
          role="switch"
          label={values[setting] ? 'On' : 'Off'}
          checked={values[setting]}
          onChange={(event) => onChange({ [setting]: event.currentTarget.checked })}
        />
      );
    case 'enrollment':
      return (
        <SegmentedControl
          {...props}
          fullWidth
          data={[
            { value: 'OPTIONAL', label: 'Optional' },
            { value: 'REQUIRED', label: 'Required' },
          ]}
          value={values.enrollment}
          onChange={(enrollment) => onChange({ enrollment: enrollment as PolicyValues['enrollment'] })}
        />
      );
    case 'gracePeriodDays':
      return (
        <NumberInput
          {...props}
          error={props['aria-invalid']}
          value={values.gracePeriodDays}
          min={0}
          max={gracePeriodDaysMax}
          clampBehavior="none"
          allowDecimal={false}
          allowNegative={false}
          suffix={values.gracePeriodDays === 1 ? ' day' : ' days'}
          onChange={(days) => onChange({ gracePeriodDays: days === '' ? '' : Number(days) })}
        />
      );
    case 'issuer':
      return (
        <TextInput
          {...props}
          error={props['aria-invalid']}
          dir="auto"
          placeholder={issuerDefault}
          value={values.issuer}
          onChange={(event) => onChange({ issuer: event.currentTarget.value })}
        />
      );
  }
}
