-- 56_usage_count.sql - what the ledger has not told its summaries yet is added to them, and what lies beyond a plan is told to be billed.
--
-- In the background, one organization at a time.  Nobody waits for it: who needs exact sums adds the rest himself (usage_sums).

-- Adds up to p_limit rows of the ledger; answers how many.
create or replace function public.usage_fold(p_limit integer) returns integer
    language plpgsql security definer set search_path = '' as $$
declare
    v_organization uuid := '00000000-0000-0000-0000-000000000000';
    v_n integer := 0;
begin
    perform set_config('synchronous_commit', 'off', true);
    while v_n < p_limit loop
        select u.organization_id into v_organization from public.usage_entries u
         where (u.counted <> u.billable or u.summed <> u.quantity) and u.organization_id > v_organization
         order by u.organization_id limit 1;
        exit when not found;
        continue when not pg_try_advisory_xact_lock(public.usage_lock_key('usage', v_organization));
        perform from public.organizations o where o.id = v_organization for key share skip locked;
        continue when not found;
        begin
            v_n := v_n + public.usage_count_some(v_organization, p_limit - v_n);
        exception when others then -- one that cannot be counted keeps nobody else up; its summaries are mended from the ledger
            raise warning 'usage of % was not counted: %', v_organization, sqlerrm;
            perform public.webhook_count('work', 'usage_failed', 1);
        end;
    end loop;
    return v_n;
end
$$;

-- Some of one organization, oldest first.  The caller holds the lock "usage" and its row.
create or replace function public.usage_count_some(p_organization uuid, p_limit integer) returns integer
    language plpgsql security definer set search_path = '' as $$
declare
    v_ids uuid[];
    v_n integer;
    v_at timestamptz;
    p public.usage_periods;
begin
    v_ids := array(
        select u.id from public.usage_entries u
         where u.organization_id = p_organization and (u.counted <> u.billable or u.summed <> u.quantity)
         order by u.billed_at, u.id limit p_limit for update skip locked);
    v_n := cardinality(v_ids);
    while cardinality(v_ids) > 0 loop
        select min(u.billed_at) into v_at from public.usage_entries u where u.id = any (v_ids);
        p := public.usage_period_for(p_organization, v_at);
        if v_at < p.period_start or v_at >= p.period_end then
            raise exception 'the period from % does not hold %', p.period_start, v_at;
        end if;
        perform public.usage_count_in(p, array(select u.id from public.usage_entries u
                                                where u.id = any (v_ids) and u.billed_at >= p.period_start and u.billed_at < p.period_end));
        v_ids := array(select u.id from public.usage_entries u where u.id = any (v_ids) and u.billed_at >= p.period_end);
    end loop;
    if v_n > 0 then
        perform public.usage_alerts_check(p_organization);
    end if;
    return v_n;
end
$$;

-- These rows of one period.  So much of it lies beyond the plan as is used of it more than it includes, whoever's call that was last.
create or replace function public.usage_count_in(p public.usage_periods, p_ids uuid[]) returns void
    language plpgsql security definer set search_path = '' as $$
declare
    v_included bigint;
    v_before bigint;
    v_calls bigint;
    v_seconds bigint;
    v_billable bigint;
