import { useEffect, useState } from 'react';
import { useTexts } from '../texts/texts.ts';

/** Copies a text, and says whether that went well. */
export function CopyButton({ text, what }: { text: string; what: string }) {
  const { t } = useTexts();
  const [state, setState] = useState<'copied' | 'notCopied' | null>(null);
  useEffect(() => {
    if (state === null) return;
    const timer = setTimeout(() => setState(null), 4000);
    return () => clearTimeout(timer);
  }, [state]);
  async function copy() {
    try {
      await navigator.clipboard.writeText(text);
      setState('copied');
    } catch {
      setState('notCopied');
    }
  }
  return (
    <>
      <button type="button" className="secondary" onClick={copy}>
        {state === 'copied' ? t('recoveryCode.copied') : t('recoveryCode.copy')}
        <span className="unseen"> {what}</span>
      </button>
      <span className={state === 'notCopied' ? 'hint' : 'unseen'} role="status">
        {state === null ? '' : t(`recoveryCode.${state}`)}
      </span>
    </>
  );
}
