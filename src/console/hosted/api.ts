import {
  type Client,
  createClient,
  EnrollRecoveryCodeAuthFactorDocument,
  EnrollTotpAuthFactorDocument,
  type EnrollTotpAuthFactorMutation,
  MfaStepDocument,
  type MfaStepQuery,
  VerifyRecoveryCodeAuthFactorChallengeDocument,
  VerifyTotpAuthFactorChallengeDocument,
} from '../../client/client.ts';
import { serverUrl } from '../shared/api.ts';

/** What a token stands for. */
export type Step = NonNullable<MfaStepQuery['introspectMfaToken']>;
export type Enrollment = Extract<
  EnrollTotpAuthFactorMutation['enrollTotpAuthFactor'],
  { __typename: 'TotpEnrollment' }
>;

/** How much further the server's clock is than this machine's, which may be set wrong. */
let aheadMs = 0;

const client: Client = createClient({
  // /mfa/enroll and /mfa/challenge
  url: serverUrl('graphql', '..'),
  onAnswer({ headers }) {
    const at = Date.parse(headers.get('date') ?? '');
    if (Number.isFinite(at)) aheadMs = at - Date.now();
  },
});

/** The server's time, in milliseconds since 1970. */
export const serverNow = (): number => Date.now() + aheadMs;

/** A moment of the server, as this machine's clock shows it. */
export const onThisClock = (moment: string): Date => new Date(Date.parse(moment) - aheadMs);

export interface StepApi {
  read(signal: AbortSignal): Promise<Step | null>;
  enroll(): Promise<EnrollTotpAuthFactorMutation['enrollTotpAuthFactor']>;
  verifyTotp(code: string): ReturnType<typeof verifyTotp>;
  verifyRecoveryCode(recoveryCode: string): ReturnType<typeof verifyRecoveryCode>;
  /** @param currentCode of the authenticator; not needed after a recovery code */
  newRecoveryCode(currentCode?: string): ReturnType<typeof newRecoveryCode>;
}

/** The calls of one step. None is repeated here: a mutation whose answer got lost may have been carried out. */
export const stepApi = (mfaToken: string): StepApi => ({
  async read(signal) {
    const { introspectMfaToken } = await client.call(MfaStepDocument, { mfaToken }, { signal });
    return introspectMfaToken;
  },
  async enroll() {
    const { enrollTotpAuthFactor } = await client.call(EnrollTotpAuthFactorDocument, { input: { mfaToken } });
    return enrollTotpAuthFactor;
  },
  verifyTotp: (code) => verifyTotp(mfaToken, code),
  verifyRecoveryCode: (recoveryCode) => verifyRecoveryCode(mfaToken, recoveryCode),
  newRecoveryCode: (currentCode) => newRecoveryCode(mfaToken, currentCode),
});

const verifyTotp = async (mfaToken: string, code: string) =>
  (await client.call(VerifyTotpAuthFactorChallengeDocument, { input: { mfaToken, code } }))
    .verifyTotpAuthFactorChallenge;

const verifyRecoveryCode = async (mfaToken: string, recoveryCode: string) =>
  (await client.call(VerifyRecoveryCodeAuthFactorChallengeDocument, { input: { mfaToken, recoveryCode } }))
    .verifyRecoveryCodeAuthFactorChallenge;

const newRecoveryCode = async (mfaToken: string, currentCode?: string) =>
  (await client.call(EnrollRecoveryCodeAuthFactorDocument, { input: { mfaToken, currentCode } }))
    .enrollRecoveryCodeAuthFactor;
