-- 74_subscriptions.sql - what a payment provider says of a subscription becomes ours: whose it is, what it opens, whether it is the one.
--
-- Said means read: Stripe's is read anew for each event, so neither the order of events nor their copies matter, and what was read
-- earlier never replaces what was read later.  Nothing else writes subscriptions of Stripe and Paddle.

-- p: the normal form of common/peers/stripe.h.  Answers a step's directive: null, it goes on.
create or replace function public.subscription_apply(p jsonb) returns jsonb
    language plpgsql security definer set search_path = '' as $$
declare
    v_organization uuid := public.subscription_owner(p);
    o public.subscriptions;
    s public.subscriptions;
begin
    if v_organization is null and p ->> 'status' in ('canceled', 'incomplete_expired') then
        -- Nobody's, and over: perhaps of an organization that is gone.
        perform public.billing_agree(p ->> 'provider', array['stranger', 'deleted_organization'], p ->> 'id');
        return null;
    elsif v_organization is null then
        perform public.billing_differ(p ->> 'provider', 'stranger', p ->> 'id', null, null,
                                      jsonb_build_object('customer', p ->> 'customer', 'status', p ->> 'status'));
        return null;
    end if;
    perform from public.organizations x where x.id = v_organization for no key update;
    select * into o from public.subscriptions x where x.origin = p ->> 'provider' and x.external_id = p ->> 'id' for update;
    if o.read_number >= (p ->> 'read')::bigint then
        return null;
    end if;
    perform public.customer_bind(v_organization, p);
    s := public.subscription_normal(v_organization, o, p);
    if o.id is null then
        insert into public.subscriptions (organization_id, origin, external_id, current, status, plan_id, tier_type, created_at)
        values (s.organization_id, s.origin, s.external_id, false, s.status, s.plan_id, s.tier_type, s.created_at)
        returning id into s.id;
    end if;
    perform public.subscription_write(s);
    perform public.subscription_place(s.id, p);
    perform public.subscription_tell(o, s.id);
    perform public.billing_agree(p ->> 'provider', array['stranger'], p ->> 'id');
    return null;
end
$$;

-- Whose it is: as we know it already, else by its customer, else by what we wrote on it, if that organization has no customer yet.
create or replace function public.subscription_owner(p jsonb) returns uuid
    language plpgsql stable security definer set search_path = '' as $$
begin
    return coalesce(
        (select s.organization_id from public.subscriptions s where s.origin = p ->> 'provider' and s.external_id = p ->> 'id'),
        public.customer_owner(p ->> 'provider', p ->> 'customer'),
        (select o.id from public.organizations o join public.billing_accounts b on b.organization_id = o.id
          where o.id = public.uuid_or_null(p -> 'metadata' ->> 'organization_id')
            and case p ->> 'provider' when 'stripe' then o.stripe_customer_id else b.paddle_customer_id end is null));
end
$$;

create or replace function public.customer_owner(p_provider text, p_customer text) returns uuid
    language plpgsql stable security definer set search_path = '' as $$
begin
    if p_provider = 'stripe' then
        return (select o.id from public.organizations o where o.stripe_customer_id = p_customer);
    end if;
    return (select b.organization_id from public.billing_accounts b where b.paddle_customer_id = p_customer order by b.created_at, b.organization_id limit 1);
end
$$;

-- A customer that was made elsewhere is the organization's from now on.
create or replace function public.customer_bind(p_organization uuid, p jsonb) returns void
    language plpgsql security definer set search_path = '' as $$
begin
    if p ->> 'provider' = 'stripe' then
        update public.organizations o set stripe_customer_id = p ->> 'customer'
         where o.id = p_organization and o.stripe_customer_id is null and p ->> 'customer' is not null;
    else
        update public.billing_accounts b set paddle_customer_id = p ->> 'customer'
         where b.organization_id = p_organization and b.paddle_customer_id is null and p ->> 'customer' is not null;
    end if;
end
$$;

-- ---- what it is ---------------------------------------------------------------

