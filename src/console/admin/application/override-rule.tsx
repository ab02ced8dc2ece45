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
import { Lines, WriteProblem } from '../shared/loaded.tsx';
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

/** What becomes of the overrides that are on. */
const effects: Record<OverrideRule, string> = {
  ANY: 'Their own values will apply to their users as they stand, also where they are weaker.',
  STRICTER_ONLY: 'Where their own values are weaker, those of the application will apply to their users.',
  NONE: 'Their own values will be ignored: the application’s policy will apply to their users.',
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
  /** The rule that is to be, and the one that somebody saw when they chose it. */
  const [picked, setPicked] = useState<{ rule: OverrideRule; seen: OverrideRule } | null>(null);
  const [asking, setAsking] = useState(false);
  const rule = picked?.rule ?? application.overrideRule;
  const seen = picked?.seen ?? application.overrideRule;
  const isDirty = rule !== application.overrideRule;
  const writing = useWrite({
    mutationFn: async (overrideRule: OverrideRule) => {
      const { updateApplication: result } = await call(ConsoleUpdateOverrideRuleDocument, {
        input: { id: application.id, overrideRule, expectedOverrideRule: seen },
      });
      return result;
    },
    async onSuccess(result) {
      setAsking(false);
      if (isStale(result)) return client.invalidateQueries();
      if (result.__typename !== 'ApplicationPayload') return;
      announce('What tenants may override is saved.');
      await client.invalidateQueries();
      setPicked(null);
    },
  });
  const { isFetching: isCounting } = useQuery({ ...overridesOnQuery(application.id), enabled: asking });
  const discard = () => {
    writing.reset();
    setPicked(null);
  };
  const refused =
    writing.data !== undefined && writing.data.__typename !== 'ApplicationPayload' && writing.data;
  return (
    <Card title="What tenants may override">
      {mayWrite ? (
        <Radio.Group
          aria-label="What tenants may override"
          value={rule}
          onChange={(value) => {
            writing.reset();
            setPicked({ rule: value as OverrideRule, seen: application.overrideRule });
          }}
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
          {!refused ? (
            <WriteProblem thrown={writing.error} />
          ) : isStale(refused) ? (
            <>
              Another administrator has changed this to <b>{ruleNames[application.overrideRule]}</b>{' '}
              meanwhile. Nothing of yours is saved yet: save again if it is to be yours all the same.
            </>
          ) : (
            refused.message
          )}
        </Notice>
      )}
      {isDirty && (
        <div className={styles.buttons}>
          <Button variant="default" onClick={discard} disabled={writing.isPending}>
            Discard
          </Button>
          <Button
            onClick={() => {
              // Who has read the notice has seen what somebody else chose.
              if (refused && isStale(refused)) setPicked({ rule, seen: application.overrideRule });
              writing.reset();
              setAsking(true);
            }}
          >
            Save
          </Button>
        </div>
      )}
      <Dialog title="Change what tenants may override?" opened={asking} onClose={() => setAsking(false)}>
        <RuleImpact applicationId={application.id} rule={rule} />
        <div className={styles.buttons}>
          <Button variant="default" onClick={() => setAsking(false)} data-autofocus>
            Go back
          </Button>
          <Button loading={writing.isPending} disabled={isCounting} onClick={() => writing.mutate(rule)}>
            Save and apply
          </Button>
        </div>
      </Dialog>
    </Card>
  );
}

const isStale = (result: { __typename: string; field?: string }): boolean =>
  result.__typename === 'InvalidInput' && result.field === 'expectedOverrideRule';

function RuleImpact({ applicationId, rule }: { applicationId: string; rule: OverrideRule }) {
  const { data: count, isError } = useQuery(overridesOnQuery(applicationId));
  return (
    <div className={styles.dialogBody}>
      <p>{ruleTexts[rule]}</p>
      {isError ? (
        <Notice tone="warning" live>
          How many tenants have an override on can’t be told now. It takes effect at once, for all of them.
        </Notice>
      ) : count === undefined ? (
        <Lines count={1} />
      ) : (
        <p>
          <b>{count === 1 ? '1 tenant has' : `${count} tenants have`} an override on.</b>{' '}
          {count > 0 && `${effects[rule]} That takes effect at once.`}
        </p>
      )}
    </div>
  );
}
