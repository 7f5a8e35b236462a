-- api_checkout.sql - /api/v1/billing/checkout: a page at Stripe where somebody pays for a plan.

-- Its id here is made from the request, so that under one Idempotency-Key there is one.  Addresses: where people are sent afterwards; the program has looked
-- whose they are.
create or replace function api.checkout_create(p_plan_id uuid, p_success_url text, p_cancel_url text, p_state jsonb, p_answer jsonb) returns jsonb
    language plpgsql volatile set search_path = '' as $$
declare
    p public.subscription_plans;
    v_id uuid := md5('checkout ' || public.current_organization_id()::text || ' ' || (p_state ->> 'request'))::uuid;
    v_next jsonb;
    v_form jsonb;
begin
    if p_state ->> 'at' = 'read' then
        p_state := public.subscription_seen(p_state, p_answer);
        p_answer := null;
    elsif p_state ->> 'at' = 'customer' then
        p_state := public.customer_looked(p_state, p_answer);
        p_answer := null;
    elsif public.customer_doubted(p_state, p_answer) then
        return public.customer_look(p_state);
    end if;
    p := public.checkout_plan(p_plan_id);
    v_next := public.checkout_free(p_state);
    if v_next is not null then
        return v_next;
    end if;
    if p_state ->> 'at' = 'asked' and p_answer ->> 'result' = 'ok' then
        return jsonb_build_object('view', public.checkout_kept(v_id, p.id, p_answer -> 'body'));
    elsif p_state ->> 'at' = 'asked' and not p_state ? 'again' and (p_answer ->> 'result' = 'unknown' and (p_answer ->> 'status')::integer >= 500
                                                                    or p_answer ->> 'code' = 'idempotency_error') then
        -- Its own failures Stripe repeats for a day; a page whose address nobody was told does no harm.
        p_state := p_state || '{"again":true}';
    elsif p_state ->> 'at' = 'asked' then
        perform public.stripe_need(p_answer);
    else
        v_next := public.billing_make(p.id, true, p_state, p_answer);
        if v_next is not null then
            return v_next;
        end if;
    end if;
    v_form := public.checkout_form(p, v_id, coalesce(p_success_url, p_state -> 'known' ->> 'success_url'), coalesce(p_cancel_url, p_state -> 'known' ->> 'cancel_url'));
    return jsonb_build_object('ask', public.stripe_ask('POST', '/v1/checkout/sessions', v_form, case when p_state ? 'again' then public.stripe_key('checkout')
                                                                                                     else 'hookswitch:checkout:' || v_id end),
                              'state', p_state || '{"at":"asked"}');
end
$$;

-- A plan that can be paid for.
create or replace function public.checkout_plan(p_plan uuid) returns public.subscription_plans
    language plpgsql stable set search_path = '' as $$
declare
    p public.subscription_plans;
begin
    select * into p from public.subscription_plans x where x.id = p_plan and x.on_sale;
    if not found then
        perform public.refuse_field('plan_not_found', 'plan_id', 'There is no such plan on sale.');
    elsif p.is_default or p.price = 0 then
        perform public.refuse_field('plan_free', 'plan_id', 'Nobody pays for this plan.');
    end if;
    return p;
end
$$;

-- Nobody pays twice.  One that is live as far as we know is read before it is said so, since it may have ended and nobody told.
create or replace function public.checkout_free(p_state jsonb) returns jsonb
    language plpgsql volatile set search_path = '' as $$
declare
    s record;
begin
    select x.origin, x.external_id into s from public.subscriptions x join public.subscription_standings t on t.status = x.status
     where x.organization_id = public.current_organization_id() and x.current and x.origin <> 'manual' and t.is_live;
    if not found then
        return null;
    elsif s.origin <> 'stripe' or p_state ? 'looked' then
        raise exception 'subscription_exists' using errcode = 'PT409';
    end if;
    return public.subscription_look(s.external_id, p_state || '{"looked":true}');
end
$$;

-- What Stripe said of it, if it said something; the state goes back to where all begins.
create or replace function public.subscription_seen(p_state jsonb, p_answer jsonb) returns jsonb
    language plpgsql volatile set search_path = '' as $$
begin
    if p_answer ->> 'result' = 'ok' then
        perform public.subscription_told(p_answer);
    end if;
    return p_state - '{at,making,stage}'::text[];
end
$$;

-- An organization is given one trial, and so is whoever owns it, with whatever organizations.
create or replace function public.trial_was(p_organization uuid) returns boolean
    language plpgsql stable security definer set search_path = '' as $$
begin
    return exists (select from public.subscriptions s
                    where s.trial_end is not null
                      and (s.organization_id = p_organization or s.organization_id in (
                           select his.organization_id from public.organization_members mine join public.organization_members his on his.user_id = mine.user_id
                            where mine.organization_id = p_organization and mine.role = 'owner' and his.role = 'owner')));
end
$$;

create or replace function public.checkout_form(p public.subscription_plans, p_id uuid, p_success text, p_cancel text) returns jsonb
    language plpgsql stable security definer set search_path = '' as $$
declare
    v_organization uuid := public.current_organization_id();
    v_overage text := public.plan_price_sold(p, 'overage');
    v_form jsonb;
begin
    select jsonb_build_object(
               'mode', 'subscription', 'customer', o.stripe_customer_id, 'client_reference_id', o.id, 'allow_promotion_codes', 'true',
               'line_items[0][price]', public.plan_price_sold(p, 'base'), 'line_items[0][quantity]', 1, 'success_url', p_success, 'cancel_url', p_cancel,
               'metadata[organization_id]', o.id, 'metadata[plan_id]', p.id, 'metadata[checkout_id]', p_id, 'metadata[user_id]', public.current_user_id(),
               'subscription_data[metadata][organization_id]', o.id, 'subscription_data[metadata][plan_id]', p.id)
      into v_form from public.organizations o where o.id = v_organization;
    if v_overage is not null and p.overage_cents is not null then
        v_form := v_form || jsonb_build_object('line_items[1][price]', v_overage);
    end if;
    if p.trial_days > 0 and not public.trial_was(v_organization) then
        v_form := v_form || jsonb_build_object('subscription_data[trial_period_days]', p.trial_days);
    end if;
    return v_form;
end
$$;

create or replace function public.checkout_kept(p_id uuid, p_plan uuid, p_session jsonb) returns jsonb
    language plpgsql security definer set search_path = '' as $$
declare
    x public.checkout_sessions;
begin
    insert into public.checkout_sessions (id, organization_id, user_id, plan_id, external_id, url, expires_at)
    values (p_id, public.current_organization_id(), public.current_user_id(), p_plan, p_session ->> 'id', p_session ->> 'url',
            to_timestamp((p_session ->> 'expires_at')::bigint))
    on conflict (id) do update set external_id = excluded.external_id, url = excluded.url, expires_at = excluded.expires_at
     where checkout_sessions.status = 'open' and checkout_sessions.organization_id = excluded.organization_id;
    select * into x from public.checkout_sessions c where c.id = p_id;
    return public.checkout_view(x);
end
$$;

-- By our id, or by Stripe's, which the address after a payment holds.
create or replace function api.checkout_get(p_checkout_id text) returns jsonb
    language plpgsql stable set search_path = '' as $$
declare
    x public.checkout_sessions;
begin
    select * into x from public.checkout_sessions c
     where c.organization_id = public.current_organization_id() and (c.id = public.uuid_or_null(p_checkout_id) or c.external_id = p_checkout_id);
    if not found then
        raise exception 'checkout_not_found' using errcode = 'PT404';
    end if;
    return public.checkout_view(x);
end
$$;
