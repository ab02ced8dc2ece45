/** The embedded database can't be used; the message is one sentence for the person who started us. */
export class EmbeddedPostgresError extends Error {
  override name = 'EmbeddedPostgresError';
}
