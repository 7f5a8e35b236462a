-- 74_stripe_sync.sql - the SQL side of the workflows that read at Stripe: stripe-sync (common/work/flow_stripe.c), subscription-sync.

-- What is read by a step of stripe-sync, under which number; nothing when there is nothing of the kind.  The number is taken before the
-- request goes out.
create or replace function public.stripe_sync_prepare(p_run jsonb) returns jsonb
    language plpgsql security definer set search_path = '' as $$
declare
    v_id text := public.stripe_sync_id(p_run ->> 'step', p_run -> 'input', p_run -> 'results');
begin
    if v_id is null then
        return '{"result": {}}';
    end if;
    return jsonb_build_object('prepared', jsonb_build_object('id', v_id, 'read', nextval('public.billing_reads'),
                                                             'gone', p_run -> 'input' ->> 'type' = 'customer.deleted'));
end
$$;

-- An event names one object; what it belongs to is read with it, so that it does not matter which of them is told of first.
create or replace function public.stripe_sync_id(p_step text, p_input jsonb, p_results jsonb) returns text
    language plpgsql stable security definer set search_path = '' as $$
declare
    v_kind text := p_input ->> 'kind';
    v_id text := p_input ->> 'id';
    v_charge jsonb := p_results -> 'charge' -> 'charge';
begin
    if p_step in ('charge', 'customer') then
        return case when v_kind = p_step then v_id end;
    elsif p_step = 'session' then
        return case when v_kind = 'checkout_session' then v_id end;
    elsif p_step = 'payment' then
        return case when v_charge ->> 'invoice' is null then v_charge ->> 'payment_intent' end;
    elsif p_step = 'invoice' then
        return case when v_kind = 'invoice' then v_id else coalesce(v_charge ->> 'invoice', p_results -> 'payment' ->> 'invoice') end;
    end if;
    return coalesce(case when v_kind = 'subscription' then v_id end, p_results -> 'session' -> 'session' ->> 'subscription',
        p_results -> 'invoice' -> 'invoice' ->> 'subscription',
        (select s.external_id from public.subscriptions s
          where v_kind = 'customer' and s.origin = 'stripe' and s.current and s.external_customer_id = v_id limit 1));
end
$$;

-- What was read, applied together: the subscription first, since by it the rest is known to be ours.
create or replace function public.stripe_sync_apply(p_run jsonb) returns jsonb
    language plpgsql security definer set search_path = '' as $$
declare
    r jsonb := p_run -> 'results';
    v_input jsonb := p_run -> 'input';
    v_invoice jsonb := r -> 'invoice' -> 'invoice';
    v_organization uuid;
begin
    perform public.checkout_apply(x) from (select r -> 'session' -> 'session') t(x) where x is not null;
    perform public.subscription_apply(x) from (select r -> 'subscription' -> 'subscription') t(x) where x is not null;
    perform public.customer_apply(x) from (select r -> 'customer' -> 'customer') t(x) where x is not null;
    perform public.invoice_apply(v_invoice) where v_invoice is not null;
    perform public.charge_apply(x || jsonb_build_object('invoice', v_invoice -> 'id')) from (select r -> 'charge' -> 'charge') t(x) where x is not null;
    if v_input ->> 'type' = 'invoice.payment_failed' then
        -- It was tried, whatever has become of it since.
        perform public.invoice_note(i, 'payment_failed', ':1', i.amount_due_cents, null)
           from public.invoices i where i.provider = 'stripe' and i.external_id = v_invoice ->> 'id';
    end if;
    -- Who has an invoice's address sees it, and may pay it: that stands with the invoice, and not in the run, which operators look at.
    update public.workflow_steps s set result = s.result #- '{invoice,hosted_url}' #- '{invoice,pdf_url}'
     where s.run_id = p_run ->> 'id' and s.step = 'invoice' and v_invoice is not null;
    v_organization := public.stripe_sync_owner(r);
    if v_input ->> 'event' is not null then
        perform public.money_followed('stripe', v_input ->> 'event', v_input ->> 'id', v_organization,
                                      case when v_organization is null then 'ignored' else 'applied' end);
    end if;
    return null;
end
$$;

create or replace function public.stripe_sync_owner(r jsonb) returns uuid
    language plpgsql stable security definer set search_path = '' as $$
begin
    return coalesce(
        (select s.organization_id from public.subscriptions s
          where s.origin = 'stripe' and s.external_id = r -> 'subscription' -> 'subscription' ->> 'id'),
        (select i.organization_id from public.invoices i where i.provider = 'stripe' and i.external_id = r -> 'invoice' -> 'invoice' ->> 'id'),
        (select c.organization_id from public.checkout_sessions c where c.external_id = r -> 'session' -> 'session' ->> 'id'),
        public.customer_owner('stripe', r -> 'customer' -> 'customer' ->> 'id'));
end
$$;

-- Has an object read: once for each p_why.
create or replace function public.stripe_read(p_why text, p_kind text, p_id text, p_organization uuid) returns boolean
    language plpgsql security definer set search_path = '' as $$
begin
    return public.work_start(format('stripe-sync:%s:%s', p_why, p_id), 'stripe-sync',
                             jsonb_build_object('event', null, 'type', p_why, 'kind', p_kind, 'id', p_id), p_organization);
end
$$;

-- ---- subscription-sync ----------------------------------------------------------

-- Daily: what no event has told of for a day is read again, and what should have been renewed; so many at once, then a pause, so that
-- Stripe's limits are kept.
create or replace function public.subscription_sync(p_run jsonb) returns jsonb
    language plpgsql security definer set search_path = '' as $$
declare
    v_batch constant integer := 100;
    v_ids uuid[];
    v_after uuid := coalesce(public.uuid_or_null(p_run -> 'input' ->> 'after'), '00000000-0000-0000-0000-000000000000');
begin
    select array_agg(x.id order by x.id) into v_ids from (
        select s.id from public.subscriptions s join public.subscription_standings g on g.status = s.status
         where s.origin = 'stripe' and not g.is_over and s.id > v_after
           and (s.synced_at is null or s.synced_at < statement_timestamp() - interval '23 hours' or s.current_period_end <= statement_timestamp())
         order by s.id limit v_batch) x;
    perform public.stripe_read('daily:' || coalesce(p_run ->> 'slot', p_run ->> 'id'), 'subscription', s.external_id, s.organization_id)
       from public.subscriptions s where s.id = any (v_ids);
    if cardinality(v_ids) = v_batch then
        return jsonb_build_object('again', p_run -> 'input' || jsonb_build_object('after', v_ids[v_batch]), 'sleep_seconds', 5);
    end if;
    return null;
end
$$;
