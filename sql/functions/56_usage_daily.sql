-- 56_usage_daily.sql - the workflow "usage-aggregation" (common/work/flow_usage.c): each night the summaries of the day before are compared
-- with the ledger.

-- One organization's day: counted, compared, made right.  Answers how many summaries were wrong.
create or replace function public.usage_check_of(p_organization uuid, p_date date) returns integer
    language plpgsql security definer set search_path = '' as $$
declare
    v_start timestamptz := p_date::timestamp at time zone 'UTC';
    v_wrong integer;
    p public.usage_periods;
begin
    perform from public.organizations o where o.id = p_organization for key share;
    if not found then
        return 0;
    end if;
    perform pg_advisory_xact_lock(public.usage_lock_key('usage', p_organization));
    while public.usage_count_some(p_organization, 1000) > 0 loop
    end loop;
    v_wrong := public.usage_day_sum(p_organization, p_date)::integer;
    for p in select * from public.usage_periods x
              where x.organization_id = p_organization and x.period_start < v_start + interval '1 day' and x.period_end > v_start loop
        v_wrong := v_wrong + public.usage_period_sum(p)::integer;
    end loop;
    update public.usage_days d set checked_at = clock_timestamp() where d.organization_id = p_organization and d.date = p_date;
    perform public.usage_alerts_check(p_organization);
    if v_wrong > 0 then
        perform public.webhook_count('work', 'usage_mended', v_wrong);
    end if;
    return v_wrong;
end
$$;

-- Organizations behind p_after that used something on that day, or should have: {"organizations", "wrong", "after": where to go on}.
create or replace function public.usage_check_some(p_date date, p_after uuid, p_limit integer) returns jsonb
    language plpgsql security definer set search_path = '' as $$
declare
    v_start timestamptz := p_date::timestamp at time zone 'UTC';
    v_seen integer := 0;
    v_checked integer := 0;
    v_wrong integer := 0;
    o uuid;
begin
    for o in select x.id from public.organizations x where x.id > p_after order by x.id limit p_limit loop
        v_seen := v_seen + 1;
        p_after := o;
        if exists (select from public.usage_entries u where u.organization_id = o and u.occurred_at >= v_start and u.occurred_at < v_start + interval '1 day')
           or exists (select from public.usage_entries u where u.organization_id = o and (u.counted <> u.billable or u.summed <> u.quantity))
           or exists (select from public.usage_days d where d.organization_id = o and d.date = p_date) then
            v_checked := v_checked + 1;
            v_wrong := v_wrong + public.usage_check_of(o, p_date);
        end if;
    end loop;
    return jsonb_build_object('organizations', v_checked, 'wrong', v_wrong, 'after', case when v_seen = p_limit then p_after end);
end
$$;

-- All of a day at once, for an operator.
create or replace function public.usage_check(p_date date) returns jsonb
    language sql security definer set search_path = '' as $$
    select public.usage_check_some(p_date, '00000000-0000-0000-0000-000000000000', 2147483647) - 'after'
$$;

-- The step: some organizations, again and again.  The day is that before the slot's, whenever the step runs.
create or replace function public.usage_aggregate(p_run jsonb) returns jsonb
    language plpgsql security definer set search_path = '' as $$
declare
    v_input jsonb := p_run -> 'input';
    v_date date := coalesce((v_input ->> 'date')::date, ((v_input ->> 'slot')::timestamptz at time zone 'UTC')::date - 1);
    v_done jsonb := public.usage_check_some(v_date, coalesce((v_input ->> 'after')::uuid, '00000000-0000-0000-0000-000000000000'), 200);
    v_sum jsonb;
begin
    v_sum := jsonb_build_object('organizations', coalesce((v_input ->> 'organizations')::bigint, 0) + (v_done ->> 'organizations')::bigint,
                                'wrong', coalesce((v_input ->> 'wrong')::bigint, 0) + (v_done ->> 'wrong')::bigint);
    if v_done -> 'after' <> 'null' then
        return jsonb_build_object('again', v_input || v_sum || jsonb_build_object('date', v_date, 'after', v_done -> 'after'));
    end if;
    return jsonb_build_object('result', v_sum || jsonb_build_object('date', v_date));
end
$$;
