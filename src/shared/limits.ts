/**
 * Every bound of the service in one place: unit and bound last in the name, source beside it.
 */

// --- what a caller may write (rules.md section 1) -----------------------------------------------
export const displayNameCharsMax = 200;
/** The label prefix authenticator apps show; longer ones are cut off on phones. */
export const issuerCharsMax = 64;
export const gracePeriodDaysMax = 365;
export const givenIdCharsMax = 64;
export const userIdCharsMax = 255;
/** Why an administrator excuses or resets a user. */
export const reasonCharsMax = 500;
/** How far ahead an exemption may end (rules.md section 2). */
export const exemptionDaysMax = 365;
export const idempotencyKeyCharsMax = 255;
/** How long an idempotency key is remembered (contract, Conventions). */
export const idempotencyHours = 24;

// --- what a request may ask (security.md GQL-1) -------------------------------------------------
export const pageSizeMax = 100;
export const listIdsMax = 200;
/** Tenants that one call of the bulk toggle may name. */
export const bulkTenantsMax = 1_000;
export const representationsMax = 200;
/** Bytes of a request body. */
export const bodyBytesMax = 100 * 1024;
/** Of all headers together: Node's own default, said so that it stays. */
export const headerBytesMax = 16 * 1024;
/** Lexer tokens of a document; a full introspection query has about 200, 200 representations 1,600. */
export const tokensMax = 2_000;
/** Selection depth; the deepest operation of the contract's clients is 9, introspection's is 15. */
export const depthMax = 16;
/** Root fields of one operation. */
export const rootFieldsMax = 20;
/** Fields under another name than their own. */
export const aliasesMax = 50;
/** Directives that a client writes on one operation, fragments included. */
export const directivesMax = 20;
/** Fields and fragments of one operation when every fragment is written out: bounds the check itself. */
export const fieldsMax = 2_000;
/** Fields that stand twice beside each other, under one name: graphql-js compares each with each. */
export const repeatsMax = 100;
/** One per field answered, multiplied by the size of the list it stands in. */
export const costMax = 25_000;
/** Documents and plans of operations that are kept between requests; clients send a few dozen. */
export const plansMax = 100;
/** Fields of a plan that is kept: a typical one has 10 to 100, and each takes about 300 bytes. */
export const planFieldsMax = 1_000;
/** Objects of lists whose text is kept, half of them at least: each takes about 400 bytes. */
export const piecesMax = 20_000;
/** Characters of a text that is kept: aliases of one field after another could make it as long as a body. */
export const pieceCharsMax = 1_000;
/** A preview looks at every user whom the change concerns: a request may ask for four. */
export const previewCost = 6_000;

/** Codes of a factor that one request may carry (security.md THR-2). */
export const codesMax = 1;

// --- time (security.md REL-2: every call answers within 3 s) ------------------------------------
export const connectTimeoutMs = 1_000;
/** For what nobody waits on for an answer: migrating, and filling a new database. */
export const ownerConnectTimeoutMs = 10_000;
export const lockTimeoutMs = 1_500;
export const statementTimeoutMs = 2_000;
/** The client's own limit, for a server that does not answer at all. */
export const queryTimeoutMs = 2_500;
export const idleInTransactionTimeoutMs = 3_000;
/** From the first byte of a request to its last; then 408. */
export const requestTimeoutMs = 10_000;
/** From the first byte of a request to the end of its headers; then 408. */
export const headersTimeoutMs = 5_000;
/** How often Node looks for requests that are late; its default is 30 s. */
export const timeoutCheckMs = 1_000;
/** Longer than the 60 s after which common proxies drop an idle connection: they must be the first to. */
export const keepAliveMs = 65_000;
/** Nothing is sent or taken on a connection for so long; longer than `keepAliveMs`, so that it ends none which is only idle. */
export const connectionTimeoutMs = 70_000;
/** From a request's head to its answer; then UNAVAILABLE. Statements end by themselves at about the same time. */
export const answerMsMax = 2_800;
/** A database that takes longer to say `select 1` is no ready one. */
export const readinessTimeoutMs = 1_000;
export const poolConnectionsMax = 20;
/** A connection that nobody used for so long is closed; opening many at once is what a burst waits for. */
export const poolIdleMs = 60_000;

/** Statements that a connection keeps prepared; there are a few dozen hot ones. */
export const preparedStatementsMax = 200;

// --- read replicas --------------------------------------------------------------------------------
/** What a replica is known to lack, at most; from then on the primary answers. */
export const replicaLagMsMax = 2_000;
/** How often the replicas are compared with the primary: a few times within that lag. */
export const replicaCheckMs = 500;
/** A check that takes longer has failed. */
export const replicaCheckTimeoutMs = 500;
/** A read's wait for a connection to a replica; both and the primary's time fit `answerMsMax` but for the slowest reads. */
export const replicaConnectTimeoutMs = 400;
export const replicaStatementTimeoutMs = 1_000;
/** The client's own limit, for a replica that does not answer at all. */
export const replicaQueryTimeoutMs = 1_100;
/** Callers who changed something a moment ago and read the primary until the replicas have it, too. */
export const replicaWritersMax = 10_000;

