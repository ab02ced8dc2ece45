import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { auditActions } from '../../src/audit/audit.service.ts';
import { actionGroups } from '../../src/console/admin/audit/actions.ts';
import { linesOf } from '../../src/console/admin/audit/detail.ts';
import { hrefOf, parseRoute, type Route } from '../../src/console/admin/router/route.ts';
import { permissionsOf } from '../../src/console/admin/session/permissions.ts';

const id = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 12 });

describe('addresses of the console', () => {
  test('lead back to the page that they were made for, whatever the ids', () => {
    const anyRoute: fc.Arbitrary<Route> = fc.oneof(
      fc.constant({ page: 'home' as const }),
      fc.record({ page: fc.constant('application' as const), applicationId: id }),
      fc.record({ page: fc.constant('webhooks' as const), applicationId: id }),
      fc.record({ page: fc.constant('tenant' as const), applicationId: id, tenantId: fc.option(id) }),
      fc.record({
        page: fc.constant('users' as const),
        applicationId: id,
        tenantId: id,
        userId: fc.option(id),
      }),
      fc.record({
        page: fc.constant('audit' as const),
        applicationId: id,
        filter: fc.record({ tenantId: id, userId: id, action: id }, { requiredKeys: [] }),
      }),
    );
    fc.assert(fc.property(anyRoute, (route) => expect(parseRoute(hrefOf(route))).toEqual(route)));
  });

  test('that are none are the page that says so', () => {
    for (const hash of ['#/%zz', '#/a/b', '#/a/webhooks/c', '#/a/tenants/b/c', '#/a/users/b/c/d'])
      expect(parseRoute(hash)).toEqual({ page: 'unknown' });
  });
});

describe('the record in the console', () => {
  test('can be narrowed to every action that it holds, and to no other', () => {
    expect(actionGroups.flatMap(({ items }) => items).sort()).toEqual([...auditActions].sort());
  });

  test('tells a change as before and now, and shows what it does not know as it is', () => {
    expect(linesOf('{"gracePeriodDays":[0,7],"issuer":[null,"Harbor"],"reason":"left"}')).toEqual([
      { name: 'grace period days', before: '0', now: '7' },
      { name: 'issuer', before: 'none', now: 'Harbor' },
      { name: 'reason', before: null, now: 'left' },
    ]);
    expect(linesOf('no JSON')).toEqual([{ name: '', before: null, now: 'no JSON' }]);
    expect(linesOf('{"webhook":{"host":"a.test"}}')).toEqual([
      { name: 'webhook host', before: null, now: 'a.test' },
    ]);
  });
});

test('a tenant’s caller is offered nothing of the application, whatever its scopes', () => {
  const scopes = [
    'application:write',
    'mfa-policy:read',
    'mfa-policy:write',
    'auth-factor:read',
    'audit:read',
  ];
  const place = { id: 'a', displayName: 'A' };
  expect(permissionsOf({ subject: 's', scopes, application: place, tenant: place })).toMatchObject({
    boundary: 'tenant',
    readApplication: false,
    writeApplicationPolicy: false,
    writeOverrideRule: false,
    applicationStats: false,
    manageWebhooks: false,
    writeTenantPolicy: true,
    listUsers: true,
  });
});
