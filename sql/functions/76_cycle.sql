-- 76_cycle.sql - the end of a billing period: its usage is final, what lies beyond the plan was told, its invoice goes out, and somebody is
-- told.  The workflow is common/work/flow_cycle.c; periods without an invoice are found by the clock (76_cycle_clock.sql).

-- A renewal invoice is a draft: its period is closed and its usage told.  p_invoice: public.invoices.id.
create or replace function public.cycle_begin(p_invoice uuid) returns void
    language plpgsql security definer set search_path = '' as $$
begin
    perform public.work_start('billing-cycle:' || i.external_id, 'billing-cycle',
                              jsonb_build_object('invoice', i.external_id, 'subscription', i.external_subscription_id,
                                                 'period_start', i.period_start, 'period_end', i.period_end, 'seen_at', clock_timestamp()),
                              i.organization_id)
       from public.invoices i
      where i.id = p_invoice and i.provider = 'stripe' and i.billing_reason = 'subscription_cycle' and i.period_end is not null;
end
$$;

-- What a run is about.
create or replace function public.cycle_of(p_run jsonb, out organization uuid, out invoice text, out subscription text, out period_start timestamptz,
                                           out period_end timestamptz) language plpgsql immutable set search_path = '' as $$
begin
    organization := (p_run ->> 'organization_id')::uuid;
    invoice := p_run -> 'input' ->> 'invoice';
    subscription := p_run -> 'input' ->> 'subscription';
    period_start := (p_run -> 'input' ->> 'period_start')::timestamptz;
    period_end := (p_run -> 'input' ->> 'period_end')::timestamptz;
end
$$;

-- ---- steps ---------------------------------------------------------------------

-- Step "hold": the draft is kept from going out by itself.  Where there is no invoice there is nothing to hold.
create or replace function public.cycle_hold(p_run jsonb) returns jsonb
    language plpgsql security definer set search_path = '' as $$
begin
    if p_run -> 'input' ->> 'invoice' is null then
        return '{"next": "close"}';
    end if;
    return '{"prepared": {}}';
end
$$;

-- Step "wait": reports of calls may come late.  What counts is our clock since we learnt of the draft, should the provider's be ahead of it.
create or replace function public.cycle_wait(p_run jsonb) returns jsonb
    language plpgsql security definer set search_path = '' as $$
begin
    if p_run -> 'results' -> 'hold' ->> 'status' <> 'draft' then
        return null;
    end if;
    return jsonb_build_object('until', least((p_run -> 'input' ->> 'period_end')::timestamptz, (p_run -> 'input' ->> 'seen_at')::timestamptz)
                                       + (p_run -> 'results' -> 'hold' ->> 'late_minutes')::integer * interval '1 minute');
end
$$;

-- Step "close": from here on what is learnt of the period belongs to the next one.
create or replace function public.cycle_close(p_run jsonb) returns jsonb
    language plpgsql security definer set search_path = '' as $$
declare
    c record := public.cycle_of(p_run);
begin
    return jsonb_build_object('result', public.usage_close(c.organization, c.period_end) || jsonb_build_object('at', clock_timestamp()));
end
$$;

-- Longer each time, from a second to a minute.
create or replace function public.cycle_pause(p_run jsonb) returns numeric
    language plpgsql volatile set search_path = '' as $$
begin
    return round(greatest(1, least(60, extract(epoch from clock_timestamp() - (p_run -> 'results' -> 'close' ->> 'at')::timestamptz) / 5)), 3);
end
$$;

-- Step "reports": all that lies beyond the plan has been told, and what was told too much is taken back.  What could not be told in a day is told to the next period, and noted.
create or replace function public.cycle_reports(p_run jsonb) returns jsonb
    language plpgsql security definer set search_path = '' as $$
declare
    c record := public.cycle_of(p_run);
    v_pending integer;