// --- what is remembered of policies ----------------------------------------------------------------
/** How old what is recalled may be, at most: by then all changes before have been heard. */
export const policySnapshotAgeMsMax = 1_000;
/** Tenants that requests of one moment read together. */
export const gatheredIdsMax = 1_000;
export const policySnapshotTenantsMax = 100_000;
export const policySnapshotApplicationsMax = 10_000;
/** After that, a row is read again; for what is changed past the service. */
export const policySnapshotEntrySeconds = 60;
/** How often the feed is compared with the database. */
export const policyFeedBeatMs = 250;
export const policyFeedTimeoutMs = 1_000;
/** How long a feed that was lost waits for its next connection. */
export const policyFeedRetryMs = 500;

// --- callers (security.md JWT-1, JWT-2) ---------------------------------------------------------
export const bearerAgeHoursMax = 24;
export const clockToleranceSeconds = 60;
/** Tokens whose signature needs no second check. */
export const verifiedTokensMax = 10_000;
export const jwksAgeSecondsMax = 600;
/** From this age on, the keys are fetched anew in the background. */
export const jwksRefreshSeconds = 300;
export const jwksFetchIntervalSeconds = 30;
/** How long after a failed fetch the next one waits; calls between them answer at once. */
export const jwksRetrySeconds = 2;
export const jwksFetchTimeoutMs = 2_000;
/** Below the 16 KiB that Node takes of headers in all; proxies take 8 KiB of one. */
export const bearerCharsMax = 8 * 1024;

// --- stopping (rules.md section 4) --------------------------------------------------------------
/** Connections are still accepted for this long after ready turned 503. */
export const drainSeconds = 1;
export const stopSecondsMax = 9;
/** From when a server that serves is told to stop; then the process ends, whatever is left. */
export const stopDeadlineMs = 9_500;

// --- overload (security.md REL-6) ---------------------------------------------------------------
/** Past this delay of the event loop, requests are refused rather than queued. */
export const eventLoopDelayMsMax = 1_000;
export const retryAfterSeconds = 2;
/** Connections of a server: many times what proxies keep. Each takes some ten kilobytes. */
export const connectionsMax = 10_000;
/** Calls that a server works on at once: more than it has connections, since many need none. */
export const callsRunningMax = 64;
/** Calls of one boundary that may wait for their turn. */
export const callsWaitingMax = 1_000;
/** A wait for a turn. Half of `answerMsMax`: what begins with less time left is answered too late, and was done for nobody. */
export const callsWaitMsMax = 1_400;

// --- TOTP [RFC 6238 section 4 and 5.2; what every authenticator app supports] -------------------
export const totpSecretBytes = 20;
export const totpDigits = 6;
export const totpPeriodSeconds = 30;
/** A QR code of the middle error correction level holds 2,331 bytes [ISO/IEC 18004]. */
export const otpauthUriCharsMax = 2_300;
/** One time step of delay between the app and us; never one ahead. */
export const totpPastSteps = 1;

// --- recovery codes (rules.md section 2: at least 100 random bits) ------------------------------
export const recoveryCodeGroups = 5;
export const recoveryCodeGroupChars = 4;

// --- attempts (rules.md section 2; NIST SP 800-63B-4 section 3.2.2 allows at most 100 in a row) --
/** Wrong codes in a row that are free of waiting. */
export const freeAttemptsMax = 5;
/** The first wait; each further wrong code doubles it. */
export const firstWaitSeconds = 30;
export const waitSecondsMax = 3600;
/** Wrong codes in a row after which a factor is disabled. */
export const attemptsMax = 50;
/** When a refused code is answered, from the call's arrival: well above what the work takes, so that time tells nothing. */
export const refusalMs = 25;
/** Wrong codes after which a pending factor is gone. */
export const pendingAttemptsMax = 5;

// --- the MFA step (rules.md section 2) ----------------------------------------------------------
export const mfaTokenBytes = 32;
export const enrollmentStepSeconds = 600;
export const challengeStepSeconds = 300;
/** A pending factor of self-service; in a step it ends with the step. */
export const pendingFactorSeconds = 600;
/** Long enough to be checked, too short to be passed around. */
export const assertionSeconds = 120;
export const accountNameCharsMax = 200;
export const redirectUrlCharsMax = 2_000;

// --- cleaning up --------------------------------------------------------------------------------
/** How long a step stays after it expired, for whoever looks into a sign-in that failed. */
export const finishedStepHours = 24;
export const janitorIntervalSeconds = 600;
export const janitorBatchRowsMax = 1_000;