-- Ours, by subscription_statuses.  A word that is not there is unknown, which opens nothing.  One whose first invoice was never paid has not
-- begun, whatever it is called (payments that take days, and then fail).
create or replace function public.subscription_status(p_organization uuid, p_old text, p jsonb) returns text
    language plpgsql security definer set search_path = '' as $$
declare
    v_status text := (select x.status from public.subscription_statuses x
                       where x.provider = p ->> 'provider' and x.external_status = p ->> 'status');
begin
    if v_status is null then
        perform public.billing_differ(p ->> 'provider', 'unknown_status', p ->> 'id', p_organization, null, jsonb_build_object('status', p -> 'status'));
        return 'unknown';
    end if;
    perform public.billing_agree(p ->> 'provider', array['unknown_status'], p ->> 'id');
    if coalesce((p ->> 'awaits_payment')::boolean, p_old = 'incomplete') and v_status in ('active', 'trialing', 'past_due', 'unpaid') then
        return 'incomplete';
    end if;
    return v_status;
end
$$;

-- What its items are: the plan that is paid for, and the item that further minutes are told to.  An item that nothing is paid for (quantity 0)
-- buys nothing; of several plans it is the greatest.
create or replace function public.subscription_items(p jsonb, out plan_id uuid, out price_id text, out item_id text, out overage_item_id text,
                                                      out overage_price_id text)
    language plpgsql stable security definer set search_path = '' as $$
begin
    select b.plan_id, i ->> 'price', i ->> 'id' into plan_id, price_id, item_id
      from jsonb_array_elements(p -> 'items') with ordinality x(i, n)
      left join public.plan_prices b on b.provider = p ->> 'provider' and b.price_id = i ->> 'price'
      left join public.subscription_plans l on l.id = b.plan_id
     where b.kind is distinct from 'overage' and coalesce((i ->> 'quantity')::numeric, 1) > 0
     order by b.plan_id is null, l.rank desc, n limit 1;
    select i ->> 'id', i ->> 'price' into overage_item_id, overage_price_id
      from jsonb_array_elements(p -> 'items') with ordinality x(i, n)
      join public.plan_prices b on b.provider = p ->> 'provider' and b.price_id = i ->> 'price' and b.kind = 'overage'
     order by n limit 1;
end
$$;

-- After a downgrade the price is the new plan's at once; what was paid for holds until then, and no longer than its period at Stripe, whatever our clock
-- says.  At Stripe we alone write this; what stands on a subscription of Paddle's was written by the page of whoever bought it.
create or replace function public.subscription_hold(p jsonb, p_plan uuid) returns uuid
    language plpgsql stable security definer set search_path = '' as $$
declare
    v_plan uuid := (select l.id from public.subscription_plans l where l.id = public.uuid_or_null(p -> 'metadata' ->> 'hold_plan_id'));
begin
    if p_plan is null or v_plan is null or p ->> 'provider' <> 'stripe' or p -> 'metadata' ->> 'hold_until' !~ '^[0-9]{1,11}$'
       or (p -> 'metadata' ->> 'hold_until')::bigint <= (p ->> 'period_start')::bigint then
        return null;
    end if;
    return case when to_timestamp((p -> 'metadata' ->> 'hold_until')::double precision) > statement_timestamp() and v_plan <> p_plan then v_plan end;
end
$$;

create or replace function public.unix_time(p jsonb) returns timestamptz
    language plpgsql immutable set search_path = '' as $$
