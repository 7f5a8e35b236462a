-- 89_timings.sql - how often and how long: programs and engines write it down here, /metrics reads it.

-- Upper ends of the buckets in seconds; common/base/timing.c counts by the same.
create or replace function public.timing_bounds() returns double precision[]
    language sql immutable set search_path = '' as $$
    select '{0.005,0.01,0.025,0.05,0.1,0.25,0.5,1,2.5,5,10,30,60}'::double precision[]
$$;

-- The buckets of one that took so long.
create or replace function public.timing_buckets(p_seconds double precision) returns bigint[]
    language sql immutable set search_path = '' as $$
    select array(select (i = 1 + (select count(*) from unnest(public.timing_bounds()) b where b < p_seconds))::integer::bigint
                   from generate_series(1, 1 + cardinality(public.timing_bounds())) i)
$$;

-- The buckets of nothing at all.
create or replace function public.timing_none() returns bigint[]
    language sql immutable set search_path = '' as $$
    select array_fill(0::bigint, array[1 + cardinality(public.timing_bounds())])
$$;

-- Adds what a process has gathered: [{"kind","name","outcome","n","seconds","buckets"}].  In the order of their keys, so that two that add at
-- once do not wait for each other in a ring.  What would be one too many is not kept: names and codes are few unless something is wrong.
create or replace function public.timings_add(p_rows jsonb) returns void
    language sql security definer set search_path = '' as $$
    with r as (
        select x.kind, x.name, coalesce(x.outcome, '') as outcome, x.n, x.seconds, x.buckets
          from jsonb_to_recordset(p_rows) x(kind text, name text, outcome text, n bigint, seconds double precision, buckets bigint[])
         where x.kind in ('step', 'provider', 'request', 'query', 'database', 'timeout', 'provisioning') and x.name is not null
           and x.n > 0 and x.seconds >= 0),
    sums as (select r.kind, r.name, r.outcome, sum(r.n) as n, sum(r.seconds) as seconds from r group by 1, 2, 3),
    ends as (
        select g.kind, g.name, g.outcome, array_agg(g.n order by g.i) as buckets
          from (select r.kind, r.name, r.outcome, u.i, sum(u.b)::bigint as n from r, unnest(r.buckets) with ordinality u(b, i) group by 1, 2, 3, 4) g
         group by 1, 2, 3)
    insert into public.timings as t (kind, name, outcome, n, seconds, buckets)
    select s.kind, s.name, s.outcome, s.n, s.seconds, coalesce(e.buckets, '{}')
      from sums s left join ends e on (e.kind, e.name, e.outcome) = (s.kind, s.name, s.outcome)
     where exists (select from public.timings x where (x.kind, x.name, x.outcome) = (s.kind, s.name, s.outcome))
        or (select count(*) from public.timings) < 5000
     order by s.kind collate "C", s.name collate "C", s.outcome collate "C"
    on conflict (kind, name, outcome) do update
       set n = t.n + excluded.n, seconds = t.seconds + excluded.seconds,
           buckets = array(select coalesce(u.a, 0) + coalesce(u.b, 0) from unnest(t.buckets, excluded.buckets) with ordinality u(a, b, i) order by u.i)
$$;

-- Counts what became of the numbers that plans bring, and of searches, once each; how many.  In a table of its own sums, since lines of the
-- log go with their organization and a counter must not fall.
create or replace function public.provisioning_count(p_limit integer) returns integer
    language plpgsql security definer set search_path = '' as $$
declare
    v_rows jsonb;
begin
    with x as (
        select l.id from public.phone_provision_logs l
         where not l.counted and l.trigger_action in ('insert', 'update', 'search') and l.status in ('completed', 'skipped', 'failed', 'noted')
         order by l.created_at limit p_limit for update skip locked),
    u as (update public.phone_provision_logs l set counted = true from x where l.id = x.id
          returning l.trigger_action, l.status, l.reason, coalesce((l.detail ->> 'found')::integer, 0) as found, coalesce(l.duration_ms, 0) / 1000.0 as seconds)
    select jsonb_agg(jsonb_build_object('kind', 'provisioning', 'n', 1, 'seconds', u.seconds, 'buckets', to_jsonb(public.timing_buckets(u.seconds)),
               'name', case when u.trigger_action = 'search' then 'search' else 'number' end,
               'outcome', case when u.trigger_action <> 'search' then u.status
                               when u.found > 0 then 'found' when u.reason is null then 'empty' else 'failed' end))
      into v_rows from u;
    perform public.timings_add(coalesce(v_rows, '[]'));
    return coalesce(jsonb_array_length(v_rows), 0);
end
$$;

-- ---- metrics -----------------------------------------------------------------

create or replace function public.metric_histogram(p_name text, p_help text, p_samples jsonb) returns jsonb
    language sql immutable set search_path = '' as $$
    select public.metric(p_name, 'histogram', p_help, p_samples) || jsonb_build_object('bounds', to_jsonb(public.timing_bounds()))
