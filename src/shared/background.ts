/** What a server does beside answering calls. */
export const backgroundWorks = ['sealer', 'dispatcher', 'janitor', 'policy_feed'] as const;
export type BackgroundWork = (typeof backgroundWorks)[number];

/**
 * Told each time that background work fails; it is tried again by itself.
 * @param message for the log; null where an outage was told of before
 */
export type Failed = (work: BackgroundWork, error: unknown, message: string | null) => void;
