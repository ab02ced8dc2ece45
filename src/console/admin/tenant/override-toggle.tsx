import { Switch } from '@mantine/core';
import type { OverrideRule } from '../../generated/documents.ts';
import { SettingRow } from '../policy/setting.tsx';
import { Notice } from '../shared/notice.tsx';
import styles from '../shared/shared.module.css';

/** The tenant override toggle, and what the application's rule makes of it. */
export function OverrideToggle({
  enabled,
  rule,
  hasValues,
  onToggle,
}: {
  enabled: boolean;
  rule: OverrideRule;
  hasValues: boolean;
  /** Left out, it can't be switched. */
  onToggle?: ((enabled: boolean) => void) | undefined;
}) {
  return (
    <>
      <SettingRow
        name="Override the application’s policy"
        explanation={
          enabled
            ? 'The tenant’s own settings apply as a whole.'
            : hasValues
              ? 'The application’s settings apply. The tenant’s own are kept for the next time.'
              : 'The application’s settings apply. Switched on, the override starts as a copy of them.'
        }
        control={(props) => (
          <Switch
            {...props}
            role="switch"
            label={enabled ? 'On' : 'Off'}
            checked={enabled}
            disabled={onToggle === undefined}
            onChange={(event) => onToggle?.(event.currentTarget.checked)}
          />
        )}
      />
      {rule !== 'ANY' && (
        <div className={styles.toolbar}>
          <Notice tone={rule === 'NONE' ? 'locked' : 'info'}>
            {rule === 'NONE'
              ? 'The application lets no tenant override its policy. Toggle and settings are kept, and ignored.'
              : 'Tenants may only be stricter than the application. What is weaker is raised to it.'}
          </Notice>
        </div>
      )}
    </>
  );
}
