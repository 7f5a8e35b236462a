-- 74_invoices.sql - what a payment provider says of invoices, charges, customers and checkout pages becomes ours.

-- p: the normal form of common/peers/stripe.h.  Answers a step's directive.
create or replace function public.invoice_apply(p jsonb) returns jsonb
    language plpgsql security definer set search_path = '' as $$
declare
    v_organization uuid := public.invoice_owner(p);
    o public.invoices;
    i public.invoices;
begin
    if v_organization is null then
        perform public.billing_differ(p ->> 'provider', 'stranger', p ->> 'id', null, null,
                                      jsonb_build_object('customer', p ->> 'customer', 'total', p -> 'total', 'currency', p ->> 'currency'));
        return null;
    end if;
    perform from public.organizations x where x.id = v_organization for no key update;
    select * into o from public.invoices x where x.provider = p ->> 'provider' and x.external_id = p ->> 'id' for update;
    if o.read_number >= (p ->> 'read')::bigint then
        return null;
    end if;
    i := public.invoice_normal(v_organization, o, p);
    if o.id is null then
        insert into public.invoices (organization_id, provider, external_id, status, currency, issued_at)
        values (i.organization_id, i.provider, i.external_id, i.status, i.currency, i.issued_at)
        returning id into i.id;
    end if;
    perform public.invoice_write(i);
    perform public.invoice_tell(i);
    perform public.billing_agree(p ->> 'provider', array['stranger'], p ->> 'id');
    if i.status = 'draft' and i.billing_reason = 'subscription_cycle' and exists (
        select from public.subscriptions s where s.origin = i.provider and s.external_id = i.external_subscription_id) then
        perform public.cycle_begin(i.id);
    end if;
    return null;
end
$$;

create or replace function public.invoice_owner(p jsonb) returns uuid
    language plpgsql stable security definer set search_path = '' as $$
begin
    return coalesce(
        (select i.organization_id from public.invoices i where i.provider = p ->> 'provider' and i.external_id = p ->> 'id'),
        (select s.organization_id from public.subscriptions s where s.origin = p ->> 'provider' and s.external_id = p ->> 'subscription'),
        public.customer_owner(p ->> 'provider', p ->> 'customer'));
end
$$;

-- The row as it is to be; i is what it was.  A currency that was not told is ISO 4217's word for none, and amounts stay as they were told.
create or replace function public.invoice_normal(p_organization uuid, i public.invoices, p jsonb) returns public.invoices
    language plpgsql security definer set search_path = '' as $$
begin
    i.organization_id := p_organization;
    i.provider := p ->> 'provider';
    i.external_id := p ->> 'id';
    i.external_subscription_id := p ->> 'subscription';
    i.number := p ->> 'number';
    i.status := coalesce(p ->> 'status', 'unknown');
    i.billing_reason := p ->> 'billing_reason';
    i.currency := coalesce(lower(p ->> 'currency'), 'xxx');
    i.total_cents := coalesce((p ->> 'total')::bigint, 0);
    i.tax_cents := (p ->> 'tax')::bigint;
    i.amount_due_cents := coalesce((p ->> 'amount_due')::bigint, 0);
    i.amount_paid_cents := coalesce((p ->> 'amount_paid')::bigint, 0);
    i.amount_remaining_cents := coalesce((p ->> 'amount_remaining')::bigint, 0);
    -- An invoice itself does not say what was paid back: who knows it tells it.
    i.refunded_cents := coalesce((p ->> 'refunded')::bigint, i.refunded_cents, 0);
    i.lines := coalesce(p -> 'lines', '[]');
    i.hosted_url := p ->> 'hosted_url';
    i.pdf_url := p ->> 'pdf_url';
    i.attempt_count := coalesce((p ->> 'attempt_count')::integer, 0);
    return public.invoice_normal_times(i, p);
end
$$;

create or replace function public.invoice_normal_times(i public.invoices, p jsonb) returns public.invoices
    language plpgsql stable security definer set search_path = '' as $$
begin
    i.period_start := public.unix_time(p -> 'period_start');
    i.period_end := public.unix_time(p -> 'period_end');
    i.next_attempt_at := public.unix_time(p -> 'next_attempt');
    i.paid_at := public.unix_time(p -> 'paid_at');
    i.finalized_at := public.unix_time(p -> 'finalized_at');
    i.issued_at := coalesce(public.unix_time(p -> 'created'), i.issued_at, now());
    i.read_number := (p ->> 'read')::bigint;
    i.synced_at := clock_timestamp();
    return i;
end
$$;

create or replace function public.invoice_write(i public.invoices) returns void
    language plpgsql security definer set search_path = '' as $$
begin
    update public.invoices x
       set external_subscription_id = i.external_subscription_id, number = i.number, status = i.status, billing_reason = i.billing_reason,
           currency = i.currency, total_cents = i.total_cents, tax_cents = i.tax_cents, amount_due_cents = i.amount_due_cents,
           amount_paid_cents = i.amount_paid_cents, amount_remaining_cents = i.amount_remaining_cents, refunded_cents = i.refunded_cents,
           period_start = i.period_start, period_end = i.period_end, lines = i.lines, hosted_url = i.hosted_url, pdf_url = i.pdf_url,
           attempt_count = i.attempt_count, next_attempt_at = i.next_attempt_at, paid_at = i.paid_at, finalized_at = i.finalized_at,
           issued_at = i.issued_at, read_number = i.read_number, synced_at = i.synced_at
     where x.id = i.id;
end
$$;

