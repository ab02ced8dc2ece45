import { type RawBuilder, sql } from '../db/sql.ts';
import { forbidden } from '../shared/errors.ts';

/** What a bearer token may allow inside its boundary (rules.md section 3). */
export const scopes = [
  'application:write',
  'tenant:write',
  'mfa-policy:read',
  'mfa-policy:write',
  'mfa-workflow:execute',
  'auth-factor:read',
  'auth-factor:delete',
  'mfa-exemption:write',
  'audit:read',
  'schema:read',
] as const;
export type Scope = (typeof scopes)[number];

/** How far a caller reaches: the installation, one application with its tenants, or one tenant. */
export type Boundary =
  | { kind: 'installation' }
  | { kind: 'application'; applicationId: string }
  | { kind: 'tenant'; applicationId: string; tenantId: string };

/** Where a thing stands, as far as boundaries are concerned. */
export interface TenantPlace {
  id: string;
  applicationId: string;
}

/**
 * Whom a request speaks for. Two questions are asked separately everywhere: *may* the caller do
 * this (scope; else FORBIDDEN), and does the thing *exist for* the caller (boundary; else the same
 * answer as for what does not exist).
 */
export class Caller {
  readonly subject: string;
  readonly boundary: Boundary;
  /** As the token says, in its order, unknown ones included. */
  readonly scopes: readonly string[];
  /** The same for all callers of a boundary, and for no others. */
  readonly boundaryKey: string;

  constructor(subject: string, boundary: Boundary, granted: readonly string[]) {
    this.subject = subject;
    this.boundary = boundary;
    this.scopes = granted;
    this.boundaryKey = JSON.stringify([this.applicationId, this.tenantId]);
  }

  may(scope: Scope): boolean {
    return this.scopes.includes(scope);
  }

  /** @throws FORBIDDEN naming the scope that would do */
  assertMay(scope: Scope): void {
    if (!this.may(scope)) throw forbidden(`This needs the scope ${scope}.`);
  }

  get applicationId(): string | null {
    return this.boundary.kind === 'installation' ? null : this.boundary.applicationId;
  }

  get tenantId(): string | null {
    return this.boundary.kind === 'tenant' ? this.boundary.tenantId : null;
  }

  /** Whether the boundary is exactly this tenant: its users see its name and effective policy. */
  isOf(tenant: TenantPlace): boolean {
    return this.boundary.kind === 'tenant' && this.reachesTenant(tenant);
  }

  reachesTenant(tenant: TenantPlace): boolean {
    return (
      (this.applicationId ?? tenant.applicationId) === tenant.applicationId &&
      (this.tenantId ?? tenant.id) === tenant.id
    );
  }

  /** Whether the application as a whole lies inside the boundary; a tenant's caller only sees it. */
  reachesApplication(applicationId: string): boolean {
    return this.boundary.kind !== 'tenant' && (this.applicationId ?? applicationId) === applicationId;
  }

  /** Whether the application is to be seen at all; a tenant's caller sees the one it belongs to. */
  seesApplication(applicationId: string): boolean {
    return (this.applicationId ?? applicationId) === applicationId;
  }

  /** The third wall: the condition every statement on tenants carries. @param t alias of `tenants` */
  tenantsInBoundary(t: string): RawBuilder<unknown> {
    return sql`(${this.applicationId}::text is null or ${sql.ref(`${t}.application_id`)} = ${this.applicationId})
      and (${this.tenantId}::text is null or ${sql.ref(`${t}.id`)} = ${this.tenantId})`;
  }

  /** Likewise for the record; '' is no tenant's id, so a tenant's caller sees its own events only. @param e alias */
  eventsInBoundary(e: string): RawBuilder<unknown> {
    return sql`(${this.applicationId}::text is null or ${sql.ref(`${e}.application_id`)} = ${this.applicationId})
      and (${this.tenantId}::text is null or ${sql.ref(`${e}.tenant_id`)} = ${this.tenantId})`;
  }

  /** Likewise for applications; a tenant's caller sees the one it belongs to. @param a alias */
  applicationsInBoundary(a: string): RawBuilder<unknown> {
    return sql`(${this.applicationId}::text is null or ${sql.ref(`${a}.id`)} = ${this.applicationId})`;
  }
}
