-- 74_subscriptions_place.sql - which subscription of an organization is its current one, and what follows from that.

-- After p_subscription was written.
create or replace function public.subscription_place(p_subscription uuid, p jsonb) returns void
    language plpgsql security definer set search_path = '' as $$
declare
    s public.subscriptions;
    g public.subscription_standings;
    v_was boolean;
begin
    select * into s from public.subscriptions x where x.id = p_subscription;
    select * into g from public.subscription_standings x where x.status = s.status;
    v_was := s.current;
    if s.current and g.is_over then
        perform public.subscription_leave(s);
    elsif not s.current and g.is_live and not s.surplus then
        s.current := public.subscription_take(s);
    end if;
    if s.current and not g.is_over then
        perform public.subscription_is_current(s, p, not v_was);
    end if;
    if g.is_over then
        perform public.billing_agree(s.origin, '{deleted_organization}', s.external_id);
    elsif s.external_id is not null then
        perform public.subscription_of_deleted(s);
    end if;
    if v_was and g.is_over or s.current and s.status in ('active', 'trialing') then
        perform public.dunning_end(s.id);
    elsif s.current and s.status in ('past_due', 'unpaid') then
        perform public.dunning_begin(s.id);
    end if;
end
$$;

-- It is over: another one that is paid for takes its place, else the plan of who pays for nothing.
create or replace function public.subscription_leave(s public.subscriptions) returns void
    language plpgsql security definer set search_path = '' as $$
begin
    update public.subscriptions x set current = true
     where x.id = (select y.id from public.subscriptions y join public.subscription_standings g on g.status = y.status
                    where y.organization_id = s.organization_id and y.id <> s.id and y.origin <> 'manual' and g.is_live and not y.surplus
                    order by y.created_at, y.id limit 1);
    if not found then
        perform public.subscription_default(s.organization_id);
    end if;
    update public.organizations o set (stripe_subscription_id, current_period_start, current_period_end) = (
        select case when x.origin = 'stripe' then x.external_id end, x.current_period_start, x.current_period_end
          from public.subscriptions x where x.organization_id = o.id and x.current)
     where o.id = s.organization_id;
end
$$;

-- Takes the current one's place, if nobody pays for that.  A second one that is paid for is surplus, if both are still what they seem to be:
-- of Stripe's that is looked up; else somebody has to look.  True: it is the current one now.
create or replace function public.subscription_take(s public.subscriptions) returns boolean
    language plpgsql security definer set search_path = '' as $$
declare
    c public.subscriptions;
    -- One that was looked at before, and was none then.
    v_again text := (select ':' || s.read_number from public.workflow_runs r where r.id = 'stripe-surplus:' || s.external_id and r.state = 'done');
begin
    select x.* into c from public.subscriptions x join public.subscription_standings g on g.status = x.status
     where x.organization_id = s.organization_id and x.current and x.origin <> 'manual' and g.is_live;
    if not found then
        update public.subscriptions x set current = true where x.id = s.id;
        return true;
    elsif c.origin = 'stripe' and s.origin = 'stripe' and s.status <> 'unknown' then
        perform public.work_start(format('stripe-surplus:%s%s', s.external_id, v_again), 'stripe-surplus',
                                  jsonb_build_object('subscription', s.external_id, 'customer', s.external_customer_id), s.organization_id);
    else
        perform public.billing_differ(s.origin, 'second_subscription', s.external_id, s.organization_id,
                                      jsonb_build_object('provider', c.origin, 'subscription', c.external_id),
                                      jsonb_build_object('status', s.external_status));
    end if;
    return false;
end
$$;

-- What an organization shows of its current one; and pages where somebody could pay for a second one are closed.
create or replace function public.subscription_is_current(s public.subscriptions, p jsonb, p_new boolean) returns void
    language plpgsql security definer set search_path = '' as $$
begin
    update public.organizations o
       set stripe_subscription_id = case when s.origin = 'stripe' then s.external_id end,
           current_period_start = s.current_period_start, current_period_end = s.current_period_end
     where o.id = s.organization_id;
    perform public.payment_method_keep(s.organization_id, p);
    perform public.billing_agree(s.origin, array['second_subscription'], s.external_id);
    if s.next_plan_id is not null and s.origin = 'stripe' then
        -- When what was paid for is over, what comes then is read, whether an event tells of it or not.
        perform public.work_start(format('stripe-sync:hold:%s:%s', s.external_id, p -> 'metadata' ->> 'hold_until'), 'stripe-sync',
                                  jsonb_build_object('event', null, 'type', 'hold', 'kind', 'subscription', 'id', s.external_id), s.organization_id,
                                  public.unix_time(to_jsonb((p -> 'metadata' ->> 'hold_until')::bigint + 1)));
    end if;
    if p_new then
        perform public.work_start('stripe-expire:' || x.external_id, 'stripe-expire', jsonb_build_object('session', x.external_id), s.organization_id)
           from public.checkout_sessions x
          where x.organization_id = s.organization_id and x.status = 'open' and x.external_id is not null
            and x.external_subscription_id is distinct from s.external_id;
    end if;
end
$$;

