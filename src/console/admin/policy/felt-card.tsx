import type { ConsoleEffectivePolicyFragment } from '../../generated/documents.ts';
import { Card } from '../shared/card.tsx';
import { Mark } from '../shared/mark.tsx';
import { felt } from './feel.ts';
import styles from './policy.module.css';

/** The effective policy as users will feel it. @param after what it would be once the draft is saved */
export function FeltCard({
  now,
  after,
}: {
  now: ConsoleEffectivePolicyFragment;
  after: ConsoleEffectivePolicyFragment | null;
}) {
  const policy = after ?? now;
  return (
    <Card
      title="What users feel"
      lead={
        policy.source === 'TENANT' ? 'The tenant’s override applies.' : 'The application’s policy applies.'
      }
      actions={<Mark strong={after !== null}>{after === null ? 'Now' : 'Once saved'}</Mark>}
    >
      <dl className={styles.felt}>
        {felt(policy).map(({ moment, what }) => (
          <div key={moment}>
            <dt>{moment}</dt>
            <dd dir="auto">{what}</dd>
          </div>
        ))}
      </dl>
    </Card>
  );
}
