-- api_calls_stats.sql - /api/v1/calls/stats and /analytics: calls in numbers.

-- Without times: of the last 30 days, and those of this very moment too.
create or replace function api.call_stats(p_from timestamptz default null, p_to timestamptz default null) returns jsonb
    language plpgsql stable set search_path = '' as $$
declare
    v_from timestamptz := coalesce(p_from, now() - interval '30 days');
begin
    return (select jsonb_build_object('from', public.time_view(v_from), 'to', public.time_view(coalesce(p_to, now())),
                                      'ended_reasons', coalesce(jsonb_object_agg(g.key, g.total) filter (where g.key is not null and g.place <= 50), '{}'))
                   || ((jsonb_agg(g.numbers) filter (where g.whole)) -> 0) - '{answered,answer_rate,feedback_count,feedback_average}'::text[]
              from (select x.*, row_number() over (order by x.whole or x.key is null, x.total desc) as place
                      from public.calls_grouped(v_from, coalesce(p_to, now() + interval '1 minute'), 'outcome', 'UTC') x) g);
end
$$;

-- Days and hours are where the asker says that he is.  A group without calls is not there.
create or replace function api.call_analytics(
    p_from timestamptz default null, p_to timestamptz default null, p_group_by text default 'day', p_timezone text default 'UTC') returns jsonb
    language plpgsql stable set search_path = '' as $$
declare
    v_from timestamptz := coalesce(p_from, now() - interval '30 days');
begin
    perform public.zone_needed(p_timezone);
    return (select jsonb_build_object('from', public.time_view(v_from), 'to', public.time_view(coalesce(p_to, now())),
                                      'group_by', p_group_by, 'timezone', p_timezone, 'total', (jsonb_agg(g.numbers) filter (where g.whole)) -> 0,
                                      'groups', coalesce(jsonb_agg(jsonb_build_object('key', g.key) || g.numbers
                                                                   order by case when p_group_by in ('day', 'hour') then g.key end, g.total desc, g.key)
                                                           filter (where not g.whole), '[]'))
              from public.calls_grouped(v_from, coalesce(p_to, now() + interval '1 minute'), p_group_by, p_timezone) g);
end
$$;
