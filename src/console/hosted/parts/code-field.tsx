import { type FormEvent, useEffect, useId, useRef, useState } from 'react';
import { useTexts } from '../texts/texts.ts';
import { type CodeError, ErrorLine, useWait } from './code-error.tsx';

const digitsOf = (text: string): string =>
  /(?<!\d)\d{6}(?!\d)/.exec(text)?.[0] ?? text.replaceAll(/\D/g, '').slice(0, 6);

/**
 * A six-digit code, typed, pasted or filled in by the browser. Six digits send themselves. While they are checked
 * and while waiting is asked for, nothing can be sent.
 */
export function CodeField({
  submit,
  error,
  isBusy,
  onCode,
  isTitled = false,
}: {
  /** What the button says. */
  submit: string;
  error: CodeError | null;
  isBusy: boolean;
  onCode(code: string): void;
  /** Whether a title before it says what goes in; then the label is for readers only, and the title has the focus. */
  isTitled?: boolean;
}) {
  const { t } = useTexts();
  const [digits, setDigits] = useState('');
  const [isIncomplete, setIncomplete] = useState(false);
  const field = useRef<HTMLInputElement>(null);
  const sent = useRef('');
  const id = useId();
  const wait = useWait(error);
  const isHeld = isBusy || wait.isWaiting;

  useEffect(() => {
    if (!isTitled) field.current?.focus();
  }, [isTitled]);
  // A wrong code is done with; the next one is typed into an empty field.
  useEffect(() => {
    if (error === null) return;
    setDigits('');
    field.current?.focus();
  }, [error]);

  // Whatever came of it, what was sent may be sent again.
  useEffect(() => {
    if (!isBusy) sent.current = '';
  }, [isBusy]);

  function send(code: string) {
    if (isHeld || sent.current === code) return;
    sent.current = code;
    setIncomplete(false);
    onCode(code);
  }
  function onChange(text: string) {
    if (isHeld) return;
    const typed = digitsOf(text);
    setDigits(typed);
    if (typed.length === 6) send(typed);
    else sent.current = '';
  }
  function onSubmit(event: FormEvent) {
    event.preventDefault();
    if (isHeld) return;
    if (digits.length === 6) send(digits);
    else {
      setIncomplete(true);
      field.current?.focus();
    }
  }

  const isWrong = isIncomplete || (error !== null && !wait.isOver);
  return (
    <form className="code" onSubmit={onSubmit} noValidate>
      <label htmlFor={id} className={isTitled ? 'unseen' : undefined}>
        {t('code.label')}
      </label>
      <input
        ref={field}
        id={id}
        className="digits"
        value={digits}
        onChange={({ target }) => onChange(target.value)}
        inputMode="numeric"
        autoComplete="one-time-code"
        autoCorrect="off"
        spellCheck={false}
        pattern="[0-9]*"
        readOnly={isHeld}
        aria-invalid={isWrong || undefined}
        aria-describedby={`${id}-hint ${id}-error`}
      />
      <p id={`${id}-hint`} className="hint">
        {t('code.hint')}
      </p>
      <div id={`${id}-error`}>
        {isIncomplete ? (
          <p className="error" role="alert">
            {t('code.incomplete')}
          </p>
        ) : (
          <ErrorLine error={error} wait={wait} wrong={t('code.wrong')} />
        )}
      </div>
      <button type="submit" className="primary" aria-disabled={isHeld || undefined}>
        {isBusy ? t('verifying') : submit}
      </button>
    </form>
  );
}