// --- the record ---------------------------------------------------------------------------------
/** How long what was recorded waits for its seal, at most, while the server is not behind. */
export const sealIntervalMs = 250;
/** Denials of one request that are recorded. */
export const deniedEventsMax = 20;
/** What one statement of a prune deletes, at most: rows, or of so many chains so many seals each. */
export const pruneBatch = { rows: 10_000, chains: 100, seals: 100 };
/** How long a change of the record's months waits for its turn: less than those wait who wait behind it. */
export const monthLockMs = 500;
/** The others have so long to pass before the next try. */
export const monthRetryMs = 2_000;
export const monthAttemptsMax = 30;
/** Events of one seal. */
export const sealEventsMax = 1_000;
/** Chains that are worked on at once. */
export const sealChainsMax = 8;
/** Chains that are looked up at once: that costs a look at all that is queued. */
export const sealPassChainsMax = 1_000;
/** How often a chain is tried in one pass, while webhook endpoints are being deleted. */
export const sealTriesMax = 5;

// --- webhooks [Standard Webhooks specification 1.0.0] -------------------------------------------
export const webhookEndpointsMax = 10;
export const webhookUrlCharsMax = 2_000;
/** The specification asks for 24 to 64 random bytes. */
export const webhookSecretBytes = 32;
/** How long the secret before still signs beside a new one. */
export const webhookPreviousSecretHours = 24;
/** How long a receiver may take. The specification recommends 15 to 30 s; but others wait behind it. */
export const webhookTimeoutMs = 10_000;
/** Bytes of an answer that are let pass, unread. */
export const webhookAnswerBytesMax = 64 * 1024;
/** Waits before each further attempt [the specification's example, without its last three]. */
export const webhookRetrySeconds = [5, 300, 1_800, 7_200, 18_000, 36_000, 36_000] as const;
/** By so much of itself a wait is longer or shorter, at random. */
export const webhookRetryJitter = 0.1;
/** A delivery that fails and has waited for so long, for its own attempts or behind others, is dead. */
export const webhookGiveUpHours = 28;
/** How long the one who works on a lane keeps it without a sign of life. */
export const webhookLeaseSeconds = 60;
/** Deliveries of a lane that are sent before another has its turn. */
export const webhookTurnMax = 20;
/** Lanes that one server works on at once: in all, of one application, and of one endpoint. */
export const webhookLanesMax = 16;
export const webhookLanesPerApplicationMax = 6;
export const webhookLanesPerEndpointMax = 4;
/** How often is looked for what is due. */
export const webhookPollMs = 250;
export const webhookBacklogSeconds = 15;
/** What is being sent when a server stops has so long to end; then it is sent again by another. */
export const webhookStopMs = 500;
/** Dead deliveries that one call brings back. */
export const webhookReplayMax = 1_000;
export const webhookDeliveredDays = 7;
export const webhookDeadDays = 30;

// --- traces -------------------------------------------------------------------------------------
export const traceStatementCharsMax = 2_000;
export const traceExportTimeoutMs = 5_000;
/** What is left to send when a server stops has so long. */
export const traceStopMs = 500;

// --- pages --------------------------------------------------------------------------------------
/** How long browsers keep a file whose name holds its digest: a year, as RFC 9111 takes for the longest. */
export const assetSeconds = 31_536_000;

// --- npm run seed -------------------------------------------------------------------------------
export const seedApplicationsMax = 1_000;
export const seedTenantsMax = 1_000_000;
export const seedUsersMax = 10_000_000;
/** Ids are the prefix and a number of at most ten characters, and have at most 64. */
export const seedPrefixCharsMax = 32;
/** Rows of a batch, as text some megabytes. */
export const seedBatchRows = 20_000;

// --- migrating -----------------------------------------------------------------------------------
/** Whoever waits for another that migrates says so after so long, and gives up in the end. */
export const migrationTellMs = 3_000;
export const migrationWaitMsMax = 600_000;

// --- npm run keys:rotate and restore:seal ----------------------------------------------------------
/** How long restore:seal waits for a row or table that another session holds. */
export const restoreLockMs = 5_000;
/** Rows that are read at once; as text some hundred kilobytes. */
export const operatorBatchRows = 500;
/** Tenants whose rows are written at once, each by a statement of its own: that leaves servers most of the database. */
export const keyRotationTenantsMax = 4;
/** A row that is in use is passed over and tried again; a server holds one for seconds at most. */
export const keyRotationPassesMax = 20;
export const keyRotationPassMs = 500;
/** Rows of a key in a table that are tried: one may have been altered, where all do not open the key is another. */
export const keyCheckRows = 3;
/** Rows of each table that a server looks at when it starts. */
export const keyCheckSampleRows = 1_000;
/** Rows that do not open are named one by one, up to so many. */
export const keyRotationNamedMax = 20;
