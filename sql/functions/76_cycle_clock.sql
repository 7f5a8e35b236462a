-- 76_cycle_clock.sql - periods that end by the clock: of subscriptions by hand, which become what was decided, and of all that have no invoice.

-- A subscription by hand whose period, or time, is over: it ends, has another plan, or goes on.
create or replace function public.subscription_roll(s public.subscriptions) returns void
    language plpgsql security definer set search_path = '' as $$
declare
    v_default boolean := coalesce((select p.is_default from public.subscription_plans p where p.id = s.plan_id), false);
begin
    if not v_default and (s.cancel_at <= clock_timestamp() or (s.cancel_at_period_end and s.current_period_end <= clock_timestamp())) then
        update public.subscriptions x set status = 'canceled', canceled_at = coalesce(x.canceled_at, clock_timestamp()), ended_at = clock_timestamp()
         where x.id = s.id;
        perform public.subscription_default(s.organization_id);
        perform public.dunning_end(s.id);
        perform public.billing_note(s.organization_id, null, format('subscription_canceled:%s', s.id), 'subscription_canceled', null, null, null, null,
                                    jsonb_build_object('subscription_id', s.id, 'tier', s.tier_type));
        perform public.billing_mail(format('subscription-canceled:%s', s.id), 'subscription_canceled', s.organization_id,
                                    jsonb_build_object('plan', s.tier_type));
        return;
    end if;
    update public.subscriptions x
       set plan_id = coalesce(x.next_plan_id, x.plan_id), next_plan_id = null,
           current_period_start = b.period_start, current_period_end = b.period_end
      from public.subscription_plans p
     cross join lateral public.period_at(s.period_anchor, p."interval", clock_timestamp()) b
     where x.id = s.id and p.id = coalesce(s.next_plan_id, s.plan_id) and s.current_period_end <= clock_timestamp();
end
$$;

-- Up to so many of them.  Answers how many.
create or replace function public.subscriptions_roll(p_limit integer) returns integer
    language plpgsql security definer set search_path = '' as $$
declare
    s public.subscriptions;
    v_id uuid;
    v_n integer := 0;
begin
    for v_id in select x.organization_id from public.subscriptions x
                 where x.current and x.origin = 'manual' and least(x.current_period_end, x.cancel_at) <= statement_timestamp()
                 order by least(x.current_period_end, x.cancel_at) limit p_limit loop
        -- An organization's row is locked before its subscriptions, here as everywhere.
        perform from public.organizations o where o.id = v_id for no key update skip locked;
        continue when not found;
        select * into s from public.subscriptions x
         where x.organization_id = v_id and x.current and x.origin = 'manual' and least(x.current_period_end, x.cancel_at) <= clock_timestamp() for update;
        continue when not found;
        perform public.subscription_roll(s);
        v_n := v_n + 1;
    end loop;
    return v_n;
end
$$;

-- Starts the closing of periods that no invoice closes: an hour after their end; of Stripe's, whose renewal invoice ought to have done it, after
-- three days.  Answers how many.
create or replace function public.cycles_begin(p_limit integer) returns integer
    language plpgsql security definer set search_path = '' as $$
begin
    return (select count(*) filter (where public.work_start(
                format('billing-cycle:%s:%s', u.organization_id, (extract(epoch from u.period_start) * 1000000)::bigint), 'billing-cycle',
                jsonb_build_object('period_start', u.period_start, 'period_end', u.period_end), u.organization_id))
              from (select p.* from public.usage_periods p
                      left join public.subscriptions s on s.id = p.subscription_id
                     where p.state = 'open' and p.period_end <= statement_timestamp() - interval '1 hour'
                       and (s.origin is distinct from 'stripe' or p.period_end <= statement_timestamp() - interval '3 days')
                     order by p.period_end limit p_limit) u);
end
$$;

-- The one step of the workflow "billing-periods".
create or replace function public.cycle_clock(p_run jsonb) returns jsonb
    language plpgsql security definer set search_path = '' as $$
declare
    v_most constant integer := 200;
    v_rolled integer := public.subscriptions_roll(v_most);
    v_begun integer := public.cycles_begin(v_most);
begin
    if v_rolled = v_most or v_begun = v_most then
        return jsonb_build_object('again', p_run -> 'input');
    end if;
    return jsonb_build_object('result', jsonb_build_object('rolled', v_rolled, 'begun', v_begun));
end
$$;
