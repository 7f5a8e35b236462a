-- 32_plans_limits.sql - what an organization's plan lets it do now: its period, what is left of it, and who is refused.
--
-- Calls left are the plan's calls less those of the ledger, those that wait and those under way; nothing of it is kept in a counter.

-- The period of a subscription that holds p_at.  One by hand: counted from its anchor.  Others: what the provider told; when that is over
-- and no renewal is known yet, the next one begins at its end.
create or replace function public.period_of(s public.subscriptions, p_since timestamptz, p_interval text, p_at timestamptz,
                                            out period_start timestamptz, out period_end timestamptz)
    language plpgsql immutable set search_path = '' as $$
begin
    if s.id is null or s.origin = 'manual' then
        select b.period_start, b.period_end into period_start, period_end
          from public.period_at(coalesce(s.period_anchor, p_since), p_interval, p_at) b;
    elsif p_at < s.current_period_end then
        period_start := s.current_period_start;
        period_end := s.current_period_end;
    else
        select b.period_start, b.period_end into period_start, period_end from public.period_at(s.current_period_end, p_interval, p_at) b;
    end if;
end
$$;

-- The plan that an organization has, with its period at p_at.  No subscription, no plan, or a status that we do not know: no calls.
create or replace function public.plan_of(p_organization uuid, p_at timestamptz)
    returns table (subscription_id uuid, plan_id uuid, tier text, status text, may_call boolean, period_start timestamptz, period_end timestamptz,
                   call_limit integer, minutes_limit integer, limit_mode text, overage_cents numeric, increment_seconds integer, currency text)
    language plpgsql stable security definer set search_path = '' as $$
begin
    return query
    select s.id, p.id, s.tier_type, s.status, coalesce(t.may_call, false) and p.id is not null, b.period_start, b.period_end,
           p.call_limit, p.minutes_limit, coalesce(p.limit_mode, 'hard'), p.overage_cents, coalesce(p.increment_seconds, 60),
           coalesce(p.currency, 'usd')
      from public.organizations o
      left join public.subscriptions s on s.organization_id = o.id and s.current
      left join public.subscription_plans p on p.id = s.plan_id
      left join public.subscription_standings t on t.status = s.status
     cross join lateral public.period_of(s, o.created_at, p."interval", p_at) b
     where o.id = p_organization;
end
$$;

create or replace function public.plan_now(p_organization uuid)
    returns table (subscription_id uuid, plan_id uuid, tier text, status text, may_call boolean, period_start timestamptz, period_end timestamptz,
                   call_limit integer, minutes_limit integer, limit_mode text, overage_cents numeric, increment_seconds integer, currency text)
    language plpgsql stable security definer set search_path = '' as $$
begin
    if public.may_act_for(p_organization) then
        return query select n.* from public.plan_of(p_organization, statement_timestamp()) n;
    end if;
end
$$;

-- What is left of a plan's limits; null: no limit.  All of it is one look: a call that ends meanwhile is either live or in the ledger.
-- calls_left: that may still be ordered; calls_room: that may still be dialled; a live call counts as one increment of seconds.
create or replace function public.plan_left(p_organization uuid)
    returns table (calls_left bigint, calls_room bigint, seconds_left numeric, increment_seconds integer, call_limit integer,
                   minutes_limit integer, period_end timestamptz)
    language plpgsql stable security definer set search_path = '' as $$
begin
    return query
    select n.call_limit - u.calls - w.ordered, n.call_limit - u.calls - w.live,
           n.minutes_limit * 60::numeric - u.billable_seconds - w.live * n.increment_seconds, n.increment_seconds, n.call_limit,
           n.minutes_limit, n.period_end
      from public.plan_of(p_organization, clock_timestamp()) n
     cross join lateral public.usage_sums_of(p_organization, n.period_start) u
     cross join lateral (select count(*) as ordered, count(*) filter (where q.status = 'in-progress') as live
                           from public.call_queue q
                          where q.organization_id = p_organization and q.status in ('queued', 'in-progress')) w;
end
$$;

-- How many calls of a hard plan may be dialled now.  0: its calls are used up; -1: its minutes are.
create or replace function public.plan_room(p_organization uuid) returns integer
    language plpgsql stable security definer set search_path = '' as $$
begin
    return (select case when l.calls_room <= 0 then 0
                        when l.seconds_left <= 0 then -1
                        else least(coalesce(l.calls_room, 1000000), coalesce(ceil(l.seconds_left / l.increment_seconds), 1000000), 1000000) end
              from public.plan_left(p_organization) l)::integer;
end
$$;

-- Why the plan lets nothing be dialled now; null: it does.
create or replace function public.plan_admission(p_organization uuid) returns text
    language plpgsql stable security definer set search_path = '' as $$
declare
    v_may boolean;
    v_limited boolean;
begin
    select t.may_call, p.limit_mode = 'hard' and num_nonnulls(p.call_limit, p.minutes_limit) > 0 into v_may, v_limited
      from public.subscriptions s
      join public.subscription_plans p on p.id = s.plan_id
      join public.subscription_standings t on t.status = s.status
     where s.organization_id = p_organization and s.current;
    if v_may is not true then
        return 'subscription_inactive';
    end if;
    return case when v_limited then case public.plan_room(p_organization) when 0 then 'plan_calls' when -1 then 'plan_minutes' end end;
end
$$;

-- A call was entered just now, by this transaction: may it be?  Asked behind the insert, whose lock holds off a deletion of the organization,
-- which else cancels what waits (organization_delete); and of hard plans one after the other, each counting what those before it entered.
create or replace function public.plan_entered(p_organization uuid) returns void
    language plpgsql security definer set search_path = '' as $$
declare
    o record;
    l record;
begin
    select x.status, x.deleted_after, b.standing, t.may_call, p.limit_mode = 'hard' and num_nonnulls(p.call_limit, p.minutes_limit) > 0 as limited
      into o
      from public.organizations x
      left join public.billing_accounts b on b.organization_id = x.id
      left join public.subscriptions s on s.organization_id = x.id and s.current
      left join public.subscription_plans p on p.id = s.plan_id
      left join public.subscription_standings t on t.status = s.status and p.id is not null
     where x.id = p_organization;
    if o.status is null or o.deleted_after is not null then
        raise exception 'organization_inactive' using errcode = 'PT403', detail = 'The organization is deleted.';
    elsif o.may_call is not true or o.standing in ('read_only', 'suspended') then
        raise exception 'subscription_inactive' using errcode = 'PT402', detail = case
            when o.standing in ('read_only', 'suspended') then 'A bill is not paid: nothing is called until it is.'
            else 'The organization has no subscription that calls can be made with.' end;
    elsif o.status not in ('active', 'past_due') then
        raise exception 'organization_inactive' using errcode = 'PT403', detail = format('The organization is %s.', replace(o.status, '_', ' '));
    elsif not o.limited then
        return;
    end if;
    perform pg_advisory_xact_lock(hashtextextended('plan ' || p_organization, 11));
    select * into l from public.plan_left(p_organization);
    if l.calls_left < 0 then
        raise exception 'plan_calls_used_up' using errcode = 'PT402',
            detail = format('All %s calls of this period are made or ordered; the next one begins at %s.', l.call_limit, public.time_view(l.period_end));
    elsif l.seconds_left <= 0 then
        raise exception 'plan_minutes_used_up' using errcode = 'PT402',
            detail = format('All %s minutes of this period are used; the next one begins at %s.', l.minutes_limit, public.time_view(l.period_end));
    end if;
end
$$;
