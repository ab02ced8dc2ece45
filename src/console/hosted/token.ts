/*
 * The MFA token of this step. It comes in the fragment, which is sent to no server, and is taken out of the address and
 * of the history before anything else runs. A reload must not end the step, so it stays with the tab: session storage is
 * read by the scripts of this origin only, as a variable is, and goes with the tab. The token opens nothing but this
 * step, for a few minutes.
 */

const place = 'cufflink.mfa-token';

/** @returns the token that the page was opened with, or was reloaded with; null without one */
export function takeToken(): string | null {
  const given = new URLSearchParams(location.hash.slice(1)).get('token');
  if (given === null) return read();
  history.replaceState(null, '', location.pathname);
  try {
    sessionStorage.setItem(place, given);
  } catch {
    // Where nothing may be kept, a reload ends the step.
  }
  return given;
}

export function forgetToken(): void {
  try {
    sessionStorage.removeItem(place);
  } catch {
    // Then it was not kept either.
  }
}

function read(): string | null {
  try {
    return sessionStorage.getItem(place);
  } catch {
    return null;
  }
}

/** The token at the start; imported first, it is taken before any other module runs. */
export const firstToken = takeToken();