begin
    select count(*) into v_pending from public.usage_reports r
      join public.usage_entries e on e.id = r.entry_id
     where r.organization_id = c.organization and e.billed_at < c.period_end
       and (r.state = 'pending' or (r.state = 'canceled' and r.sent_at is not null and r.reason = 'corrected'));
    if v_pending = 0 or c.invoice is null then
        return null;
    elsif (p_run -> 'results' -> 'close' ->> 'at')::timestamptz > clock_timestamp() - interval '1 day' then
        return jsonb_build_object('sleep_seconds', public.cycle_pause(p_run), 'next', 'reports');
    end if;
    perform public.billing_differ('stripe', 'usage_untold', c.invoice, c.organization, jsonb_build_object('pending', v_pending), null);
    return null;
end
$$;

-- Step "meter": what the meter is asked, in whole minutes, and what we told it of them.
create or replace function public.cycle_meter(p_run jsonb) returns jsonb
    language plpgsql security definer set search_path = '' as $$
declare
    c record := public.cycle_of(p_run);
    v_start timestamptz := date_trunc('minute', c.period_start);
    v_end timestamptz := date_trunc('minute', c.period_end - interval '1 microsecond') + interval '1 minute';
    v_customer text;
    v_event text;
    v_told numeric;
    v_meter text;
begin
    select r.customer_id, r.event_name, sum(r.quantity) into v_customer, v_event, v_told from public.usage_reports r
     where r.organization_id = c.organization and r.state = 'sent' and r.told_at >= v_start and r.told_at < v_end
     group by 1, 2 order by 3 desc limit 1;
    select m.meter_id into v_meter from public.billing_meters m where m.provider = 'stripe' and m.event_name = v_event;
    if c.invoice is null or v_meter is null then
        return '{"next": "finalize"}';
    end if;
    return jsonb_build_object('prepared', jsonb_build_object('meter', v_meter, 'customer', v_customer, 'told', v_told,
        'start', extract(epoch from v_start)::bigint, 'end', extract(epoch from v_end)::bigint));
end
$$;

-- What the meter counted must be what it was told.  It counts by itself, a little later; after half an hour that is noted, and the invoice
-- goes out.
create or replace function public.cycle_metered(p_run jsonb) returns jsonb
    language plpgsql security definer set search_path = '' as $$
declare
    c record := public.cycle_of(p_run);
    v_told numeric := (p_run -> 'result' ->> 'told')::numeric;
    v_counted numeric := (p_run -> 'result' ->> 'counted')::numeric;
begin
    if v_told is not distinct from v_counted then
        return null;
    elsif (p_run -> 'results' -> 'close' ->> 'at')::timestamptz > clock_timestamp() - interval '30 minutes' then
        return jsonb_build_object('sleep_seconds', public.cycle_pause(p_run), 'next', 'meter');
    end if;
    perform public.billing_differ('stripe', 'meter_total', c.invoice, c.organization, to_jsonb(v_told), to_jsonb(v_counted));
    return null;
end
$$;

-- Step "finalize": the invoice goes out, unless it is out already.
create or replace function public.cycle_finalize(p_run jsonb) returns jsonb
    language plpgsql security definer set search_path = '' as $$
declare
    v_status text := p_run -> 'results' -> 'hold' ->> 'status';
begin
    if p_run -> 'input' ->> 'invoice' is null or v_status = 'gone' then
        return '{"next": "tell"}';
    elsif v_status = 'final' then
        return '{"next": "invoice"}';
    end if;
    return '{"prepared": {}}';
end
$$;

-- Step "invoice": what it is now.
create or replace function public.cycle_invoice(p_run jsonb) returns jsonb
    language plpgsql security definer set search_path = '' as $$
begin
    return jsonb_build_object('prepared', jsonb_build_object('id', p_run -> 'input' ->> 'invoice', 'read', nextval('public.billing_reads')));
end
$$;

-- One that is still a draft is tried to be sent again; our books have what was read.
create or replace function public.cycle_invoiced(p_run jsonb) returns jsonb
    language plpgsql security definer set search_path = '' as $$
begin
    if p_run -> 'result' ? 'read' then
        perform public.invoice_apply(p_run -> 'result');
    end if;
    if p_run -> 'result' ->> 'status' = 'draft' then
        return jsonb_build_object('sleep_seconds', public.cycle_pause(p_run), 'next', 'finalize');
    end if;
    return null;
end
$$;

-- ---- telling -------------------------------------------------------------------

