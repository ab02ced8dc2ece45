import { type ReactNode, useEffect, useRef } from 'react';
import { useStepContext } from '../step-context.ts';

/**
 * One screen of the step: its title is the page's, and where a screen reader goes on when it appears.
 * @param focusesTitle false where a field of the screen takes the focus
 */
export function Screen({
  title,
  children,
  focusesTitle = true,
}: {
  title: string;
  children: ReactNode;
  focusesTitle?: boolean;
}) {
  const heading = useRef<HTMLHeadingElement>(null);
  const applicationName = useStepContext()?.step.applicationName;
  useEffect(() => {
    document.title = applicationName === undefined ? title : `${title} · ${applicationName}`;
  }, [title, applicationName]);
  useEffect(() => {
    if (focusesTitle) heading.current?.focus();
  }, [focusesTitle]);
  return (
    <>
      <h1 ref={heading} tabIndex={-1}>
        {title}
      </h1>
      {children}
    </>
  );
}
