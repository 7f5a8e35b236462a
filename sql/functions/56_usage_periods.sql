-- 56_usage_periods.sql - summaries of periods and days: which period a moment belongs to, closing one, and making them anew.
--
-- The periods of an organization never overlap.  Where another subscription begins within one, that one ends there.

-- The summary that holds p_at, made where there is none.  The caller holds the lock "usage".
create or replace function public.usage_period_for(p_organization uuid, p_at timestamptz) returns public.usage_periods
    language plpgsql security definer set search_path = '' as $$
declare
    r public.usage_periods;
    n record;
    v_start timestamptz;
begin
    select * into r from public.usage_periods x where x.organization_id = p_organization and x.period_start <= p_at and x.period_end > p_at;
    if r.state = 'final' then
        return r;
    end if;
    select x.subscription_id, x.plan_id, x.period_start, x.period_end, s.origin, s.created_at, p."interval" into n
      from public.plan_of(p_organization, clock_timestamp()) x
      left join public.subscriptions s on s.id = x.subscription_id
      left join public.subscription_plans p on p.id = x.plan_id;
    if p_at < n.period_start or p_at >= n.period_end then
        -- Not of today: as it was written then, else by the months of today's.
        if r.organization_id is null then
            select b.period_start, b.period_end into n.period_start, n.period_end from public.period_at(n.period_start, n."interval", p_at) b;
            r := public.usage_period_make(p_organization, p_at, n.period_start, n.period_end, n.subscription_id, n.plan_id);
        end if;
        return r;
    end if;
    -- One by hand has counted since its anchor: it begins where it came, behind what another had.
    v_start := case when n.origin is distinct from 'manual' or r.organization_id is null or r.subscription_id = n.subscription_id then n.period_start
                    else greatest(n.period_start, n.created_at) end;
    if r.organization_id is not null and v_start > p_at then
        return r;
    elsif r.period_start < v_start then
        perform public.usage_period_cut(r, v_start);
    elsif r.organization_id is not null then
        update public.usage_periods x
           set subscription_id = n.subscription_id, plan_id = n.plan_id,
               period_end = case when x.period_start = n.period_start then least(n.period_end, (
                   select min(y.period_start) from public.usage_periods y where y.organization_id = p_organization and y.period_start > x.period_start))
                                 else x.period_end end
         where x.organization_id = p_organization and x.period_start = r.period_start
        returning x.* into r;
        return r;
    end if;
    return public.usage_period_make(p_organization, p_at, v_start, n.period_end, n.subscription_id, n.plan_id);
end
$$;

-- A summary of p_start to p_end as far as its neighbours leave room; p_at is in none.
create or replace function public.usage_period_make(p_organization uuid, p_at timestamptz, p_start timestamptz, p_end timestamptz,
                                                    p_subscription uuid, p_plan uuid) returns public.usage_periods
    language plpgsql security definer set search_path = '' as $$
declare
    r public.usage_periods;
begin
    insert into public.usage_periods (organization_id, period_start, period_end, subscription_id, plan_id)
    select p_organization, greatest(p_start, max(x.period_end) filter (where x.period_end <= p_at)),
           least(p_end, min(x.period_start) filter (where x.period_start > p_at)), p_subscription, p_plan
      from public.usage_periods x where x.organization_id = p_organization
    returning * into r;
    perform public.usage_period_sum(r);
    select * into r from public.usage_periods x where x.organization_id = p_organization and x.period_start = r.period_start;
    return r;
end
$$;

create or replace function public.usage_period_cut(p public.usage_periods, p_at timestamptz) returns void
    language plpgsql security definer set search_path = '' as $$
begin
    update public.usage_periods x set period_end = p_at where x.organization_id = p.organization_id and x.period_start = p.period_start
    returning x.* into p;
    perform public.usage_period_sum(p);
end
$$;

-- A summary anew, from what of the ledger is counted.  True: it was not what it should have been.
create or replace function public.usage_period_sum(p public.usage_periods) returns boolean
    language plpgsql security definer set search_path = '' as $$