create or replace function public.payment_method_keep(p_organization uuid, p jsonb) returns void
    language plpgsql security definer set search_path = '' as $$
declare
    v_new jsonb := nullif(p -> 'payment_method', 'null');
    v_old jsonb;
begin
    if not p ? 'payment_method' then
        return;
    end if;
    select b.payment_method into v_old from public.billing_accounts b where b.organization_id = p_organization for update;
    if v_old is not distinct from v_new then
        return;
    end if;
    update public.billing_accounts b set payment_method = v_new where b.organization_id = p_organization;
    if v_old is not null then
        perform public.billing_note(p_organization, p ->> 'provider', 'payment_method_changed:' || (p ->> 'read'), 'payment_method_changed',
                                    null, null, null, null, jsonb_build_object('payment_method', v_new));
    end if;
end
$$;

-- ---- what is told of it ---------------------------------------------------------

-- o: what it was before (id null: it is new); each of these is told once.
create or replace function public.subscription_tell(o public.subscriptions, p_subscription uuid) returns void
    language plpgsql security definer set search_path = '' as $$
declare
    s public.subscriptions;
    v_began boolean;
begin
    select * into s from public.subscriptions x where x.id = p_subscription;
    v_began := s.status not in ('incomplete', 'incomplete_expired');
    if not v_began then
        return;
    end if;
    perform public.subscription_note(s, 'subscription_created', false, jsonb_build_object('surplus', s.surplus));
    if s.status = 'trialing' and s.trial_end - interval '3 days' <= statement_timestamp() then
        perform public.subscription_note(s, 'trial_will_end', false, jsonb_build_object('trial_end', public.time_view(s.trial_end)));
    end if;
    if s.status = 'canceled' then
        perform public.subscription_note(s, 'subscription_canceled', false, '{}');
    elsif o.id is not null and o.cancel_at_period_end <> s.cancel_at_period_end then
        perform public.subscription_note(s, case when s.cancel_at_period_end then 'subscription_cancel_scheduled' else 'subscription_resumed' end, true, '{}');
    elsif o.status = 'paused' and s.status = 'active' then
        perform public.subscription_note(s, 'subscription_resumed', true, '{}');
    end if;
    if o.id is not null and o.plan_id is distinct from s.plan_id then
        perform public.subscription_note(s, 'plan_changed', true, jsonb_build_object('from_plan_id', o.plan_id));
    end if;
    if o.id is null or (o.status, o.plan_id, o.next_plan_id, o.current_period_end, o.cancel_at_period_end, o.current)
       is distinct from (s.status, s.plan_id, s.next_plan_id, s.current_period_end, s.cancel_at_period_end, s.current) then
        insert into public.events (organization_id, type, data)
        values (s.organization_id, 'subscription.updated', public.subscription_event(s));
    end if;
    perform public.subscription_mail(o, s);
end
$$;

-- Mails, once each: it has another plan, or is over.  Who deleted the organization knows it.
create or replace function public.subscription_mail(o public.subscriptions, s public.subscriptions) returns void
    language plpgsql security definer set search_path = '' as $$
declare
    v_plan text := coalesce((select l.name from public.subscription_plans l where l.id = s.plan_id), s.tier_type);
    v_old text := (select l.name from public.subscription_plans l where l.id = o.plan_id);
begin
    if not coalesce(o.current, false) or exists (select from public.organizations x where x.id = s.organization_id and x.deleted_after is not null) then
        return;
    elsif s.status = 'canceled' then
        perform public.billing_mail(format('subscription-canceled:%s', s.id), 'subscription_canceled', s.organization_id, jsonb_build_object('plan', v_plan));
    elsif s.current and v_old is not null and s.plan_id <> o.plan_id then
        perform public.billing_mail(format('plan-changed:%s:%s', s.id, s.read_number), 'plan_changed', s.organization_id,
                                    jsonb_build_object('plan', v_plan, 'old_plan', v_old));
    end if;
end
$$;

create or replace function public.subscription_note(s public.subscriptions, p_type text, p_each boolean, p_more jsonb) returns void
    language plpgsql security definer set search_path = '' as $$
begin
    perform public.billing_note(s.organization_id, s.origin,
        format('%s:%s', p_type, s.external_id) || case when p_each then ':' || s.read_number else '' end, p_type, null, null, null, s.external_id,
        jsonb_build_object('subscription_id', s.id, 'plan_id', s.plan_id, 'status', s.status) || p_more);
end
$$;

-- A subscription as outgoing events tell it.
create or replace function public.subscription_event(s public.subscriptions) returns jsonb
    language plpgsql stable set search_path = '' as $$
begin
    return jsonb_build_object('id', s.id, 'organization_id', s.organization_id, 'plan_id', s.plan_id, 'tier', s.tier_type, 'status', s.status,
        'current', s.current, 'provider', s.origin, 'external_id', s.external_id,
        'current_period_start', public.time_view(s.current_period_start), 'current_period_end', public.time_view(s.current_period_end),
        'cancel_at_period_end', s.cancel_at_period_end, 'next_plan_id', s.next_plan_id, 'trial_end', public.time_view(s.trial_end));
end
$$;
