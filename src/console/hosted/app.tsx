import { useEffect, useMemo, useRef, useState } from 'react';
import { type Step, stepApi } from './api.ts';
import { Layout } from './parts/layout.tsx';
import { Challenge } from './screens/challenge.tsx';
import { Done } from './screens/done.tsx';
import { Blocked, Failed, Loading, Over, Suspended, Unreachable } from './screens/ended.tsx';
import { Enroll } from './screens/enroll.tsx';
import { NewCode } from './screens/new-code.tsx';
import { Recovered } from './screens/recovered.tsx';
import { Recovery } from './screens/recovery.tsx';
import { RecoveryCode } from './screens/recovery-code.tsx';
import { type StepContext, StepProvider } from './step-context.ts';
import { forgetToken } from './token.ts';
import { useStep } from './use-step.ts';

/** Where the user has turned to within the step; what the step asks for is not chosen here. */
type Turn =
  | { to: 'step' }
  | { to: 'recovery' }
  | { to: 'enrollAnew' }
  | { to: 'newCode' }
  | { to: 'recoveryCode'; code: string }
  | { to: 'finished' };

/** The MFA step of one token. @param token null where the page was opened without one */
export function App({ token }: { token: string | null }) {
  const api = useMemo(() => (token === null ? null : stepApi(token)), [token]);
  const { state, read, fail, end } = useStep(api);
  const [turn, setTurn] = useState<Turn>({ to: 'step' });
  // As it was seen last: where it leads back to is known even when it is over.
  const last = useRef<Step | null>(null);
  if (state.name === 'open') last.current = state.step;
  const step = last.current;

  const isOver = state.name === 'over';
  useEffect(() => {
    if (isOver) forgetToken();
  }, [isOver]);

  const isDone =
    isOver || (state.name === 'open' && (state.step.satisfied || !state.step.effectivePolicy.totpEnabled));
  const context: StepContext | null =
    state.name === 'open' && api ? { api, step: state.step, wasLost: state.wasLost, read, fail, end } : null;

  const readNext = (next: Turn) => {
    setTurn(next);
    read();
  };
  const screen = () => {
    // Nothing else may take this away: the code is never shown again.
    if (turn.to === 'recoveryCode' && step) {
      return <RecoveryCode code={turn.code} step={step} onSaved={() => readNext({ to: 'finished' })} />;
    }
    switch (state.name) {
      case 'loading':
        return <Loading />;
      case 'unreachable':
        return <Unreachable againAt={state.againAt} onTry={read} />;
      case 'failed':
        return <Failed step={step} requestId={state.requestId} onTry={read} />;
      case 'over':
        return <Over step={step} hasToken={token !== null} />;
      case 'open':
        return (
          <Open key={state.readings} step={state.step} turn={turn} onTurn={setTurn} onEnrolled={onEnrolled} />
        );
    }
  };
  const onEnrolled = (code: string | null) =>
    code === null ? readNext({ to: 'finished' }) : setTurn({ to: 'recoveryCode', code });

  return (
    <StepProvider value={context}>
      <Layout step={step} isDone={isDone || turn.to === 'recoveryCode'}>
        {screen()}
      </Layout>
    </StepProvider>
  );
}

/** What an open step asks for, and where the user has turned to. */
function Open({
  step,
  turn,
  onTurn,
  onEnrolled,
}: {
  step: Step;
  turn: Turn;
  onTurn(turn: Turn): void;
  onEnrolled(recoveryCode: string | null): void;
}) {
  const { effectivePolicy: policy, challengeWith } = step;
  const showCode = (code: string) => onTurn({ to: 'recoveryCode', code });
  if (!policy.totpEnabled) return <Suspended step={step} />;
  if (step.satisfied) {
    const isRecovered = step.satisfiedBy === 'RECOVERY_CODE';
    const isEnrolled = step.status === 'MFA_ENROLLMENT_REQUIRED';
    if (isRecovered && turn.to === 'enrollAnew') return <Enroll isAnew onEnrolled={onEnrolled} />;
    if (isEnrolled && turn.to === 'newCode') {
      return <NewCode onNewCode={showCode} onBack={() => onTurn({ to: 'step' })} />;
    }
    if (isRecovered && turn.to !== 'finished') {
      return (
        <Recovered
          onEnroll={() => onTurn({ to: 'enrollAnew' })}
          onNewCode={showCode}
          onGoOn={() => onTurn({ to: 'finished' })}
        />
      );
    }
    const mayHaveMissed = isEnrolled && policy.recoveryCodesEnabled && turn.to !== 'finished';
    return <Done onNewCode={mayHaveMissed ? () => onTurn({ to: 'newCode' }) : null} />;
  }
  if (step.status === 'MFA_ENROLLMENT_REQUIRED') return <Enroll isAnew={false} onEnrolled={onEnrolled} />;
  const takesTotp = challengeWith.includes('TOTP');
  const takesRecoveryCode = challengeWith.includes('RECOVERY_CODE');
  if (takesRecoveryCode && (turn.to === 'recovery' || !takesTotp)) {
    return <Recovery onBack={takesTotp ? () => onTurn({ to: 'step' }) : null} />;
  }
  return takesTotp ? <Challenge onRecovery={() => onTurn({ to: 'recovery' })} /> : <Blocked step={step} />;
}
