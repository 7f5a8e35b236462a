-- 34_billing_change.sql - another plan, the end of a subscription, and taking either back.  What holds is what Stripe says: a subscription is read there
-- before it is changed, a change says what it shall be afterwards, and what Stripe answers goes the way of everything that is read there
-- (subscription_apply).  So what was done and not recorded is found done the next time.
--
-- A smaller plan: its price is written into the subscription at once without proration, so that the next invoice asks for it; until the period's end the
-- organization has the plan that it paid for: metadata hold_plan_id, hold_until, hold_price_id.
--
-- The item for further minutes keeps its price until the period's end, whatever the plan: what was told of a price that goes is billed at once, but
-- what is still under way to the meter would be billed nowhere.  The run that closes the period sets it right (76_cycle_align.sql).

-- The current subscription, to be changed at Stripe.
create or replace function public.subscription_here() returns public.subscriptions
    language plpgsql stable set search_path = '' as $$
declare
    s public.subscriptions;
begin
    select * into s from public.subscriptions x where x.organization_id = public.current_organization_id() and x.current;
    if s.origin = 'paddle' then
        raise exception 'subscription_elsewhere' using errcode = 'PT409';
    end if;
    return s;
end
$$;

create or replace function public.subscription_look(p_external text, p_state jsonb) returns jsonb
    language plpgsql volatile set search_path = '' as $$
begin
    return jsonb_build_object('ask', public.stripe_ask('GET', '/v1/subscriptions/' || p_external, p_read => 'subscription'),
                              'state', p_state || '{"at":"read"}');
end
$$;

create or replace function public.subscription_ask(p_external text, p_form jsonb, p_state jsonb, p_path text default '') returns jsonb
    language plpgsql volatile set search_path = '' as $$
begin
    return jsonb_build_object('ask', public.stripe_ask('POST', '/v1/subscriptions/' || p_external || p_path, p_form, public.stripe_key('subscription'), 'subscription'),
                              'state', p_state || '{"at":"written"}');
end
$$;

-- What Stripe said of a subscription of the active organization, taken in; the answer is what the organization has now.
create or replace function public.subscription_told(p_answer jsonb) returns jsonb
    language plpgsql security definer set search_path = '' as $$
declare
    v_sub jsonb := p_answer -> 'body';
begin
    perform public.stripe_need(p_answer);
    perform from public.subscriptions s
      where s.organization_id = public.current_organization_id() and s.origin = 'stripe' and s.external_id = v_sub ->> 'id';
    if not found then
        raise exception 'subscription_over' using errcode = 'PT409';
    end if;
    perform public.subscription_apply(v_sub);
    return jsonb_build_object('view', public.billing_view());
end
$$;

create or replace function public.subscription_is_over(p_sub jsonb) returns boolean
    language plpgsql stable set search_path = '' as $$
begin
    return p_sub ->> 'status' in ('canceled', 'incomplete_expired');
end
$$;

-- One that is over at Stripe, and was not known to be: that is taken in first, then it is refused.
create or replace function public.subscription_ended(p_state jsonb, p_answer jsonb) returns jsonb
    language plpgsql volatile set search_path = '' as $$
begin
    if p_state ? 'over' then
        raise exception 'subscription_over' using errcode = 'PT409';
    end if;
    perform public.subscription_told(p_answer);
    return public.subscription_look(p_answer -> 'body' ->> 'id', p_state || '{"over":true}');
end
$$;

-- ---- another plan -----------------------------------------------------------------

-- Where a subscription stands at Stripe: the plan of its price and the one that is held until the period's end, and its items.
create or replace function public.subscription_stands(p_sub jsonb, out price_plan uuid, out held_plan uuid, out price text, out item text, out overage_item text)
    language plpgsql stable security definer set search_path = '' as $$
begin
    select i.plan_id, i.price_id, i.item_id, i.overage_item_id into price_plan, price, item, overage_item from public.subscription_items(p_sub) i;
    held_plan := coalesce(public.subscription_hold(p_sub, price_plan), price_plan);
end
$$;

-- What a wish for a plan comes to: none, back (a change that waits is taken back), end (the default plan follows), upgrade, downgrade.
create or replace function public.plan_change_kind(p_sub jsonb, p_plan uuid) returns text
    language plpgsql stable set search_path = '' as $$
declare
    t record;
    old public.subscription_plans;
    new public.subscription_plans;
begin
    select * into t from public.subscription_stands(p_sub);
    if t.held_plan is null then
        raise exception 'payment_provider_refused' using errcode = 'PT409', detail = 'The subscription has a price that stands for no plan here.';
    end if;
    select * into old from public.subscription_plans p where p.id = t.held_plan;
    select * into new from public.subscription_plans p where p.id = p_plan;
    if new.is_default then
        return case when (p_sub ->> 'cancel_at_period_end')::boolean then 'none' else 'end' end;
    elsif new.id = old.id then
        return case when t.price_plan <> t.held_plan or (p_sub ->> 'cancel_at_period_end')::boolean then 'back' else 'none' end;
    elsif (new.rank, public.plan_amount(new)) > (old.rank, public.plan_amount(old)) then
        if t.price_plan <> t.held_plan then
            raise exception 'plan_change_waiting' using errcode = 'PT409';
        end if;
        return 'upgrade';
    elsif new."interval" <> old."interval" then
        raise exception 'plan_interval_differs' using errcode = 'PT409';
    end if;
    return 'downgrade';
end
$$;

-- A moment as Stripe takes it, whose clock need not be ours: in Unix seconds, within the period; null: when it is done.
create or replace function public.proration_moment(p_sub jsonb, p_at timestamptz) returns bigint
    language plpgsql immutable set search_path = '' as $$
