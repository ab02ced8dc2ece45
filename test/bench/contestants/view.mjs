/**
 * What PostGraphile serves: the effective policy as a view, in a schema of its own, and the tenants of some ids
 * as a function that PostgreSQL writes out into the query.
 */
export const view = `
  create schema bench;
  create view bench.effective_policies as
    select t.id as tenant_id,
      case when r.own then t.totp_enabled or (r.raises and a.totp_enabled) else a.totp_enabled end as totp_enabled,
      case when r.own then t.recovery_codes_enabled else a.recovery_codes_enabled end as recovery_codes_enabled,
      case when r.own and not (r.raises and a.enrollment = 'REQUIRED') then t.enrollment
        else a.enrollment end as enrollment,
      case when not r.own then a.grace_period_days
        when r.raises and a.enrollment = 'REQUIRED' then least(t.grace_period_days, a.grace_period_days)
        else t.grace_period_days end as grace_period_days,
      coalesce(case when r.own then t.issuer else a.issuer end, a.display_name) as issuer,
      case when r.own then 'TENANT' else 'APPLICATION' end as source,
      case when r.own then t.policy_version else a.policy_version end as version
    from public.tenants t join public.applications a on a.id = t.application_id
    cross join lateral (select
      a.override_rule <> 'NONE' and t.override_enabled and t.policy_version > 0 as own,
      a.override_rule = 'STRICTER_ONLY' as raises) r;
  comment on view bench.effective_policies is '@primaryKey tenant_id';
  create function bench.effective_policies_of(ids text[]) returns setof bench.effective_policies
    language sql stable as 'select * from bench.effective_policies where tenant_id = any(ids)';
  comment on function bench.effective_policies_of(text[]) is '@behavior -connection +list';
`;
