import { Button } from '@mantine/core';
import { useState } from 'react';
import {
  ConsoleExemptUserDocument,
  ConsoleResetUserDocument,
  ConsoleRevokeExemptionDocument,
  type ConsoleUserFragment,
} from '../../generated/documents.ts';
import { call } from '../api/client.ts';
import type { Permissions } from '../session/permissions.ts';
import { ActDialog } from './act-dialog.tsx';
import { endOfDay, exemptionDates } from './dates.ts';
import styles from './users.module.css';

type Act = 'reset' | 'exempt' | 'revoke';

/** What an administrator can do for a user. Each act is asked for once more, and stands in the record. */
export function UserActions({
  tenantId,
  userId,
  mfa,
  may,
}: {
  tenantId: string;
  userId: string;
  mfa: NonNullable<ConsoleUserFragment['mfa']>;
  may: Permissions;
}) {
  const [act, setAct] = useState<Act | null>(null);
  const close = () => setAct(null);
  const about = { tenantId, userId };
  const dates = exemptionDates(new Date());
  const hasFactors = mfa.factors.length > 0 || mfa.recoveryCodeState !== 'NONE';
  if (!may.resetUsers && !may.exemptUsers) return null;
  return (
    <div className={styles.actions}>
      {may.resetUsers && (
        <Button variant="default" onClick={() => setAct('reset')}>
          Reset MFA
        </Button>
      )}
      {may.exemptUsers && (
        <Button variant="default" onClick={() => setAct('exempt')}>
          {mfa.exemption ? 'Change exemption' : 'Exempt'}
        </Button>
      )}
      {may.exemptUsers && mfa.exemption && (
        <Button variant="default" onClick={() => setAct('revoke')}>
          Revoke exemption
        </Button>
      )}
      <ActDialog
        opened={act === 'reset'}
        onClose={close}
        title="Reset this user’s MFA?"
        text={
          hasFactors
            ? 'Takes the authenticator, the recovery code, open steps and counters of wrong codes. The user enrolls anew, without a new grace period. It can’t be undone.'
            : 'This user has no factors. Open steps and counters of wrong codes are cleared.'
        }
        button="Reset MFA"
        isDangerous
        asksReason
        done={`The MFA of ${userId} is reset.`}
        run={({ reason }) =>
          call(ConsoleResetUserDocument, { input: { ...about, reason } }).then(
            ({ resetUserMfa }) => resetUserMfa,
          )
        }
      />
      <ActDialog
        opened={act === 'exempt'}
        onClose={close}
        title="Exempt this user from enrolling?"
        text="They are let in without MFA where enrollment is required, until the day ends that you name. Who is enrolled is asked for a code all the same."
        button="Exempt"
        asksReason
        untilDates={dates}
        done={`${userId} is exempt.`}
        run={({ reason, until }) =>
          call(ConsoleExemptUserDocument, { input: { ...about, reason, until: endOfDay(until) } }).then(
            ({ exemptUserFromMfa }) => exemptUserFromMfa,
          )
        }
      />
      <ActDialog
        opened={act === 'revoke'}
        onClose={close}
        title="Revoke the exemption?"
        text="It ends now. Where enrollment is required, the user must enroll at the next sign-in."
        button="Revoke exemption"
        done={`The exemption of ${userId} is revoked.`}
        run={() =>
          call(ConsoleRevokeExemptionDocument, { input: about }).then(
            ({ revokeMfaExemption }) => revokeMfaExemption,
          )
        }
      />
    </div>
  );
}
