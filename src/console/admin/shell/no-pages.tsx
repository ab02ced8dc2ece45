import type { Viewer } from '../session/permissions.ts';
import { Card } from '../shared/card.tsx';
import { Id } from '../shared/name.tsx';
import { PageHeader } from '../shared/page-header.tsx';

const opened = [
  ['mfa-policy:read', 'policies of applications and tenants'],
  ['auth-factor:read', 'users, their state and why they are asked'],
  ['audit:read', 'the audit record'],
  ['application:write', 'webhooks'],
] as const;

/** For callers whose token opens no page, or not this one: which scope would. */
export function NoPages({ viewer }: { viewer: Viewer }) {
  return (
    <>
      <PageHeader
        title="This page is not for your account"
        documentTitle="No access"
        lead="What the console shows depends on the scopes that your identity provider gave you. Ask whoever looks after it if something is missing."
      />
      <Card title="Your scopes">
        {viewer.scopes.length === 0 ? (
          <p>Your sign-in carries no scopes.</p>
        ) : (
          <ul>
            {viewer.scopes.map((scope) => (
              <li key={scope}>
                <Id>{scope}</Id>
              </li>
            ))}
          </ul>
        )}
        <p>Scopes that open pages:</p>
        <ul>
          {opened.map(([scope, what]) => (
            <li key={scope}>
              <Id>{scope}</Id> — {what}
            </li>
          ))}
        </ul>
      </Card>
    </>
  );
}