begin
    select i.included, i.used into v_included, v_before from public.usage_included(p) i;
    with o as (
        select u.id, u.kind, u.billable - u.counted as more, u.quantity - u.summed as more_seconds from public.usage_entries u where u.id = any (p_ids)),
    w as (
        update public.usage_entries u set counted = u.billable, summed = u.quantity from o where u.id = o.id
        returning u.occurred_at, o.kind, o.more, o.more_seconds),
    d as (
        insert into public.usage_days as d (organization_id, date, calls, seconds, billable_seconds)
        select p.organization_id, (w.occurred_at at time zone 'UTC')::date, coalesce(sum(w.more) filter (where w.kind = 'calls'), 0),
               coalesce(sum(w.more_seconds) filter (where w.kind = 'seconds'), 0), coalesce(sum(w.more) filter (where w.kind = 'seconds'), 0)
          from w group by 2
        on conflict (organization_id, date) do update
           set calls = d.calls + excluded.calls, seconds = d.seconds + excluded.seconds, billable_seconds = d.billable_seconds + excluded.billable_seconds)
    select coalesce(sum(w.more) filter (where w.kind = 'calls'), 0), coalesce(sum(w.more_seconds) filter (where w.kind = 'seconds'), 0),
           coalesce(sum(w.more) filter (where w.kind = 'seconds'), 0)
      into v_calls, v_seconds, v_billable from w;
    update public.usage_periods x
       set calls = x.calls + v_calls, seconds = x.seconds + v_seconds, billable_seconds = x.billable_seconds + v_billable
     where x.organization_id = p.organization_id and x.period_start = p.period_start;
    perform public.usage_beyond(p, p_ids, coalesce(greatest(0, v_before + v_billable - v_included) - greatest(0, v_before - v_included), 0));
end
$$;

-- So many seconds more (fewer) of the period lie beyond the plan.  Of these calls the newest first, then of the others; no call is more
-- beyond than it was long.
create or replace function public.usage_beyond(p public.usage_periods, p_ids uuid[], p_more numeric) returns void
    language plpgsql security definer set search_path = '' as $$
declare
    u public.usage_entries;
    v_more numeric;
    v_dates date[] := '{}';
    v_mores numeric[] := '{}';
begin
    for u in
        -- Longer beyond than at all: only after a correction.
        (select x.* from public.usage_entries x where x.id = any (p_ids) and x.overage > greatest(x.billable, 0))
        union all
        (select x.* from public.usage_entries x
          where p_more <> 0 and x.id = any (p_ids) and x.kind = 'seconds' and x.overage <= greatest(x.billable, 0) order by x.billed_at desc, x.id desc) loop
        v_more := public.usage_beyond_of(p, u, p_more);
        p_more := p_more - v_more;
        v_dates := v_dates || (u.occurred_at at time zone 'UTC')::date;
        v_mores := v_mores || v_more;
    end loop;
    while p_more <> 0 loop
        u := public.usage_beyond_next(p, p_more);
        exit when u.id is null;
        v_more := public.usage_beyond_of(p, u, p_more);
        p_more := p_more - v_more;
        v_dates := v_dates || (u.occurred_at at time zone 'UTC')::date;
        v_mores := v_mores || v_more;
    end loop;
    update public.usage_days x set overage_seconds = x.overage_seconds + t.more
      from (select y.date, sum(y.more) as more from unnest(v_dates, v_mores) y(date, more) group by 1 having sum(y.more) <> 0) t
     where x.organization_id = p.organization_id and x.date = t.date;
    update public.usage_periods x set overage_seconds = x.overage_seconds + t.more
      from (select sum(y) as more from unnest(v_mores) y) t
     where x.organization_id = p.organization_id and x.period_start = p.period_start and t.more <> 0;
end
$$;

-- The newest call of a period that has something beyond (can bear more of it).
create or replace function public.usage_beyond_next(p public.usage_periods, p_more numeric) returns public.usage_entries
    language plpgsql security definer set search_path = '' as $$
declare
    u public.usage_entries;
begin
    if p_more < 0 then
        select * into u from public.usage_entries x
         where x.organization_id = p.organization_id and x.billed_at >= p.period_start and x.billed_at < p.period_end and x.overage > 0
         order by x.billed_at desc, x.id desc limit 1;
    else
        select * into u from public.usage_entries x
         where x.organization_id = p.organization_id and x.billed_at >= p.period_start and x.billed_at < p.period_end and x.kind = 'seconds'
           and x.overage < x.billable and x.counted = x.billable
         order by x.billed_at desc, x.id desc limit 1;
    end if;
    return u;
end
$$;

