// The ceiling: the product with everything before and after the data, and a constant in their place.
import 'reflect-metadata';
import { PolicyResolver, TenantPolicyResolver } from '../../../dist/src/policy/policy.resolver.js';
import { TenancyResolver } from '../../../dist/src/tenancy/tenancy.resolver.js';

const constant = {
  mfaEnabled: true,
  totpEnabled: true,
  recoveryCodesEnabled: true,
  enrollment: 'REQUIRED',
  gracePeriodDays: 14,
  issuer: 'A Constant Issuer',
  source: 'APPLICATION',
  version: 3,
};
PolicyResolver.prototype.effectivePolicy = () => constant;
TenancyResolver.prototype.tenants = (_context, ids) => ids.map((id) => ({ id }));
TenantPolicyResolver.prototype.effectivePolicy = () => constant;
await import('../../../dist/src/main.js');
