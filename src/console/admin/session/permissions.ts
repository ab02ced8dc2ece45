/** Who is signed in, and how far they reach. */
export interface Viewer {
  subject: string;
  scopes: readonly string[];
  application: { id: string; displayName: string } | null;
  tenant: { id: string; displayName: string } | null;
}

export type Boundary = 'installation' | 'application' | 'tenant';

const boundaryOf = ({ application, tenant }: Viewer): Boundary =>
  tenant !== null ? 'tenant' : application !== null ? 'application' : 'installation';

/** What the console offers a caller. The server decides; this only spares people what it would refuse. */
export interface Permissions {
  boundary: Boundary;
  /** The applications are the caller's to choose from. */
  chooseApplication: boolean;
  readApplication: boolean;
  readTenants: boolean;
  writeApplicationPolicy: boolean;
  writeTenantPolicy: boolean;
  writeOverrideRule: boolean;
  applicationStats: boolean;
  readUsers: boolean;
  listUsers: boolean;
  resetUsers: boolean;
  exemptUsers: boolean;
  readAudit: boolean;
  manageWebhooks: boolean;
}

/** The rules of the server's permission map that concern the console's pages. */
export function permissionsOf(viewer: Viewer): Permissions {
  const may = (scope: string) => viewer.scopes.includes(scope);
  const boundary = boundaryOf(viewer);
  const isTenant = boundary === 'tenant';
  const readPolicies = may('mfa-policy:read');
  const readUsers = may('auth-factor:read');
  return {
    boundary,
    chooseApplication: boundary === 'installation' && readPolicies,
    readApplication: readPolicies && !isTenant,
    readTenants: readPolicies,
    writeApplicationPolicy: readPolicies && may('mfa-policy:write') && !isTenant,
    writeTenantPolicy: readPolicies && may('mfa-policy:write'),
    writeOverrideRule: readPolicies && may('application:write') && !isTenant,
    applicationStats: readUsers && !isTenant,
    readUsers,
    listUsers: readUsers && (readPolicies || isTenant),
    resetUsers: readUsers && may('auth-factor:delete'),
    exemptUsers: readUsers && may('mfa-exemption:write'),
    readAudit: may('audit:read'),
    manageWebhooks: may('application:write') && !isTenant,
  };
}
