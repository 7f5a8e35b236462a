-- 78_reconcile.sql - the daily comparison of our books with Stripe's.  Stripe is right: what differs is a row of billing_differences and is read
-- again; what agrees afterwards is resolved.  Nothing of ours is changed here.

-- ---- differences --------------------------------------------------------------

-- What a difference of each kind is about, and what can be read again.  found: each run finds it anew; the others are written down when something
-- happens, and stay until they agree (reconcile_agrees).
create or replace function public.reconcile_kinds() returns table (kind text, object text, found boolean)
    language sql immutable set search_path = '' as $$
    values ('subscription_missing', 'subscription', true), ('subscription_gone', 'subscription', true), ('subscription_status', 'subscription', true),
           ('subscription_plan', 'subscription', true), ('subscription_period', 'subscription', true), ('subscription_cancel', 'subscription', true),
           ('invoice_missing', 'invoice', true), ('invoice_gone', 'invoice', true), ('invoice_status', 'invoice', true), ('invoice_amount', 'invoice', true),
           ('usage_meter', null, true), ('usage_unreported', null, true), ('stranger', null, true), ('unreadable', null, true), ('other_account', null, true),
           ('refund_missing', 'charge', true),
           ('unknown_status', 'subscription', false), ('unknown_price', 'subscription', false), ('second_subscription', 'subscription', false),
           ('usage_untold', null, false), ('usage_refused', null, false), ('usage_overtold', null, false), ('meter_total', 'invoice', false),
           ('invoice_usage', 'invoice', false), ('overage_item', 'subscription', false), ('unknown_currency', 'invoice', false),
           ('deleted_organization', 'subscription', false)
$$;

create or replace function public.reconcile_object(p_kind text) returns text
    language plpgsql immutable set search_path = '' as $$
begin
    return (select k.object from public.reconcile_kinds() k where k.kind = p_kind);
end
$$;

-- A price has become known: subscriptions that were read before that have their plan.  What Paddle told last is all that there is of its own.
create or replace function public.reconcile_price(p_provider text, p_price text) returns void
    language plpgsql security definer set search_path = '' as $$
begin
    if p_provider = 'paddle' then
        update public.subscriptions s set plan_id = p.plan_id from public.plan_prices p
         where (p.provider, p.price_id, p.kind) = ('paddle', p_price, 'base') and s.origin = 'paddle' and s.external_price_id = p_price and s.plan_id is null;
    else
        perform public.stripe_read('price:' || nextval('public.billing_reads'), 'subscription', s.external_id, s.organization_id)
           from public.subscriptions s where s.origin = 'stripe' and s.external_price_id = p_price and s.plan_id is null;
    end if;
    update public.billing_differences d set resolved_at = now()
     where d.kind = 'unknown_price' and d.provider = p_provider and d.resolved_at is null and d.theirs ->> 'price' = p_price;
end
$$;

-- ---- subscriptions ------------------------------------------------------------

-- What we hold of one, by what is compared.
create or replace function public.reconcile_subscription_ours(s public.subscriptions) returns jsonb
    language plpgsql stable set search_path = '' as $$
begin
    return jsonb_build_object(
        'subscription_status', jsonb_build_object('status', s.external_status, 'means', s.status),
        'subscription_plan', jsonb_build_object('price', s.external_price_id, 'plan_id', s.plan_id),
        'subscription_period', jsonb_build_object('start', public.time_view(s.current_period_start), 'end', public.time_view(s.current_period_end)),
        'subscription_cancel', jsonb_build_object('cancel_at_period_end', s.cancel_at_period_end, 'cancel_at', public.time_view(s.cancel_at)));
end
$$;

-- The same of what Stripe tells.  That a first bill is still to be paid is not in a list: whoever has not begun has not.
create or replace function public.reconcile_subscription_theirs(s public.subscriptions, t jsonb) returns jsonb
    language plpgsql stable set search_path = '' as $$
declare
    i record;
    v_means text := coalesce((select m.status from public.subscription_statuses m where (m.provider, m.external_status) = ('stripe', t ->> 'status')), 'unknown');
