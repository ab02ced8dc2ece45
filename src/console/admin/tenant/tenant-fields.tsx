import type {
  ConsoleApplicationFragment,
  ConsoleEffectivePolicyFragment,
} from '../../generated/documents.ts';
import type { Draft } from '../policy/draft.ts';
import type { Hints } from '../policy/hints.ts';
import { PolicyFields } from '../policy/policy-fields.tsx';
import { differing, type PolicyValues, type Setting, shown, valuesOf } from '../policy/values.ts';
import { Mark } from '../shared/mark.tsx';

/** The settings of a tenant beside the application's, each marked by where it comes from. */
export function TenantFields({
  draft,
  application,
  effective,
  isDirty,
  errors,
  onChange,
}: {
  draft: Draft;
  application: ConsoleApplicationFragment;
  effective: ConsoleEffectivePolicyFragment;
  isDirty: boolean;
  errors: Hints;
  onChange?: ((change: Partial<PolicyValues>) => void) | undefined;
}) {
  const applications = valuesOf(application.mfaPolicy);
  const values = draft.enabled ? draft.values : applications;
  const differs = new Set(differing(values, applications));
  const raised =
    !isDirty && draft.enabled ? raisedSettings(draft.base.values, effective) : new Set<Setting>();
  return (
    <PolicyFields
      values={values}
      onChange={draft.enabled ? onChange : undefined}
      errors={errors}
      issuerDefault={application.displayName}
      mark={(setting) =>
        !draft.enabled ? (
          <Mark title="The application’s value applies.">Inherited</Mark>
        ) : (
          <>
            <Mark strong title="The tenant’s own value, also where it is the same.">
              Overridden
            </Mark>
            {raised.has(setting) && (
              <Mark title="Weaker than the application demands by now, so its value applies.">
                Raised to the application’s
              </Mark>
            )}
          </>
        )
      }
      beside={(setting) => {
        if (!draft.enabled) return 'From the application';
        if (!differs.has(setting)) return 'The same as the application’s';
        return (
          <>
            Application: <b dir="auto">{besideText(setting, applications, application.displayName)}</b>
          </>
        );
      }}
    />
  );
}

const besideText = (setting: Setting, values: PolicyValues, issuerDefault: string): string =>
  setting === 'issuer' && values.issuer.trim() === '' ? issuerDefault : shown(setting, values);

/** Stored settings that the application's rule raises: what applies is stricter than what is stored. */
function raisedSettings(
  values: PolicyValues,
  effective: Pick<
    ConsoleEffectivePolicyFragment,
    'source' | 'totpEnabled' | 'enrollment' | 'gracePeriodDays'
  >,
): ReadonlySet<Setting> {
  const raised = new Set<Setting>();
  if (effective.source !== 'TENANT') return raised;
  if (values.totpEnabled !== effective.totpEnabled) raised.add('totpEnabled');
  if (values.enrollment !== effective.enrollment) raised.add('enrollment');
  if (values.gracePeriodDays !== effective.gracePeriodDays) raised.add('gracePeriodDays');
  return raised;
}
