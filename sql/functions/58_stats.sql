-- 58_stats.sql - an organization's calls in numbers: read once, whatever they are grouped by.

-- The calls that were made between two times, counted in groups that are as small as any answer needs: by status, and by p_group a template, an
-- end reason, a direction or a quarter of an hour (no clock on earth is off UTC by less).  What people thought of them comes in rows of its own.
-- As whoever asks: row security is the asker's.  The plan is for these times alone and may use all of the machine.
create or replace function public.calls_counted(p_organization uuid, p_from timestamptz, p_to timestamptz, p_group text)
    returns table (at timestamptz, other text, status text, calls bigint, dialled bigint, answered bigint, attempts bigint, seconds bigint,
                   seconds_completed bigint, timed bigint, cost numeric, judged bigint, stars bigint)
    language plpgsql stable set search_path = '' set plan_cache_mode = force_custom_plan set enable_seqscan = on as $$
begin
    return query
    select g.at, coalesce(g.template_id::text, g.reason, g.direction), g.status, g.calls, g.dialled, g.answered, g.attempts, g.seconds,
           g.seconds_completed, g.timed, g.cost, 0::bigint, 0::bigint
      from (select case when p_group in ('day', 'hour') then date_bin('15 minutes', c.created_at, timestamptz 'epoch') end as at,
                   case when p_group = 'template' then c.template_id end as template_id,
                   case when p_group = 'outcome' and c.finished_at is not null then coalesce(c.ended_reason, 'unknown') end as reason,
                   case when p_group = 'direction' then c.direction end as direction,
                   c.status, count(*) as calls,
                   count(*) filter (where c.finished_at is not null and (c.attempts > 0 or c.direction = 'inbound')) as dialled,
                   count(*) filter (where c.finished_at is not null and c.started_at is not null) as answered,
                   sum(c.attempts) as attempts, sum(c.duration_seconds) as seconds,
                   sum(c.duration_seconds) filter (where c.status = 'completed') as seconds_completed,
                   count(c.duration_seconds) filter (where c.status = 'completed') as timed, sum(c.total_cost_cents) as cost
              from public.calls c
             where c.organization_id = p_organization and c.created_at >= p_from and c.created_at < p_to
             group by 1, 2, 3, 4, 5) g;
    return query
    select case when p_group in ('day', 'hour') then date_bin('15 minutes', c.created_at, timestamptz 'epoch') end,
           case p_group when 'template' then c.template_id::text
                        when 'outcome' then case when c.finished_at is not null then coalesce(c.ended_reason, 'unknown') end
                        when 'direction' then c.direction end,
           c.status, 0::bigint, 0::bigint, 0::bigint, 0::bigint, 0::bigint, 0::bigint, 0::bigint, 0::numeric, count(f.rating), sum(f.rating)
      from public.call_feedback f
      join public.calls c on c.id = f.call_id and c.created_at = f.call_created_at
     where f.organization_id = p_organization and f.call_created_at >= p_from and f.call_created_at < p_to
     group by 1, 2, 3;
end
$$;

-- What a group is called: a day, an hour of the day where the asker is, a status, or what it was counted by.
create or replace function public.calls_group(p_group text, p_zone text, p_at timestamptz, p_status text, p_other text) returns text
    language plpgsql stable set search_path = '' as $$
begin
    return case p_group when 'day' then to_char(p_at at time zone p_zone, 'YYYY-MM-DD')
                        when 'hour' then to_char(p_at at time zone p_zone, 'HH24')
                        when 'status' then p_status
                        else p_other end;
end
$$;

-- The numbers of each group, and of all of them together (whole).
create or replace function public.calls_grouped(p_from timestamptz, p_to timestamptz, p_group text, p_zone text)
    returns table (whole boolean, key text, total numeric, numbers jsonb)
    language plpgsql stable set search_path = '' as $$
begin
    return query
    select grouping(k.key) = 1, k.key, coalesce(sum(k.calls), 0), jsonb_build_object(
        'total', coalesce(sum(k.calls), 0), 'completed', coalesce(sum(k.calls) filter (where k.status = 'completed'), 0),
        'failed', coalesce(sum(k.calls) filter (where k.status = 'failed'), 0),
        'canceled', coalesce(sum(k.calls) filter (where k.status = 'canceled'), 0),
        'expired', coalesce(sum(k.calls) filter (where k.status = 'expired'), 0),
        'queued', coalesce(sum(k.calls) filter (where k.status = 'queued'), 0),
        'in_progress', coalesce(sum(k.calls) filter (where k.status = 'in-progress'), 0),
        'attempts', coalesce(sum(k.attempts), 0), 'duration_seconds', coalesce(sum(k.seconds), 0),
        'average_duration_seconds', round(sum(k.seconds_completed) / nullif(sum(k.timed), 0), 1), 'cost_cents', coalesce(sum(k.cost), 0),
        'answered', coalesce(sum(k.answered), 0), 'answer_rate', round(sum(k.answered) / nullif(sum(k.dialled), 0), 4),
        'feedback_count', coalesce(sum(k.judged), 0), 'feedback_average', round(sum(k.stars) / nullif(sum(k.judged), 0), 2))
      from (select public.calls_group(p_group, p_zone, n.at, n.status, n.other) as key, n.*
              from public.calls_counted(public.current_organization_id(), p_from, p_to, p_group) n) k
     group by grouping sets ((), (k.key));
end
$$;

-- A time zone by the name of a place, such as America/New_York, or UTC; refused where there is none of that name.
create or replace function public.zone_needed(p_zone text) returns void
    language plpgsql stable set search_path = '' as $$
begin
    if p_zone !~ '^[A-Za-z_]+(/[A-Za-z0-9_+-]+)*$' then
        raise exception using errcode = 'invalid_parameter_value';
    end if;
    perform now() at time zone p_zone;
exception when invalid_parameter_value then
    perform public.refuse_field('timezone_unknown', 'timezone', 'A time zone such as America/New_York.');
end
$$;