begin
    return case when p_at is not null then least(greatest(floor(extract(epoch from p_at))::bigint, (p_sub ->> 'period_start')::bigint), (p_sub ->> 'period_end')::bigint) end;
end
$$;

-- What an upgrade does to the item for further minutes: one that is missing comes.  Where a period of another length begins at once, the old one is
-- over: it has the new price, or goes.
create or replace function public.plan_change_overage(p_item text, p_price text, p_restarts boolean) returns jsonb
    language plpgsql immutable set search_path = '' as $$
begin
    if p_item is not null and not p_restarts or p_item is null and p_price is null then
        return '{}';
    elsif p_price is null then
        return jsonb_build_object('items[1][id]', p_item, 'items[1][deleted]', 'true');
    end if;
    return jsonb_strip_nulls(jsonb_build_object('items[1][id]', p_item, 'items[1][price]', p_price));
end
$$;

-- The parameters that make it so.  p_at: the moment that is reckoned from; null: when it is done.
create or replace function public.plan_change_form(p_kind text, p_sub jsonb, p_plan uuid, p_at bigint) returns jsonb
    language plpgsql stable security definer set search_path = '' as $$
declare
    t record;
    p public.subscription_plans;
    v_overage text;
    v_form jsonb := '{"metadata[hold_plan_id]":"","metadata[hold_until]":"","metadata[hold_price_id]":"","cancel_at_period_end":"false","proration_behavior":"none"}';
begin
    if p_kind = 'end' then
        return '{"cancel_at_period_end":"true"}';
    end if;
    select * into t from public.subscription_stands(p_sub);
    select * into p from public.subscription_plans x where x.id = p_plan;
    v_overage := public.plan_price_sold(p, 'overage');
    v_form := v_form || jsonb_build_object('metadata[plan_id]', p.id, 'items[0][id]', t.item, 'items[0][price]', public.plan_price_sold(p, 'base'));
    if p_kind = 'back' then
        v_form := v_form || jsonb_build_object('items[0][price]', case when t.price_plan = t.held_plan then t.price
                                                                      else coalesce(nullif(p_sub -> 'metadata' ->> 'hold_price_id', ''), v_form ->> 'items[0][price]') end);
    elsif p_kind = 'downgrade' then
        v_form := v_form || jsonb_build_object(
            'metadata[hold_plan_id]', t.held_plan, 'metadata[hold_until]', p_sub ->> 'period_end',
            'metadata[hold_price_id]', case when t.price_plan = t.held_plan then t.price else coalesce(p_sub -> 'metadata' ->> 'hold_price_id', '') end);
    else
        v_form := v_form || jsonb_build_object('proration_behavior', 'always_invoice', 'payment_behavior', 'error_if_incomplete', 'proration_date', p_at)
            || public.plan_change_overage(t.overage_item, v_overage, (select o."interval" from public.subscription_plans o where o.id = t.held_plan) <> p."interval");
    end if;
    return v_form;
end
$$;

-- A plan that can be taken; one's own may be off sale.
create or replace function public.plan_wanted(p_plan uuid) returns public.subscription_plans
    language plpgsql stable set search_path = '' as $$
declare
    p public.subscription_plans;
begin
    select * into p from public.subscription_plans x where x.id = p_plan
       and (x.on_sale or exists (select from public.subscriptions s where s.organization_id = public.current_organization_id() and s.current and s.plan_id = x.id));
    if not found then
        perform public.refuse_field('plan_not_found', 'plan_id', 'There is no such plan on sale.');
    end if;
    return p;
end
$$;

-- Where a change of plan begins: what is to be read at Stripe.
create or replace function public.plan_change_begin(p_plan uuid, p_state jsonb) returns jsonb
    language plpgsql volatile set search_path = '' as $$
declare
    s public.subscriptions := public.subscription_here();
begin
    perform public.plan_wanted(p_plan);
    if s.origin is distinct from 'stripe' then
        raise exception 'checkout_needed' using errcode = 'PT409';
    end if;
    return public.subscription_look(s.external_id, p_state);
end
$$;

-- What is written without a bill must not come behind a renewal that was not there yet when it was read: nothing of the kind in a period's last minute.
create or replace function public.plan_change_in_time(p_kind text, p_sub jsonb) returns void
    language plpgsql volatile set search_path = '' as $$
begin
    if p_kind in ('back', 'downgrade') and to_timestamp((p_sub ->> 'period_end')::bigint) < clock_timestamp() + interval '1 minute' then
        raise exception 'plan_change_waiting' using errcode = 'PT409', detail = 'The period ends just now; ask again once the next one has begun.';
    end if;
end
$$;

-- The next step of a change of plan: null once its prices are there and p_state says what kind it is.
create or replace function public.plan_change_ready(p_plan uuid, p_state jsonb, p_answer jsonb) returns jsonb
    language plpgsql volatile set search_path = '' as $$
declare
    v_kind text := p_state ->> 'kind';
    v_next jsonb;
begin
    if v_kind is null then
        perform public.stripe_need(p_answer);
        if public.subscription_is_over(p_answer -> 'body') then
            return public.subscription_ended(p_state, p_answer);
        end if;
        v_kind := public.plan_change_kind(p_answer -> 'body', p_plan);
        perform public.plan_change_in_time(v_kind, p_answer -> 'body');
        p_state := p_state || jsonb_build_object('kind', v_kind, 'sub', p_answer -> 'body', 'at', 'made');
        p_answer := null;
    end if;
    if v_kind in ('upgrade', 'downgrade') then
        v_next := public.billing_make(p_plan, false, p_state, p_answer);
    end if;
    return coalesce(v_next, jsonb_build_object('state', p_state));
end
$$;
