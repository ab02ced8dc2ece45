import type { Database } from '../../src/db/connection.ts';
import { rowsOf, sql } from '../../src/db/sql.ts';
import { decide, type MfaStatus } from '../../src/signin/decision.ts';
import { type MfaState, mfaState } from '../../src/user/mfa-state.ts';
import { type SubjectColumns, subjectColumns, toSubject } from '../../src/user/subject.ts';
import { stateInputs } from '../../src/user/user-view.ts';

/** A user of an application, with what the pure rules say of it. */
export interface JudgedUser {
  tenantId: string;
  userId: string;
  state: MfaState;
  /** What a sign-in would be answered. */
  status: MfaStatus;
}

/** Every user of an application, judged one by one by the functions that judge a sign-in. */
export async function judgedUsers(
  database: Database,
  applicationId: string,
  now: Date,
): Promise<JudgedUser[]> {
  const rows = await rowsOf(
    database.fork(),
    sql<SubjectColumns>`select ${subjectColumns(sql`x.id`, now)}
      from users x join tenants t on t.id = x.tenant_id join applications a on a.id = t.application_id
      where a.id = ${applicationId} order by t.id, x.id`,
  );
  return rows.map((row) => {
    const subject = toSubject(row);
    const inputs = stateInputs(subject);
    return {
      tenantId: subject.tenant.id,
      userId: subject.userId,
      state: mfaState(inputs, now),
      status: decide({ ...inputs, identityProvider: 'LOCAL' }, now).status,
    };
  });
}