begin
    select * into i from public.subscription_items(t);
    return jsonb_build_object(
        'subscription_status', jsonb_build_object('status', t ->> 'status', 'means', case
            when s.status = 'incomplete' and s.external_status = t ->> 'status' then s.status else v_means end),
        'subscription_plan', jsonb_build_object('price', i.price_id, 'plan_id', coalesce(public.subscription_hold(t, i.plan_id), i.plan_id)),
        'subscription_period', jsonb_build_object('start', public.reconcile_time(t, 'period_start'), 'end', public.reconcile_time(t, 'period_end')),
        'subscription_cancel', jsonb_build_object(
            'cancel_at_period_end', coalesce((t ->> 'cancel_at_period_end')::boolean, false) or coalesce(t -> 'cancel_at' = t -> 'period_end', false),
            'cancel_at', public.reconcile_time(t, 'cancel_at')));
end
$$;

create or replace function public.reconcile_time(t jsonb, p_member text) returns text
    language plpgsql stable set search_path = '' as $$
begin
    return public.time_view(to_timestamp((t ->> p_member)::double precision));
end
$$;

-- One that Stripe has.  True: it is to be read again.  What was read later than this page says nothing about it.
create or replace function public.reconcile_subscription(t jsonb, p_read bigint) returns boolean
    language plpgsql security definer set search_path = '' as $$
declare
    s public.subscriptions;
    v_whose uuid;
    v_ours jsonb;
    v_theirs jsonb;
    k text;
    v_differs boolean := false;
begin
    update public.subscriptions x set reconciled_at = clock_timestamp() where x.origin = 'stripe' and x.external_id = t ->> 'id' returning * into s;
    if not found then
        v_whose := public.subscription_owner(t);
        perform public.billing_differ('stripe', case when v_whose is null then 'stranger' else 'subscription_missing' end, t ->> 'id', v_whose, null,
                                     jsonb_build_object('customer', t ->> 'customer', 'status', t ->> 'status'));
        return v_whose is not null;
    elsif s.read_number >= p_read then
        return false;
    end if;
    v_ours := public.reconcile_subscription_ours(s);
    v_theirs := public.reconcile_subscription_theirs(s, t);
    for k in select jsonb_object_keys(v_theirs) loop
        if v_ours -> k is distinct from v_theirs -> k then
            perform public.billing_differ('stripe', k, s.external_id, s.organization_id, v_ours -> k, v_theirs -> k);
            v_differs := true;
        end if;
    end loop;
    return v_differs;
end
$$;

-- ---- invoices -----------------------------------------------------------------

create or replace function public.reconcile_invoice_ours(i public.invoices) returns jsonb
    language plpgsql stable set search_path = '' as $$
begin
    return jsonb_build_object(
        'invoice_status', jsonb_build_object('status', i.status, 'number', i.number),
        'invoice_amount', jsonb_build_object('currency', i.currency, 'total', i.total_cents, 'amount_due', i.amount_due_cents,
                                             'amount_paid', i.amount_paid_cents, 'amount_remaining', i.amount_remaining_cents));
end
$$;

create or replace function public.reconcile_invoice_theirs(t jsonb) returns jsonb
    language plpgsql stable set search_path = '' as $$
begin
    return jsonb_build_object(
        'invoice_status', jsonb_build_object('status', t ->> 'status', 'number', t ->> 'number'),
        'invoice_amount', jsonb_build_object('currency', t ->> 'currency', 'total', coalesce((t ->> 'total')::bigint, 0),
                                             'amount_due', coalesce((t ->> 'amount_due')::bigint, 0), 'amount_paid', coalesce((t ->> 'amount_paid')::bigint, 0),
                                             'amount_remaining', coalesce((t ->> 'amount_remaining')::bigint, 0)));
end
$$;

create or replace function public.reconcile_invoice(t jsonb, p_read bigint) returns boolean
    language plpgsql security definer set search_path = '' as $$
declare
    i public.invoices;
    v_whose uuid;
    v_ours jsonb;
    v_theirs jsonb;
    k text;
    v_differs boolean := false;
