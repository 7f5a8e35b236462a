-- 74_stripe_surplus.sql - a second subscription of one organization: the SQL side of the workflows stripe-surplus and stripe-expire
-- (common/work/flow_stripe_surplus.c).

-- What a step of stripe-surplus asks for; nothing when there is nothing to do.
create or replace function public.stripe_surplus_prepare(p_run jsonb) returns jsonb
    language plpgsql security definer set search_path = '' as $$
declare
    v_step text := p_run ->> 'step';
    v_one jsonb := p_run -> 'results' -> 'invoices' -> 'invoices' -> coalesce((p_run -> 'input' ->> 'at')::integer, 0);
    v_id text;
begin
    v_id := case
        when v_step = 'first' then (select s.external_id from public.subscriptions s
                                     where s.organization_id = (p_run ->> 'organization_id')::uuid and s.current and s.origin = 'stripe')
        when v_step in ('second', 'invoices') then p_run -> 'input' ->> 'subscription'
        when v_step = 'cancel' then (select s.external_id from public.subscriptions s join public.subscription_standings g on g.status = s.status
                                      where s.origin = 'stripe' and s.external_id = p_run -> 'input' ->> 'subscription' and not g.is_over)
        when v_step = 'void' and v_one ->> 'status' = 'open' then v_one ->> 'id'
        when v_step = 'payment' and v_one ->> 'status' = 'paid' then v_one ->> 'id'
        when v_step = 'refund' then p_run -> 'results' -> 'payment' ->> 'payment_intent' end;
    if v_id is null then
        return '{"result": {}}';
    end if;
    return jsonb_build_object('prepared', jsonb_build_object('id', v_id, 'read', nextval('public.billing_reads')));
end
$$;

-- Both are known as they are now.  Only if both are paid for, the second one goes; that is written down before anything is done.
create or replace function public.stripe_surplus_decide(p_run jsonb) returns jsonb
    language plpgsql security definer set search_path = '' as $$
declare
    v_organization uuid := (p_run ->> 'organization_id')::uuid;
    s public.subscriptions;
begin
    perform from public.organizations o where o.id = v_organization for no key update;
    perform public.subscription_apply(x) from (select p_run -> 'results' -> 'first' -> 'subscription') t(x) where x is not null;
    perform public.subscription_apply(x) from (select p_run -> 'results' -> 'second' -> 'subscription') t(x) where x is not null;
    select * into s from public.subscriptions x
     where x.organization_id = v_organization and x.origin = 'stripe' and x.external_id = p_run -> 'input' ->> 'subscription' for update;
    if s.surplus then
        return null;
    elsif s.id is null or s.current
       or not exists (select from public.subscription_standings g where g.status = s.status and g.is_live)
       or not exists (select from public.subscriptions c join public.subscription_standings g on g.status = c.status
                       where c.organization_id = v_organization and c.current and c.origin = 'stripe' and g.is_live) then
        return '{"done": true}';
    end if;
    update public.subscriptions x set surplus = true where x.id = s.id;
    return null;
end
$$;

-- One invoice of it is done; the next one, or the end: what was done is read.
create or replace function public.stripe_surplus_more(p_run jsonb) returns jsonb
    language plpgsql security definer set search_path = '' as $$
declare
    v_at integer := coalesce((p_run -> 'input' ->> 'at')::integer, 0) + 1;
    v_charge text := p_run -> 'results' -> 'refund' ->> 'charge';
    v_subscription text := p_run -> 'input' ->> 'subscription';
begin
    if v_charge is not null then
        perform public.stripe_read('surplus', 'charge', v_charge, (p_run ->> 'organization_id')::uuid);
    end if;
    if v_at < jsonb_array_length(coalesce(p_run -> 'results' -> 'invoices' -> 'invoices', '[]')) then
        return jsonb_build_object('again', p_run -> 'input' || jsonb_build_object('at', v_at));
    end if;
    perform public.stripe_read('surplus', 'subscription', v_subscription, (p_run ->> 'organization_id')::uuid);
    return null;
end
$$;

-- A page where somebody could have paid is closed, or was not open any more: it is read.
create or replace function public.stripe_expire_done(p_run jsonb) returns jsonb
    language plpgsql security definer set search_path = '' as $$
begin
    perform public.stripe_read('expire', 'checkout_session', p_run -> 'input' ->> 'session', (p_run ->> 'organization_id')::uuid);
    return null;
end
$$;
