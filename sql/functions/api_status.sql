-- api_status.sql - what /readyz and /metrics tell.  Counts only; nothing of any tenant's content.

create or replace function public.metric(p_name text, p_type text, p_help text, p_samples jsonb) returns jsonb
    language sql immutable set search_path = '' as $$
    select jsonb_build_object('name', 'hookswitch_' || p_name, 'type', p_type, 'help', p_help, 'samples', coalesce(p_samples, '[]'))
$$;

create or replace function public.sample(p_labels jsonb, p_value numeric) returns jsonb
    language sql immutable set search_path = '' as $$
    select jsonb_build_object('labels', p_labels, 'value', p_value)
$$;

create or replace function api.metrics() returns jsonb
    language sql stable set search_path = '' as $$
    select jsonb_build_array(
        public.metric('queue_depth', 'gauge', 'Queued calls by whether they are due.', (
            select jsonb_agg(public.sample(jsonb_build_object('state', s.state), s.n)) from (
                select 'ready' as state, count(*) as n from public.call_queue where status = 'queued' and ready
                union all select 'future', count(*) from public.call_queue where status = 'queued' and not ready) s)),
        public.metric('queue_age_seconds', 'gauge', 'Age of the oldest call that is due and waits.', (
            select jsonb_build_array(public.sample('{}', coalesce(round(extract(epoch from clock_timestamp() - min(due_at)), 3), 0)))
              from public.call_queue where status = 'queued' and ready)),
        public.metric('assignments_live', 'gauge', 'Live attempts by state and provider.', (
            select jsonb_agg(public.sample(jsonb_build_object('state', s.state, 'provider', s.name), s.n)) from (
                select a.state, coalesce(p.name, '') as name, count(*) as n from public.call_assignments a
                  left join public.call_service_providers p on p.id = a.provider_id
                 where a.state in ('leased', 'sent', 'accepted', 'unknown') group by 1, 2) s)),
        public.metric('dials_total', 'counter', 'Dials by kind of provider and outcome.', (
            select jsonb_agg(public.sample(jsonb_build_object('provider', split_part(c.type, ':', 2), 'outcome', split_part(c.type, ':', 3)), c.seen))
              from public.webhook_counts c where c.provider = 'pump' and c.type like 'dial:%')),
        public.metric('webhooks_total', 'counter', 'Webhook events by provider and what became of them.', (
            select jsonb_agg(public.sample(jsonb_build_object('provider', c.provider, 'state', split_part(c.type, ':', 2)), c.seen))
              from public.webhook_counts c where c.provider not in ('pump', 'work', 'billing') and c.type like 'state:%')),
        public.metric('webhooks_counted_total', 'counter', 'Webhook events that are counted and not kept, by provider and type.', (
            select jsonb_agg(public.sample(jsonb_build_object('provider', c.provider, 'type', c.type), c.seen))
              from public.webhook_counts c where c.provider not in ('pump', 'work', 'billing') and c.type not like 'state:%')),
        public.metric('webhooks_pending', 'gauge', 'Kept events that wait for their call or whose effect failed.', (
            select jsonb_agg(public.sample(jsonb_build_object('state', s.state), s.n)) from (
                select e.state, count(*) as n from public.webhook_events e where e.state in ('waiting', 'failed') group by 1) s)),
        public.metric('end_reasons_unlisted_total', 'counter', 'End reasons that are in no list.', (
            select jsonb_agg(public.sample(jsonb_build_object('provider', u.provider_type, 'reason', u.reason), u.seen)) from public.end_reasons_unlisted u)),
        public.metric('provider_cooling', 'gauge', '1 while a provider rests after refusals.', (
            select jsonb_agg(public.sample(jsonb_build_object('provider', p.name), case when p.cooling_until > clock_timestamp() then 1 else 0 end))
              from public.call_service_providers p where p.is_active)),
        public.metric('pump_total', 'counter', 'Turns of the pump, calls that they claimed, look-ups that they made.', (
            select jsonb_agg(public.sample(jsonb_build_object('what', c.type), c.seen))
              from public.webhook_counts c where c.provider = 'pump' and c.type not like 'dial:%')))
        || public.work_metrics() || public.billing_metrics() || public.timing_metrics() || public.number_metrics()
$$;

create or replace function api.schema_version() returns jsonb
    language sql stable security definer set search_path = '' as $$
    select jsonb_build_object('migrations', coalesce(jsonb_agg(m.name order by m.name), '[]')) from hookswitch.migrations m
$$;