$$;

-- One sample of a histogram: how many took at most as long as each bound says, and all of them.
create or replace function public.sample_histogram(p_labels jsonb, p_seconds double precision, p_buckets bigint[]) returns jsonb
    language sql immutable set search_path = '' as $$
    with c as (select u.i, sum(coalesce(u.n, 0)) over (order by u.i) as upto
                 from unnest(p_buckets) with ordinality u(n, i) where u.i <= 1 + cardinality(public.timing_bounds()))
    select jsonb_build_object('labels', p_labels, 'sum', round(p_seconds::numeric, 6), 'count', coalesce(max(c.upto), 0),
                              'buckets', coalesce(jsonb_agg(c.upto order by c.i) filter (where c.i <= cardinality(public.timing_bounds())), '[]'))
      from c
$$;

-- What a row is called by its labels.
create or replace function public.timing_labels(p_kind text, p_name text) returns jsonb
    language sql immutable set search_path = '' as $$
    select case p_kind
        when 'step' then jsonb_build_object('workflow', split_part(p_name, '.', 1), 'step', substr(p_name, strpos(p_name, '.') + 1))
        when 'provider' then jsonb_build_object('system', split_part(p_name, '.', 1), 'operation', substr(p_name, strpos(p_name, '.') + 1))
        when 'request' then jsonb_build_object('method', split_part(p_name, ' ', 1), 'route', substr(p_name, strpos(p_name, ' ') + 1))
        when 'query' then jsonb_build_object('query', p_name)
        else '{}' end
$$;

-- Histograms of one kind, whatever came of it.
create or replace function public.timing_histograms(p_kind text) returns jsonb
    language sql stable set search_path = '' as $$
    select jsonb_agg(public.sample_histogram(public.timing_labels(p_kind, g.name), g.seconds, g.buckets) order by g.name)
      from (select t.name, sum(t.seconds) over w as seconds,
                   array(select sum(u.n)::bigint from public.timings x, unnest(x.buckets) with ordinality u(n, i)
                          where (x.kind, x.name) = (p_kind, t.name) group by u.i order by u.i) as buckets,
                   row_number() over w as first
              from public.timings t where t.kind = p_kind window w as (partition by t.name)) g
     where g.first = 1
$$;

-- How many of one kind by what came of them, under that label.
create or replace function public.timing_counts(p_kind text, p_label text) returns jsonb
    language sql stable set search_path = '' as $$
    select jsonb_agg(public.sample(public.timing_labels(p_kind, t.name) || jsonb_build_object(p_label, t.outcome), t.n) order by t.name, t.outcome)
      from public.timings t where t.kind = p_kind
$$;

-- The figures of programs, engines and whom they ask, in the form of api.metrics.
create or replace function public.timing_metrics() returns jsonb
    language plpgsql stable security definer set search_path = '' as $$
begin
    return jsonb_build_array(
        public.metric_histogram('step_seconds', 'How long steps of workflows that ask somebody outside took.', public.timing_histograms('step')),
        public.metric('step_outcomes_total', 'counter', 'Steps of workflows that asked somebody outside, by what came of them.',
                      public.timing_counts('step', 'outcome')),
        public.metric_histogram('provider_seconds', 'How long other systems took to answer, by system and operation.',
                                public.timing_histograms('provider')),
        public.metric('provider_requests_total', 'counter', 'Requests to other systems by what they answered: ok, absent, or a code.',
                      public.timing_counts('provider', 'code')),
        public.metric_histogram('request_seconds', 'How long programs took to answer, by route.', public.timing_histograms('request')),
        public.metric('requests_total', 'counter', 'Requests to programs by route and class of status.', public.timing_counts('request', 'status')),
        public.metric_histogram('query_seconds', 'How long trips to the database took, by the last statement of each.', public.timing_histograms('query')),
        public.metric('query_outcomes_total', 'counter', 'Trips to the database by what came of them.', (
            select jsonb_agg(public.sample(jsonb_build_object('outcome', g.outcome), g.n) order by g.outcome)
              from (select t.outcome, sum(t.n) as n from public.timings t where t.kind = 'query' group by 1) g)),
        public.metric('database_connect_failures_total', 'counter', 'Times that a program could not connect to the database.', (
            select jsonb_build_array(public.sample('{}', coalesce(sum(t.n), 0))) from public.timings t where t.kind = 'database' and t.name = 'connect')),
        public.metric('timeouts_total', 'counter', 'Times that something took too long: request, database, pool.', (
            select jsonb_agg(public.sample(jsonb_build_object('what', k.what),
                       (select coalesce(sum(t.n), 0) from public.timings t where t.kind = 'timeout' and t.name = k.what)) order by k.what)
              from unnest(array['request', 'database', 'pool']) k(what))));
end
$$;
