export interface PgBouncer {
  /** Through it, as `role`. */
  url: string;
  /** Whom it logs in as: a member of the servers' role, which nothing limits yet. */
  role: string;
  stop(): Promise<void>;
}

/** Debian's PgBouncer before a database of the owner's. */
export function startPgBouncer(database: URL): Promise<PgBouncer>;
