import { createContext, use } from 'react';
import type { Step, StepApi } from './api.ts';

/** What every screen of an open step has. */
export interface StepContext {
  api: StepApi;
  step: Step;
  /** Whether the connection broke off while something was sent. */
  wasLost: boolean;
  /** Reads the step anew and shows what is next. */
  read(): void;
  /** A call had no answer, or one that was not expected. */
  fail(error: unknown): void;
  /** The token is worth nothing any more. */
  end(): void;
}

const Context = createContext<StepContext | null>(null);

export const StepProvider = Context.Provider;

/** @returns null outside an open step */
export const useStepContext = (): StepContext | null => use(Context);

export function useOpenStep(): StepContext {
  const context = use(Context);
  if (context === null) throw new Error('This screen is shown within an open step only.');
  return context;
}