begin
    update public.usage_periods x
       set calls = t.calls, seconds = t.seconds, billable_seconds = t.billable, overage_seconds = t.overage
      from (select coalesce(sum(u.counted) filter (where u.kind = 'calls'), 0) as calls, coalesce(sum(u.summed) filter (where u.kind = 'seconds'), 0) as seconds,
                   coalesce(sum(u.counted) filter (where u.kind = 'seconds'), 0) as billable, coalesce(sum(u.overage), 0) as overage
              from public.usage_entries u
             where u.organization_id = p.organization_id and u.billed_at >= p.period_start and u.billed_at < p.period_end) t
     where x.organization_id = p.organization_id and x.period_start = p.period_start
       and (x.calls, x.seconds, x.billable_seconds, x.overage_seconds) is distinct from (t.calls, t.seconds, t.billable, t.overage);
    return found;
end
$$;

create or replace function public.usage_day_sum(p_organization uuid, p_date date) returns boolean
    language plpgsql security definer set search_path = '' as $$
begin
    insert into public.usage_days as d (organization_id, date, calls, seconds, billable_seconds, overage_seconds)
    select p_organization, p_date, coalesce(sum(u.counted) filter (where u.kind = 'calls'), 0), coalesce(sum(u.summed) filter (where u.kind = 'seconds'), 0),
           coalesce(sum(u.counted) filter (where u.kind = 'seconds'), 0), coalesce(sum(u.overage), 0)
      from public.usage_entries u
     where u.organization_id = p_organization and u.occurred_at >= p_date::timestamp at time zone 'UTC'
       and u.occurred_at < (p_date + 1)::timestamp at time zone 'UTC'
    having count(*) > 0 or exists (select from public.usage_days x where x.organization_id = p_organization and x.date = p_date)
    on conflict (organization_id, date) do update
       set calls = excluded.calls, seconds = excluded.seconds, billable_seconds = excluded.billable_seconds, overage_seconds = excluded.overage_seconds
     where (d.calls, d.seconds, d.billable_seconds, d.overage_seconds)
        is distinct from (excluded.calls, excluded.seconds, excluded.billable_seconds, excluded.overage_seconds);
    return found;
end
$$;

-- One period's summary and its days, anew.
create or replace function public.usage_rebuild(p_organization uuid, p_start timestamptz) returns void
    language plpgsql security definer set search_path = '' as $$
declare
    p public.usage_periods;
begin
    perform pg_advisory_xact_lock(public.usage_lock_key('usage', p_organization));
    for p in select * from public.usage_periods x where x.organization_id = p_organization and x.period_start = p_start loop
        perform public.usage_period_sum(p);
        perform public.usage_day_sum(p_organization, g::date)
           from generate_series(date_trunc('day', p.period_start at time zone 'UTC'), least(p.period_end, now()) at time zone 'UTC', interval '1 day') g;
    end loop;
end
$$;

-- From here on what is learnt of the time before p_until belongs to the time behind it.  Answers what the period that ends there holds;
-- closing it again answers the same.  Waits for calls that are just ending.  The organization's row is locked first, as a deletion does.
create or replace function public.usage_close(p_organization uuid, p_until timestamptz) returns jsonb
    language plpgsql security definer set search_path = '' as $$
declare
    p public.usage_periods;
begin
    perform from public.organizations o where o.id = p_organization for key share;
    if not found then
        return null;
    end if;
    perform pg_advisory_xact_lock(public.usage_lock_key('billing', p_organization));
    perform pg_advisory_xact_lock(public.usage_lock_key('usage', p_organization));
    while public.usage_count_some(p_organization, 1000) > 0 loop
    end loop;
    p := public.usage_period_for(p_organization, p_until - interval '1 microsecond');
    if p.period_end > p_until then
        perform public.usage_period_cut(p, p_until);
    end if;
    update public.usage_periods x set state = 'final', final_at = clock_timestamp()
     where x.organization_id = p_organization and x.period_end <= p_until and x.state = 'open';
    insert into public.billing_accounts as b (organization_id, invoiced_until) values (p_organization, p_until)
    on conflict (organization_id) do update set invoiced_until = greatest(b.invoiced_until, excluded.invoiced_until);
    return (select jsonb_build_object('period_start', x.period_start, 'period_end', x.period_end, 'plan_id', x.plan_id, 'calls', x.calls,
                                      'seconds', x.seconds, 'billable_seconds', x.billable_seconds, 'overage_seconds', x.overage_seconds)
              from public.usage_periods x where x.organization_id = p_organization and x.period_start = p.period_start);
end
$$;