begin
    update public.invoices x set reconciled_at = clock_timestamp() where (x.provider, x.external_id) = ('stripe', t ->> 'id') returning * into i;
    if not found then
        v_whose := public.invoice_owner(t);
        perform public.billing_differ('stripe', case when v_whose is null then 'stranger' else 'invoice_missing' end, t ->> 'id', v_whose, null,
                                     jsonb_build_object('customer', t ->> 'customer', 'status', t ->> 'status', 'total', t -> 'total', 'currency', t ->> 'currency'));
        return v_whose is not null;
    elsif i.read_number >= p_read then
        return false;
    end if;
    v_ours := public.reconcile_invoice_ours(i);
    v_theirs := public.reconcile_invoice_theirs(t);
    for k in select jsonb_object_keys(v_theirs) loop
        if v_ours -> k is distinct from v_theirs -> k then
            perform public.billing_differ('stripe', k, i.external_id, i.organization_id, v_ours -> k, v_theirs -> k);
            v_differs := true;
        end if;
    end loop;
    return v_differs;
end
$$;

-- ---- usage --------------------------------------------------------------------

-- What the meter has of a time, against what it was told.  What it was told just now, or what was taken back just now, it may have counted or not.
create or replace function public.reconcile_usage(p_subscription uuid, p_start timestamptz, p_end timestamptz, p_theirs numeric) returns void
    language plpgsql security definer set search_path = '' as $$
declare
    s public.subscriptions;
    v_id text;
    v_sure numeric;
    v_open numeric;
begin
    select * into s from public.subscriptions x where x.id = p_subscription;
    v_id := s.external_id || ':' || extract(epoch from p_start)::bigint;
    select coalesce(sum(r.quantity) filter (where r.state = 'sent' and r.sent_at < clock_timestamp() - interval '15 minutes'), 0),
           coalesce(sum(r.quantity) filter (where r.state = 'pending' or (r.state = 'sent' and r.sent_at >= clock_timestamp() - interval '15 minutes')
                                                  or (r.state = 'canceled' and r.updated_at >= clock_timestamp() - interval '15 minutes')), 0)
      into v_sure, v_open
      from public.usage_reports r
     where r.organization_id = s.organization_id and r.customer_id = s.external_customer_id
       and coalesce(r.told_at, r.occurred_at) >= p_start and coalesce(r.told_at, r.occurred_at) < p_end;
    if p_theirs between v_sure and v_sure + v_open then
        perform public.billing_agree('stripe', '{usage_meter}', v_id);
        perform public.billing_agree('stripe', '{meter_total}', i.external_id) from public.invoices i
          where i.provider = 'stripe' and i.external_subscription_id = s.external_id and date_trunc('minute', i.period_start) = p_start;
    else
        perform public.billing_differ('stripe', 'usage_meter', v_id, s.organization_id, jsonb_build_object('seconds', v_sure, 'under_way', v_open),
                                     jsonb_build_object('seconds', p_theirs, 'customer', s.external_customer_id));
    end if;
end
$$;

-- What the ledger says is beyond the plan, against what the provider is told of it, of a billing period.
create or replace function public.reconcile_reports(p_subscription uuid, p_start timestamptz, p_end timestamptz) returns void
    language plpgsql security definer set search_path = '' as $$
declare
    s public.subscriptions;
    v_id text;
    v_overage numeric;
    v_reported numeric;
begin
    select * into s from public.subscriptions x where x.id = p_subscription;
    v_id := s.external_id || ':' || extract(epoch from p_start)::bigint;
    select coalesce(sum(e.overage), 0), coalesce(sum((
               select sum(r.quantity) from public.usage_reports r where r.entry_id = e.id and r.state in ('pending', 'sent', 'unbilled'))), 0)
      into v_overage, v_reported
      from public.usage_entries e
     where e.organization_id = s.organization_id and e.kind = 'seconds' and e.billed_at >= p_start and e.billed_at < p_end and e.overage > 0;
    if v_overage = v_reported then
        perform public.billing_agree('stripe', '{usage_unreported}', v_id);
    else
        perform public.billing_differ('stripe', 'usage_unreported', v_id, s.organization_id, jsonb_build_object('seconds', v_overage), jsonb_build_object('seconds', v_reported));
    end if;
end
$$;