-- What the invoice charges for what lies beyond the plan; null where it has no such line.
create or replace function public.cycle_line(p_lines jsonb, out quantity numeric, out amount numeric)
    language plpgsql stable security definer set search_path = '' as $$
begin
    select sum((l ->> 'quantity')::numeric), sum((l ->> 'amount')::numeric) into quantity, amount
      from jsonb_array_elements(coalesce(p_lines, '[]')) l
      join public.plan_prices p on p.provider = 'stripe' and p.kind = 'overage' and p.price_id = l ->> 'price';
end
$$;

-- What the meter was told of a period.
create or replace function public.cycle_told(p_organization uuid, p_start timestamptz, p_end timestamptz) returns numeric
    language plpgsql stable security definer set search_path = '' as $$
begin
    return (select coalesce(sum(r.quantity), 0) from public.usage_reports r
             where r.organization_id = p_organization and r.state = 'sent' and r.told_at >= p_start and r.told_at < p_end);
end
$$;

-- What the meter was told of this period is what the invoice charges.
create or replace function public.cycle_check_line(p_run jsonb, p_quantity numeric) returns void
    language plpgsql security definer set search_path = '' as $$
declare
    c record := public.cycle_of(p_run);
    v_told numeric := public.cycle_told(c.organization, c.period_start, c.period_end);
begin
    if v_told <> coalesce(p_quantity, 0) then
        perform public.billing_differ('stripe', 'invoice_usage', c.invoice, c.organization, to_jsonb(v_told), to_jsonb(p_quantity));
    end if;
end
$$;

create or replace function public.cycle_summary(p_period public.usage_periods, p_amount numeric, p_currency text) returns jsonb
    language plpgsql stable security definer set search_path = '' as $$
declare
    p public.subscription_plans;
begin
    select * into p from public.subscription_plans x where x.id = p_period.plan_id;
    return jsonb_build_object('period_start', to_char(p_period.period_start at time zone 'UTC', 'FMDD Mon YYYY'),
        'period_end', to_char(p_period.period_end at time zone 'UTC', 'FMDD Mon YYYY'),
        'calls', p_period.calls::text, 'minutes', round(p_period.billable_seconds / 60.0, 1)::text,
        'included', coalesce(p.minutes_limit::text, 'all'), 'overage', round(p_period.overage_seconds / 60.0, 1)::text,
        'cost', public.money_text(coalesce(p_amount, round(p_period.overage_seconds * p.overage_cents / 60), 0), coalesce(p_currency, p.currency, 'usd')),
        'cost_cents', coalesce(p_amount, round(p_period.overage_seconds * p.overage_cents / 60), 0), 'currency', coalesce(p_currency, p.currency, 'usd'));
end
$$;

-- Step "tell": the period is closed; an event of money, and a mail to the owners where there was something.
create or replace function public.cycle_tell(p_run jsonb) returns jsonb
    language plpgsql security definer set search_path = '' as $$
declare
    c record := public.cycle_of(p_run);
    v_invoice jsonb := coalesce(p_run -> 'results' -> 'invoice', '{}');
    v_line record := public.cycle_line(v_invoice -> 'lines');
    v_period public.usage_periods;
    v_summary jsonb;
begin
    if v_invoice ->> 'status' is not null then
        perform public.cycle_check_line(p_run, v_line.quantity);
    end if;
    select * into v_period from public.usage_periods x
     where x.organization_id = c.organization and x.period_start = (p_run -> 'results' -> 'close' ->> 'period_start')::timestamptz;
    if not found then
        return '{"next": "items"}';
    end if;
    update public.usage_periods x set external_invoice_id = coalesce(c.invoice, x.external_invoice_id)
     where x.organization_id = v_period.organization_id and x.period_start = v_period.period_start;
    v_summary := public.cycle_summary(v_period, v_line.amount, v_invoice ->> 'currency');
    perform public.billing_note(c.organization, case when c.invoice is not null then 'stripe' end,
        format('period_closed:%s', (extract(epoch from v_period.period_start) * 1000000)::bigint), 'period_closed', (v_summary ->> 'cost_cents')::bigint,
        v_summary ->> 'currency', c.invoice, c.subscription,
        jsonb_build_object('calls', v_period.calls, 'total_minutes', round(v_period.billable_seconds / 60.0, 4), 'included_minutes',
            (select p.minutes_limit from public.subscription_plans p where p.id = v_period.plan_id),
            'overage_minutes', round(v_period.overage_seconds / 60.0, 4), 'overage_cost_cents', v_summary -> 'cost_cents',
            'period_start', public.time_view(v_period.period_start), 'period_end', public.time_view(v_period.period_end)));
    if v_period.calls > 0 then
        perform public.billing_mail(p_run ->> 'id', 'usage_summary', c.organization, v_summary, '{owner}');
    end if;
    return null;
