-- 89_timings_numbers.sql - what /metrics tells of telephone numbers.  Counts only: no number, nobody's name.

-- The metrics of numbers, in the form of api.metrics.
create or replace function public.number_metrics() returns jsonb
    language plpgsql stable security definer set search_path = '' as $$
begin
    return jsonb_build_array(
        public.metric('numbers', 'gauge', 'Telephone numbers that organizations have, had or are to have, by status.', (
            select jsonb_agg(public.sample(jsonb_build_object('status', g.status), g.n) order by g.status)
              from (select coalesce(k.status, n.status) as status, count(n.id) as n
                      from unnest(array['searching', 'buying', 'linking', 'active', 'pausing', 'paused', 'releasing', 'released', 'failed', 'lost']) k(status)
                      full join public.phone_numbers n on n.status = k.status group by 1) g)),
        public.metric('provisioning_total', 'counter', 'Changes of subscriptions that were to bring a number, by what became of them.', (
            select jsonb_agg(public.sample(jsonb_build_object('outcome', k.outcome),
                       coalesce((select t.n from public.timings t where (t.kind, t.name, t.outcome) = ('provisioning', 'number', k.outcome)), 0)))
              from unnest(array['completed', 'failed', 'skipped']) k(outcome))),
        public.metric_histogram('provisioning_seconds', 'How long a number took from the change of the subscription until it could be called.', (
            select jsonb_build_array(public.sample_histogram('{}', coalesce(max(t.seconds), 0), coalesce(max(t.buckets), public.timing_none())))
              from public.timings t where (t.kind, t.name, t.outcome) = ('provisioning', 'number', 'completed'))),
        public.metric('number_search_total', 'counter', 'Searches for a number to buy: found, empty or failed.', (
            select jsonb_agg(public.sample(jsonb_build_object('outcome', k.outcome),
                       coalesce((select t.n from public.timings t where (t.kind, t.name, t.outcome) = ('provisioning', 'search', k.outcome)), 0)))
              from unnest(array['found', 'empty', 'failed']) k(outcome))),
        public.metric('provisioning_open', 'gauge', 'Changes of subscriptions that are to bring a number and have not yet.', (
            select jsonb_build_array(public.sample('{}', count(*))) from public.phone_provision_logs l
             where l.status in ('pending', 'working') and l.trigger_action in ('insert', 'update'))),
        public.metric('provisioning_oldest_seconds', 'gauge', 'How long the oldest of these has been waiting.', (
            select jsonb_build_array(public.sample('{}', coalesce(round(extract(epoch from clock_timestamp() - min(coalesce(l.began_at, l.created_at))), 3), 0)))
              from public.phone_provision_logs l where l.status in ('pending', 'working') and l.trigger_action in ('insert', 'update'))),
        public.metric('number_differences', 'gauge', 'Where our numbers and those at Twilio and Vapi do not agree, by kind; 0 is what it should be.', (
            select jsonb_agg(public.sample(jsonb_build_object('kind', g.kind), g.n) order by g.kind)
              from (select coalesce(k.kind, d.kind) as kind, count(d.id) as n
                      from unnest(array['orphan', 'stranger', 'lost', 'drift', 'double']) k(kind)
                      full join (select x.id, x.kind from public.number_differences x where x.resolved_at is null) d on d.kind = k.kind
                     group by 1) g)));
end
$$;