begin
    return to_timestamp((p #>> '{}')::double precision);
end
$$;

-- The row as it is to be: s is what it was.  Not here: whether it is the current one.
create or replace function public.subscription_normal(p_organization uuid, s public.subscriptions, p jsonb) returns public.subscriptions
    language plpgsql security definer set search_path = '' as $$
declare
    i record;
    v_hold uuid;
begin
    select * into i from public.subscription_items(p);
    v_hold := public.subscription_hold(p, i.plan_id);
    s.organization_id := p_organization;
    s.user_id := coalesce((select m.user_id from public.organization_members m
                            where m.organization_id = p_organization and m.user_id = public.uuid_or_null(p -> 'metadata' ->> 'user_id')), s.user_id);
    s.origin := p ->> 'provider';
    s.external_id := p ->> 'id';
    s.external_customer_id := p ->> 'customer';
    s.external_status := p ->> 'status';
    s.status := public.subscription_status(p_organization, s.status, p);
    s.plan_id := coalesce(v_hold, i.plan_id);
    s.next_plan_id := case when v_hold is not null then i.plan_id end;
    s.tier_type := coalesce((select l.tier from public.subscription_plans l where l.id = s.plan_id), 'unknown');
    s.external_price_id := i.price_id;
    s.item_id := i.item_id;
    if s.id is not null and (s.overage_item_id, s.overage_price_id) is distinct from (i.overage_item_id, i.overage_price_id) then
        s.overage_since := clock_timestamp();
    end if;
    s.overage_item_id := i.overage_item_id;
    s.overage_price_id := i.overage_price_id;
    perform public.subscription_price_check(p_organization, p, i.plan_id, i.price_id);
    return public.subscription_normal_times(s, p);
end
$$;

create or replace function public.subscription_normal_times(s public.subscriptions, p jsonb) returns public.subscriptions
    language plpgsql stable security definer set search_path = '' as $$
begin
    s.created_at := coalesce(s.created_at, public.unix_time(p -> 'created'), now());
    s.current_period_start := coalesce(public.unix_time(p -> 'period_start'), s.current_period_start, s.created_at);
    s.current_period_end := coalesce(public.unix_time(p -> 'period_end'), s.current_period_end, s.created_at);
    s.period_anchor := s.current_period_start;
    s.trial_end := public.unix_time(p -> 'trial_end');
    s.cancel_at := public.unix_time(p -> 'cancel_at');
    s.canceled_at := public.unix_time(p -> 'canceled_at');
    s.ended_at := public.unix_time(p -> 'ended_at');
    s.cancel_at_period_end := coalesce((p ->> 'cancel_at_period_end')::boolean, false) or coalesce(s.cancel_at = s.current_period_end, false);
    s.latest_invoice_id := p ->> 'latest_invoice';
    s.past_due_since := case when s.status in ('past_due', 'unpaid') then coalesce(s.past_due_since, now()) end;
    -- Who has not asked for it is not told it.
    s.payment_method := case when p ? 'payment_method' then nullif(p -> 'payment_method', 'null') else s.payment_method end;
    s.read_number := (p ->> 'read')::bigint;
    s.synced_at := clock_timestamp();
    return s;
end
$$;

create or replace function public.subscription_price_check(p_organization uuid, p jsonb, p_plan uuid, p_price text) returns void
    language plpgsql security definer set search_path = '' as $$
begin
    if p_plan is null then
        perform public.billing_differ(p ->> 'provider', 'unknown_price', p ->> 'id', p_organization, null,
                                      jsonb_build_object('price', p_price, 'items', p -> 'items', 'status', p ->> 'status'));
    else
        perform public.billing_agree(p ->> 'provider', array['unknown_price'], p ->> 'id');
    end if;
end
$$;

create or replace function public.subscription_write(s public.subscriptions) returns void
    language plpgsql security definer set search_path = '' as $$
begin
    update public.subscriptions x
       set user_id = s.user_id, plan_id = s.plan_id, next_plan_id = s.next_plan_id, tier_type = s.tier_type, status = s.status,
           external_status = s.external_status, external_customer_id = s.external_customer_id, external_price_id = s.external_price_id,
           item_id = s.item_id, overage_item_id = s.overage_item_id, overage_price_id = s.overage_price_id, overage_since = s.overage_since,
           period_anchor = s.period_anchor,
           current_period_start = s.current_period_start, current_period_end = s.current_period_end, trial_end = s.trial_end,
           cancel_at = s.cancel_at, canceled_at = s.canceled_at, ended_at = s.ended_at, cancel_at_period_end = s.cancel_at_period_end,
           latest_invoice_id = s.latest_invoice_id, past_due_since = s.past_due_since, payment_method = s.payment_method,
           read_number = s.read_number, synced_at = s.synced_at
     where x.id = s.id;
end
$$;