end
$$;

-- ---- the price of what lies beyond the plan ----------------------------------------

-- Step "items": is there a subscription whose items may have to be set right?
create or replace function public.cycle_items(p_run jsonb) returns jsonb
    language plpgsql security definer set search_path = '' as $$
begin
    if not exists (select from public.subscriptions s
                    where s.origin = 'stripe' and s.external_id = p_run -> 'input' ->> 'subscription' and s.current and s.plan_id is not null) then
        return '{"done": true}';
    end if;
    return '{"prepared": {}}';
end
$$;

-- Step "align": the item for what lies beyond the plan has a price of the plan that holds now (an older one of the same plan is kept).
create or replace function public.cycle_align(p_run jsonb) returns jsonb
    language plpgsql security definer set search_path = '' as $$
declare
    s public.subscriptions;
    v_item text;
    v_plan uuid;
    v_wanted text;
begin
    perform from public.organizations o where o.id = (p_run ->> 'organization_id')::uuid for no key update;
    select * into s from public.subscriptions x
     where x.origin = 'stripe' and x.external_id = p_run -> 'input' ->> 'subscription' and x.current;
    select i ->> 'id', p.plan_id into v_item, v_plan
      from jsonb_array_elements(p_run -> 'results' -> 'items' -> 'items') i
      join public.plan_prices p on p.provider = 'stripe' and p.kind = 'overage' and p.price_id = i ->> 'price'
     order by p.plan_id = s.plan_id desc limit 1;
    select p.price_id into v_wanted from public.plan_prices p
     where p.plan_id = s.plan_id and p.provider = 'stripe' and p.kind = 'overage' and p.active;
    if s.plan_id is null or v_plan = s.plan_id or (v_item is null and v_wanted is null)
       or p_run -> 'results' -> 'items' ->> 'status' not in ('trialing', 'active', 'past_due', 'unpaid') is not false then
        perform public.overage_release(p_run);
        return '{"done": true}';
    elsif v_item is not null and not public.overage_hold(s, p_run, v_wanted is null) then
        return jsonb_build_object('sleep_seconds', public.cycle_pause(p_run), 'next', 'align');
    end if;
    return jsonb_build_object('prepared', jsonb_strip_nulls(jsonb_build_object('subscription', s.external_id, 'item', v_item, 'price', v_wanted)));
end
$$;

-- Done: the price counts from now on, and what Stripe has is read.
create or replace function public.cycle_aligned(p_run jsonb) returns jsonb
    language plpgsql security definer set search_path = '' as $$
declare
    v_organization uuid := (p_run ->> 'organization_id')::uuid;
    v_external text := p_run -> 'input' ->> 'subscription';
begin
    if p_run -> 'result' ->> 'refused' is not null and (p_run ->> 'attempt')::integer between 2 and 5 then
        return '{"next": "items"}'; -- perhaps the try before it did it
    end if;
    perform from public.organizations o where o.id = v_organization for no key update;
    if p_run -> 'result' ->> 'refused' is not null then
        perform public.billing_differ('stripe', 'overage_item', v_external, v_organization, null, p_run -> 'result' -> 'refused');
    else
        update public.subscriptions x set overage_since = clock_timestamp() where x.origin = 'stripe' and x.external_id = v_external;
        perform public.stripe_read('aligned:' || (p_run ->> 'id'), 'subscription', v_external, v_organization);
    end if;
    perform public.overage_release(p_run);
    return null;
end
$$;
