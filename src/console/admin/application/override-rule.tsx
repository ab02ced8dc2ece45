import { Button, Radio, Stack } from '@mantine/core';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import {
  type ConsoleApplicationFragment,
  ConsoleUpdateOverrideRuleDocument,
  type OverrideRule,
} from '../../generated/documents.ts';
import { call } from '../api/client.ts';
import { overridesOnQuery } from '../api/queries.ts';
import { useWrite } from '../api/use-write.ts';
import { useAnnounce } from '../shared/announce.tsx';
import { Card } from '../shared/card.tsx';
import { Dialog } from '../shared/dialog.tsx';
import { WriteProblem } from '../shared/loaded.tsx';
import { Notice } from '../shared/notice.tsx';
import styles from '../shared/shared.module.css';

const ruleNames: Record<OverrideRule, string> = {
  ANY: 'Anything',
  STRICTER_ONLY: 'Only stricter',
  NONE: 'Nothing',
};

const ruleTexts: Record<OverrideRule, string> = {
  ANY: 'A tenant’s override may hold any values.',
  STRICTER_ONLY: 'An override may not be weaker than the application’s policy. Weaker ones are raised to it.',
  NONE: 'The application’s policy applies everywhere. Stored overrides are kept and ignored.',
};

const rules = Object.keys(ruleNames) as OverrideRule[];

/** What tenants may override. Whoever changes it is told how many have an override on. */
export function OverrideRuleCard({
  application,
  mayWrite,
}: {
  application: ConsoleApplicationFragment;
  mayWrite: boolean;
}) {
  const client = useQueryClient();
  const announce = useAnnounce();
  const [picked, setPicked] = useState<OverrideRule | null>(null);
  const [asking, setAsking] = useState(false);
  const rule = picked ?? application.overrideRule;
  const isDirty = rule !== application.overrideRule;
  const writing = useWrite({
    mutationFn: async (overrideRule: OverrideRule) => {
      const { updateApplication: result } = await call(ConsoleUpdateOverrideRuleDocument, {
        input: { id: application.id, overrideRule },
      });
      return result;
    },
    async onSuccess(result) {
      setAsking(false);
      if (result.__typename !== 'ApplicationPayload') return;
      announce('What tenants may override is saved.');
      await client.invalidateQueries();
      setPicked(null);
    },
  });
  const refused =
    writing.data !== undefined && writing.data.__typename !== 'ApplicationPayload' && writing.data;
  return (
    <Card title="What tenants may override">
      {mayWrite ? (
        <Radio.Group
          aria-label="What tenants may override"
          value={rule}
          onChange={(value) => setPicked(value as OverrideRule)}
        >
          <Stack gap={12}>
            {rules.map((name) => (
              <Radio key={name} value={name} label={ruleNames[name]} description={ruleTexts[name]} />
            ))}
          </Stack>
        </Radio.Group>
      ) : (
        <p>
          <b>{ruleNames[rule]}.</b> {ruleTexts[rule]}
        </p>
      )}
      {(writing.isError || refused) && (
        <Notice tone="danger" live>
          {refused ? refused.message : <WriteProblem thrown={writing.error} />}
        </Notice>
      )}
      {isDirty && (
        <div className={styles.buttons}>
          <Button variant="default" onClick={() => setPicked(null)} disabled={writing.isPending}>
            Discard
          </Button>
          <Button onClick={() => setAsking(true)}>Save</Button>
        </div>
      )}
      <Dialog title="Change what tenants may override?" opened={asking} onClose={() => setAsking(false)}>
        <RuleImpact applicationId={application.id} rule={rule} />
        <div className={styles.buttons}>
          <Button variant="default" onClick={() => setAsking(false)} data-autofocus>
            Go back
          </Button>
          <Button loading={writing.isPending} onClick={() => writing.mutate(rule)}>
            Save and apply
          </Button>
        </div>
      </Dialog>
    </Card>
  );
}

function RuleImpact({ applicationId, rule }: { applicationId: string; rule: OverrideRule }) {
  const { data: count } = useQuery(overridesOnQuery(applicationId));
  return (
    <div className={styles.dialogBody}>
      <p>{ruleTexts[rule]}</p>
      {count === undefined ? (
        <p>It takes effect at once, for every tenant that has its override on.</p>
      ) : (
        <p>
          <b>{count === 1 ? '1 tenant has' : `${count} tenants have`} an override on.</b>{' '}
          {count > 0 && 'What applies to their users may change at once.'}
        </p>
      )}
    </div>
  );
}
