import { SegmentedControl } from '@mantine/core';
import { IconArrowRight, IconCheck, IconMinus } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { clsx } from 'clsx';
import { useState } from 'react';
import type { ConsoleExplainQuery, MfaReason, MfaStatus } from '../../generated/documents.ts';
import { explainQuery } from '../api/queries.ts';
import { Loaded } from '../shared/loaded.tsx';
import { Moment } from '../shared/moment.tsx';
import shared from '../shared/shared.module.css';
import styles from './users.module.css';

type Explanation = NonNullable<ConsoleExplainQuery['explainMfa']>;

const verdicts: Record<MfaStatus, string> = {
  AUTHENTICATED: 'Let in without a code.',
  MFA_ENROLLMENT_REQUIRED: 'Must enroll before getting in.',
  MFA_CHALLENGE_REQUIRED: 'Asked for a code.',
};

const ruleNames: Record<MfaReason, string> = {
  EXTERNAL_IDENTITY_PROVIDER: 'External identity provider',
  MFA_NOT_ENABLED: 'MFA not enabled',
  ENROLLED: 'Enrolled',
  EXEMPT: 'Exempt',
  ENROLLMENT_OPTIONAL: 'Enrollment optional',
  GRACE_PERIOD: 'Grace period',
  ENROLLMENT_REQUIRED: 'Enrollment required',
};

/** What a sign-in would be answered now, and every rule in the order in which they are asked. */
export function Explain({ tenantId, userId }: { tenantId: string; userId: string }) {
  const [provider, setProvider] = useState<'LOCAL' | 'EXTERNAL'>('LOCAL');
  const explanation = useQuery(explainQuery(tenantId, userId, provider));
  return (
    <>
      <SegmentedControl
        aria-label="How they sign in"
        size="xs"
        mb={10}
        value={provider}
        onChange={(value) => setProvider(value as typeof provider)}
        data={[
          { value: 'LOCAL', label: 'With a password' },
          { value: 'EXTERNAL', label: 'Through an external provider' },
        ]}
      />
      <Loaded query={explanation} lines={6}>
        {(data) => <Rules explanation={data} />}
      </Loaded>
    </>
  );
}

function Rules({ explanation: { decision, rules } }: { explanation: Explanation }) {
  const deciding = rules.findIndex(({ matched }) => matched);
  return (
    <>
      <p className={styles.verdict}>
        {verdicts[decision.status]}
        {decision.enrollmentDueAt && (
          <>
            {' '}
            Enrollment is due <Moment at={decision.enrollmentDueAt} withDistance />.
          </>
        )}
      </p>
      <ol className={styles.rules}>
        {rules.map(({ rule, matched, detail }, n) => {
          const decided = n === deciding;
          const Icon = decided ? IconArrowRight : matched ? IconCheck : IconMinus;
          return (
            <li
              key={rule}
              className={clsx(styles.rule, decided && styles.decided, n > deciding && styles.later)}
            >
              <Icon size={18} aria-hidden />
              <div>
                <span className={styles.ruleName}>{ruleNames[rule]}</span>
                <span className={shared.visuallyHidden}>
                  {decided ? ' (this decided)' : matched ? ' (would match)' : ' (does not match)'}
                </span>
                <div className={styles.ruleDetail} dir="auto">
                  {detail}
                </div>
              </div>
            </li>
          );
        })}
      </ol>
    </>
  );
}
