import { type UseMutationOptions, type UseMutationResult, useMutation } from '@tanstack/react-query';
import { useRef } from 'react';

/**
 * One write at a time: what is pressed twice is sent once. A button is disabled only once the page has been drawn
 * anew, and a second click may come before.
 */
export function useWrite<Data, Variables = void>(
  options: Omit<UseMutationOptions<Data, Error, Variables>, 'onSettled'>,
): UseMutationResult<Data, Error, Variables> {
  const isRunning = useRef(false);
  const mutation = useMutation<Data, Error, Variables>({
    ...options,
    onSettled() {
      isRunning.current = false;
    },
  });
  const mutate: typeof mutation.mutate = (...given) => {
    if (isRunning.current) return;
    isRunning.current = true;
    mutation.mutate(...given);
  };
  // The result is one of several shapes by its status, and this one's status is the same.
  return { ...mutation, mutate } as UseMutationResult<Data, Error, Variables>;
}
