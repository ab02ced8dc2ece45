import type { KeptSecret } from '../shared/key-ring.ts';

export const AuthFactorType = { TOTP: 'TOTP', RECOVERY_CODE: 'RECOVERY_CODE' } as const;
export type AuthFactorType = keyof typeof AuthFactorType;

/** What a factor belongs to; its secret opens nowhere else. */
export interface FactorPlace {
  tenantId: string;
  userId: string;
  id: string;
}

export const placeText = ({ tenantId, userId, id }: FactorPlace): string =>
  JSON.stringify([tenantId, userId, id]);

/** A factor that counts. */
export interface StoredFactor {
  id: string;
  type: AuthFactorType;
  secret: KeptSecret;
  /** TOTP: the last time step accepted. Recovery code: 1 once it was redeemed. */
  spent: number;
  createdAt: Date;
  activatedAt: Date;
  lastUsedAt: Date | null;
}

/** A factor that was begun and not confirmed. */
export interface PendingFactor {
  id: string;
  type: AuthFactorType;
  secret: KeptSecret;
  /** '' for self-service. */
  stepId: string;
  /** Wrong codes so far; after the last one that is allowed it is gone. */
  failures: number;
  /** Id of the active factor in whose place it may come; null where there was none. */
  replaces: string | null;
  createdAt: Date;
  expiresAt: Date;
}

/** A row as PostgreSQL's to_jsonb gives it: moments and bytes as text. */
interface FactorJson {
  id: string;
  type: AuthFactorType;
  key_id: string;
  secret: string;
  created_at: string;
}
export type StoredFactorJson = FactorJson & {
  spent: number;
  activated_at: string;
  last_used_at: string | null;
};
export type PendingFactorJson = FactorJson & {
  step_id: string;
  failures: number;
  replaces: string | null;
  expires_at: string;
};

export const toStoredFactor = (row: StoredFactorJson): StoredFactor => ({
  id: row.id,
  type: row.type,
  secret: toSecret(row),
  spent: row.spent,
  createdAt: new Date(row.created_at),
  activatedAt: new Date(row.activated_at),
  lastUsedAt: row.last_used_at === null ? null : new Date(row.last_used_at),
});

export const toPendingFactor = (row: PendingFactorJson): PendingFactor => ({
  id: row.id,
  type: row.type,
  secret: toSecret(row),
  stepId: row.step_id,
  failures: row.failures,
  replaces: row.replaces,
  createdAt: new Date(row.created_at),
  expiresAt: new Date(row.expires_at),
});

/** bytea as JSON is \x and hexadecimal digits. */
const toSecret = (row: FactorJson): KeptSecret => ({
  keyId: row.key_id,
  bytes: Buffer.from(row.secret.slice(2), 'hex'),
});