-- As much of that as one call can bear, or has; answers how much it was.
create or replace function public.usage_beyond_of(p public.usage_periods, u public.usage_entries, p_more numeric) returns numeric
    language plpgsql security definer set search_path = '' as $$
declare
    v_most numeric := greatest(u.billable, 0);
    v_more numeric := case when u.overage > v_most then v_most - u.overage else least(greatest(p_more, -u.overage), v_most - u.overage) end;
begin
    if v_more <> 0 then
        update public.usage_entries x set overage = x.overage + v_more where x.id = u.id returning x.* into u;
        perform public.usage_report_make(u, p);
    end if;
    return v_more;
end
$$;

-- What the plan of a period includes, in seconds (null: nothing is sold beyond it), and how much of that is used so far.  A plan's year may
-- lie in several summaries.
create or replace function public.usage_included(p public.usage_periods, out included bigint, out used bigint)
    language plpgsql stable security definer set search_path = '' as $$
begin
    select l.minutes_limit * 60::bigint into included from public.subscription_plans l
     where l.id = p.plan_id and l.limit_mode = 'soft' and l.overage_cents is not null;
    if included is not null then
        select coalesce(sum(x.billable_seconds), 0) into used
          from public.plan_of(p.organization_id, clock_timestamp()) n, public.usage_periods x
         where x.organization_id = p.organization_id and x.period_start <= p.period_start
           and x.period_start >= case when p.period_start >= n.period_start and p.period_start < n.period_end then n.period_start else p.period_start end;
    end if;
end
$$;

-- What is told of one call is what lies beyond: less is a report taken back, more is a further one.  Each has a run of its own; where the
-- subscription has nobody to tell it is only shown.
create or replace function public.usage_report_make(u public.usage_entries, p public.usage_periods) returns void
    language plpgsql security definer set search_path = '' as $$
declare
    r public.usage_reports;
    v_told numeric;
    v_n integer;
begin
    select count(*), coalesce(sum(x.quantity) filter (where x.state <> 'canceled'), 0) into v_n, v_told from public.usage_reports x where x.entry_id = u.id;
    while v_told > u.overage loop
        select * into r from public.usage_reports x where x.entry_id = u.id and x.state <> 'canceled'
         order by x.quantity <= v_told - u.overage desc, x.quantity desc, x.identifier desc limit 1;
        perform public.usage_report_cancel(r);
        v_told := v_told - r.quantity;
    end loop;
    if v_told >= u.overage then
        return;
    end if;
    insert into public.usage_reports (identifier, organization_id, entry_id, call_id, subscription_id, customer_id, event_name, quantity, occurred_at,
                                      told_at, state)
    select format('usage:%s:%s', u.id, v_n + 1), u.organization_id, u.id, u.call_id, s.id, c.customer, c.event, u.overage - v_told, u.occurred_at,
           u.billed_at, case when c.customer is not null and s.overage_item_id is not null then 'pending' else 'unbilled' end
      from (select 1) one
      left join public.subscriptions s on s.id = p.subscription_id
      left join public.organizations o on o.id = u.organization_id
     cross join lateral (select case when s.origin = 'stripe' then coalesce(s.external_customer_id, o.stripe_customer_id) end as customer,
                                'hookswitch_overage_seconds' as event) c
    returning * into r;
    if r.state = 'pending' then
        perform public.work_start('usage-report:' || r.identifier, 'usage-report', jsonb_build_object('identifier', r.identifier), r.organization_id);
    end if;
end
$$;

-- What may have been told is taken back by a run.
create or replace function public.usage_report_cancel(r public.usage_reports) returns void
    language plpgsql security definer set search_path = '' as $$
begin
    update public.usage_reports x set state = 'canceled', reason = 'corrected' where x.identifier = r.identifier;
    if r.state in ('pending', 'sent') then
        perform public.work_start('usage-report:' || r.identifier || ':cancel', 'usage-report',
                                  jsonb_build_object('identifier', r.identifier, 'cancel', true), r.organization_id);
    end if;
end
$$;
