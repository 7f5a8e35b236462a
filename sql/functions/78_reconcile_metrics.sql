-- 78_reconcile_metrics.sql - what /metrics tells of money.  Counts only.

-- The metrics of money, in the form of api.metrics.
create or replace function public.billing_metrics() returns jsonb
    language plpgsql stable security definer set search_path = '' as $$
begin
    return jsonb_build_array(
        public.metric('subscriptions', 'gauge', 'Current subscriptions by plan, status, and where they are paid.', (
            select jsonb_agg(public.sample(jsonb_build_object('plan', g.plan, 'status', g.status, 'origin', g.origin), g.n))
              from (select coalesce(p.name, '') as plan, s.status, s.origin, count(*) as n
                      from public.subscriptions s left join public.subscription_plans p on p.id = s.plan_id
                     where s.current group by 1, 2, 3 order by 1, 2, 3) g)),
        public.metric('billing_standings', 'gauge', 'Organizations whose bills are not paid, by how they stand.', (
            select jsonb_agg(public.sample(jsonb_build_object('standing', k.standing),
                                           (select count(*) from public.billing_accounts b where b.standing = k.standing)))
              from unnest(array['past_due', 'read_only', 'suspended']) k(standing))),
        public.metric('usage_uncounted', 'gauge', 'Ledger rows that are not in the summaries yet.', (
            select jsonb_build_array(public.sample('{}', count(*))) from public.usage_entries e
             where e.counted <> e.billable or e.summed <> e.quantity)),
        public.metric('usage_reports', 'gauge', 'Further minutes that the provider is still to be told, or that it refused.', (
            select jsonb_build_array(
                public.sample('{"state":"pending"}', (select count(*) from public.usage_reports r where r.state = 'pending')),
                public.sample('{"state":"refused"}', (select count(*) from public.usage_reports r where r.state = 'refused'))))),
        public.metric('usage_report_age_seconds', 'gauge', 'Age of the oldest report that the provider is still to be told.', (
            select jsonb_build_array(public.sample('{}', coalesce(round(extract(epoch from clock_timestamp() - min(r.created_at)), 3), 0)))
              from public.usage_reports r where r.state = 'pending')),
        public.metric('billing_differences', 'gauge', 'Where our books and the provider''s do not agree, by kind; 0 is what it should be.', (
            select jsonb_agg(public.sample(jsonb_build_object('kind', g.kind), g.n) order by g.kind)
              from (select coalesce(k.kind, d.kind) as kind, count(d.id) as n
                      from public.reconcile_kinds() k
                      full join (select x.id, x.kind from public.billing_differences x where x.resolved_at is null) d on d.kind = k.kind
                     group by 1) g)),
        public.metric('billing_reconciled_total', 'counter', 'Reconciliations that came to their end.', (
            select jsonb_agg(public.sample('{}', c.seen)) from public.webhook_counts c where (c.provider, c.type) = ('billing', 'reconciled'))));
end
$$;
