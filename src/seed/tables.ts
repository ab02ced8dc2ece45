/** What a column is given. */
export type Cell = string | number | boolean | Date | Buffer | null;

export interface Table<Column extends string> {
  name: string;
  columns: readonly Column[];
}

export type Row<Column extends string> = Record<Column, Cell>;

const table = <const Columns extends readonly string[]>(
  name: string,
  columns: Columns,
): Table<Columns[number]> => ({ name, columns });

const policyColumns = [
  'totp_enabled',
  'recovery_codes_enabled',
  'enrollment',
  'grace_period_days',
  'issuer',
  'policy_version',
  'policy_updated_at',
] as const;

const factorColumns = ['tenant_id', 'user_id', 'id', 'type', 'key_id', 'secret', 'created_at'] as const;

/** What is seeded, in the order in which rows refer to one another. */
export const tables = {
  applications: table('applications', [
    'id',
    'display_name',
    'name_key',
    'override_rule',
    'created_at',
    ...policyColumns,
  ]),
  tenants: table('tenants', [
    'id',
    'application_id',
    'display_name',
    'name_key',
    'override_enabled',
    'created_at',
    ...policyColumns,
  ]),
  users: table('users', [
    'tenant_id',
    'id',
    'account_name',
    'enrollment_required_at',
    'first_enrolled_at',
    'exempt_until',
    'exemption_reason',
    'exemption_granted_by',
    'totp_failures',
    'totp_locked_until',
    'recovery_failures',
    'recovery_locked_until',
    'created_at',
  ]),
  auth_factors: table('auth_factors', [...factorColumns, 'spent', 'activated_at', 'last_used_at']),
  pending_auth_factors: table('pending_auth_factors', [
    ...factorColumns,
    'step_id',
    'replaces',
    'failures',
    'expires_at',
  ]),
};

export type TableName = keyof typeof tables;

type ColumnOf<Name extends TableName> = (typeof tables)[Name]['columns'][number];

/** A row of a table, whole: no column is forgotten. */
export type RowOf<Name extends TableName> = Row<ColumnOf<Name>>;

/** The columns of a policy in the row of its owner. */
export type PolicyCells = Row<(typeof policyColumns)[number]>;

/** A row as a line of COPY's text format. */
export const copyLine = <Column extends string>({ columns }: Table<Column>, row: Row<Column>): string =>
  `${columns.map((column) => copyCell(row[column])).join('\t')}\n`;

function copyCell(cell: Cell): string {
  if (cell === null) return '\\N';
  if (typeof cell === 'string') return cell.replace(/[\\\t\n\r]/g, escaped);
  if (cell instanceof Date) return cell.toISOString();
  if (Buffer.isBuffer(cell)) return `\\\\x${cell.toString('hex')}`;
  return String(cell);
}

const escaped = (character: string): string =>
  ({ '\t': '\\t', '\n': '\\n', '\r': '\\r' })[character] ?? '\\\\';
