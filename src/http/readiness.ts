import pg, { type Pool } from 'pg';
import { readinessTimeoutMs } from '../shared/limits.ts';

/** Says whether the database answers. */
export interface Readiness {
  isDatabaseReady(): Promise<boolean>;
  close(): Promise<void>;
}

/**
 * Asks on a connection of its own: that all others are busy is overload, which is shed, and no
 * reason to take the server out of service. However many ask at once, one statement runs.
 */
export function databaseReadiness({ options }: Pool): Readiness {
  const own = new pg.Pool({
    ...options,
    // pg hides it from being copied.
    password: options.password,
    min: 0,
    max: 1,
    connectionTimeoutMillis: readinessTimeoutMs,
    query_timeout: readinessTimeoutMs,
  });
  // A connection that breaks while idle is replaced at the next check.
  own.on('error', () => {});
  let asking: Promise<boolean> | null = null;
  const ask = async () => {
    try {
      await own.query('select 1');
      return true;
    } catch {
      return false;
    } finally {
      asking = null;
    }
  };
  return {
    isDatabaseReady() {
      asking ??= ask();
      return asking;
    },
    close: () => own.end(),
  };
}
