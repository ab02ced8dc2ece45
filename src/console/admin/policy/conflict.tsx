import { Button } from '@mantine/core';
import shared from '../shared/shared.module.css';
import type { ChangedPart, Draft, Part } from './draft.ts';
import styles from './policy.module.css';
import { type PolicyValues, settingNames, shown } from './values.ts';

const partName = (part: Part): string => (part === 'enabled' ? 'Override' : settingNames[part]);

const partShown = (part: Part, { values, enabled }: { values: PolicyValues; enabled: boolean }): string =>
  part === 'enabled' ? (enabled ? 'On' : 'Off') : shown(part, values);

/** What another administrator changed while somebody was typing here, setting by setting, and the choice. */
export function Conflict({
  changes,
  draft,
  onTake,
  onClose,
}: {
  changes: readonly ChangedPart[];
  draft: Draft;
  onTake: (part: Part) => void;
  onClose: () => void;
}) {
  if (changes.length === 0) return null;
  return (
    <div className={styles.conflict} role="alert">
      <div>
        <b>Somebody else changed this policy while you were editing.</b> Nothing of yours was saved yet, and
        nothing is lost: your changes stand on top of theirs. Look through them, then save again.
      </div>
      <div className={shared.tableWrap}>
        <table>
          <thead>
            <tr>
              <th scope="col">Setting</th>
              <th scope="col">Was</th>
              <th scope="col">Theirs</th>
              <th scope="col">Yours</th>
              <th scope="col">
                <span className={shared.visuallyHidden}>Choice</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {changes.map(({ part, before, theirs, clashes }) => (
              <tr key={part}>
                <th scope="row">{partName(part)}</th>
                <td dir="auto">{partShown(part, before)}</td>
                <td dir="auto">{partShown(part, theirs)}</td>
                <td dir="auto">{clashes ? partShown(part, draft) : 'as theirs'}</td>
                <td>
                  {clashes && (
                    <Button
                      size="xs"
                      variant="default"
                      aria-label={`Take theirs for ${partName(part)}`}
                      onClick={() => onTake(part)}
                    >
                      Take theirs
                    </Button>
                  )}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <div>
        <Button size="xs" variant="default" onClick={onClose}>
          I have seen it
        </Button>
      </div>
    </div>
  );
}