-- All of it follows from the invoice as it is, so that it is told the same whatever was read before, and whatever was missed.
create or replace function public.invoice_tell(i public.invoices) returns void
    language plpgsql security definer set search_path = '' as $$
declare
    v_failed integer := i.attempt_count - (i.status = 'paid')::integer;
begin
    if i.currency not in (select l.currency from public.subscription_plans l) then
        perform public.billing_differ(i.provider, 'unknown_currency', i.external_id, i.organization_id, null, jsonb_build_object('currency', i.currency));
    end if;
    if i.finalized_at is not null and i.status <> 'draft' then
        perform public.invoice_note(i, 'invoice_finalized', '', i.total_cents, i.finalized_at);
    end if;
    if i.status in ('open', 'paid', 'uncollectible', 'void') then
        perform public.invoice_note(i, 'payment_failed', ':' || n, i.amount_due_cents, null) from generate_series(1, v_failed) n;
    end if;
    if i.status = 'paid' then
        perform public.invoice_note(i, 'invoice_paid', '', i.amount_paid_cents, i.paid_at);
    elsif i.status = 'void' then
        perform public.invoice_note(i, 'invoice_voided', '', i.total_cents, null);
    elsif i.status = 'uncollectible' then
        perform public.invoice_note(i, 'invoice_uncollectible', '', i.amount_remaining_cents, null);
    end if;
end
$$;

create or replace function public.invoice_note(i public.invoices, p_type text, p_suffix text, p_amount bigint, p_at timestamptz) returns void
    language plpgsql security definer set search_path = '' as $$
begin
    perform public.billing_note(i.organization_id, i.provider, format('%s:%s%s', p_type, i.external_id, p_suffix), p_type, p_amount, i.currency,
                                i.external_id, i.external_subscription_id, jsonb_build_object('invoice_id', i.id, 'number', i.number), p_at);
end
$$;

-- ---- charges, customers, checkout pages -----------------------------------------

-- What was paid back, or is disputed.  p: a charge, with the invoice that it paid.
create or replace function public.charge_apply(p jsonb) returns jsonb
    language plpgsql security definer set search_path = '' as $$
declare
    i public.invoices;
    v_refunded bigint := coalesce((p ->> 'refunded')::bigint, 0);
begin
    select x.* into i from public.invoices x where x.provider = p ->> 'provider' and x.external_id = p ->> 'invoice';
    if not found then
        return null;
    end if;
    perform from public.organizations x where x.id = i.organization_id for no key update;
    select x.* into i from public.invoices x where x.id = i.id for update;
    if v_refunded > i.refunded_cents then
        perform public.billing_note(i.organization_id, i.provider, format('refunded:%s:%s', p ->> 'id', v_refunded), 'refunded',
            v_refunded - i.refunded_cents, p ->> 'currency', i.external_id, i.external_subscription_id,
            jsonb_build_object('invoice_id', i.id, 'charge', p ->> 'id', 'refunded_cents', v_refunded));
        update public.invoices x set refunded_cents = v_refunded where x.id = i.id;
    end if;
    if (p ->> 'disputed')::boolean then
        perform public.billing_note(i.organization_id, i.provider, format('disputed:%s', p ->> 'id'), 'disputed', (p ->> 'amount')::bigint,
            p ->> 'currency', i.external_id, i.external_subscription_id, jsonb_build_object('invoice_id', i.id, 'charge', p ->> 'id'));
    end if;
    return null;
end
$$;

-- How somebody pays who has no subscription yet, or no more; of who has one, the subscription says it.
create or replace function public.customer_apply(p jsonb) returns jsonb
    language plpgsql security definer set search_path = '' as $$
declare
    v_organization uuid := public.customer_owner(p ->> 'provider', p ->> 'id');
    b public.billing_accounts;
begin
    if v_organization is null and p ->> 'provider' = 'paddle' then
        v_organization := public.subscription_owner(p || jsonb_build_object('customer', p ->> 'id', 'id', null));
    end if;
    perform from public.organizations x where x.id = v_organization for no key update;
    select * into b from public.billing_accounts x where x.organization_id = v_organization for update;
    if b.organization_id is null or b.customer_read >= (p ->> 'read')::bigint then
        return null;
    end if;
    update public.billing_accounts x
       set customer_read = (p ->> 'read')::bigint, customer_deleted = coalesce((p ->> 'deleted')::boolean, false)
     where x.organization_id = v_organization;
    if not exists (select from public.subscriptions s where s.organization_id = v_organization and s.current and s.origin <> 'manual') then
        perform public.payment_method_keep(v_organization, p);
    end if;
    return null;
end
$$;

create or replace function public.checkout_apply(p jsonb) returns jsonb
    language plpgsql security definer set search_path = '' as $$
declare
    c public.checkout_sessions;
begin
    select * into c from public.checkout_sessions x where x.external_id = p ->> 'id';
    if not found then
        return null;
    end if;
    perform from public.organizations x where x.id = c.organization_id for no key update;
    update public.checkout_sessions x
       set status = case when p ->> 'status' in ('open', 'complete', 'expired') then p ->> 'status' else x.status end,
           payment_status = p ->> 'payment_status', external_subscription_id = coalesce(p ->> 'subscription', x.external_subscription_id),
           expires_at = coalesce(public.unix_time(p -> 'expires_at'), x.expires_at), read_number = (p ->> 'read')::bigint,
           completed_at = case when p ->> 'status' = 'complete' then coalesce(x.completed_at, now())
                             when p ->> 'status' in ('open', 'expired') then null else x.completed_at end
     where x.id = c.id and x.read_number < (p ->> 'read')::bigint;
    return null;
end
$$;
