import type { ConsolePreviewApplicationPolicyQuery } from '../../generated/documents.ts';
import { people } from '../stats/counts.ts';
import styles from './policy.module.css';
import type { PolicyValues } from './values.ts';

/** What a preview answers. */
export type PreviewResult = ConsolePreviewApplicationPolicyQuery['previewApplicationMfaPolicy'];
export type Preview = Extract<PreviewResult, { __typename: 'PolicyChangePreview' }>;

/** A change as far as its impact is concerned. */
export interface Step {
  before: Pick<PolicyValues, 'totpEnabled' | 'enrollment'>;
  after: PolicyValues;
}

/** Whether enrollment becomes required where some would first have a grace period; they are not counted. */
const startsGrace = ({ before, after }: Step): boolean =>
  after.totpEnabled &&
  after.enrollment === 'REQUIRED' &&
  (before.enrollment === 'OPTIONAL' || !before.totpEnabled) &&
  Number(after.gracePeriodDays) > 0;

/** Whether people would notice, so that somebody should look twice. */
export const hitsPeople = (preview: Preview, step: Step): boolean =>
  preview.usersToEnroll > 0 ||
  preview.usersNoLongerChallenged > 0 ||
  (startsGrace(step) && preview.tenantsAffected > 0);

export function Impact({
  preview,
  step,
  scope,
}: {
  preview: Preview;
  step: Step;
  scope: 'application' | 'tenant';
}) {
  const { tenantsAffected, tenantsShielded, usersToEnroll, usersNoLongerChallenged } = preview;
  return (
    <ul className={styles.impact}>
      {scope === 'application' && (
        <li>
          <span>
            <Count of={tenantsAffected} /> {tenantsAffected === 1 ? 'tenant' : 'tenants'} affected
            {tenantsShielded > 0 && `, ${tenantsShielded} kept apart by their own override`}
          </span>
        </li>
      )}
      {usersToEnroll > 0 && (
        <li style={{ '--dot': 'var(--state-overdue)' } as object}>
          <span>
            <b>{people(usersToEnroll)}</b> must enroll at the next sign-in
          </span>
        </li>
      )}
      {usersNoLongerChallenged > 0 && (
        <li style={{ '--dot': 'var(--state-pending)' } as object}>
          <span>
            <b>{people(usersNoLongerChallenged)}</b> {usersNoLongerChallenged === 1 ? 'is' : 'are'} no longer
            asked for a code
          </span>
        </li>
      )}
      {startsGrace(step) && tenantsAffected > 0 && (
        <li style={{ '--dot': 'var(--state-pending)' } as object}>
          <span>
            Users who never enrolled are let in for <b>{step.after.gracePeriodDays} days</b> more, from the
            first time they are asked
          </span>
        </li>
      )}
      {!hitsPeople(preview, step) && <li>Nobody who signs in today is treated differently</li>}
    </ul>
  );
}

const Count = ({ of }: { of: number }) => (
  <span className={styles.impactNumber}>{of.toLocaleString('en')}</span>
);
