-- 78_reconcile_agrees.sql - whether what was written down when a period was closed, when usage was told, or when money was paid back, agrees by now.

-- ---- usage ------------------------------------------------------------------------

-- Of what the meter was to be told: external_id is a report's identifier, or the invoice of a period.
create or replace function public.reconcile_usage_agrees(d public.billing_differences) returns boolean
    language plpgsql stable security definer set search_path = '' as $$
declare
    r public.usage_reports;
    i public.invoices;
begin
    select * into r from public.usage_reports x where x.identifier = d.external_id;
    if r.identifier is not null then
        return case d.kind when 'usage_overtold' then r.state = 'canceled' or public.reconcile_entry_told(r.entry_id)
                           else r.state in ('sent', 'canceled') end;
    end if;
    select * into i from public.invoices x where (x.provider, x.external_id) = ('stripe', d.external_id);
    return case when i.id is null then false
                when d.kind = 'usage_untold' then not exists (
                    select from public.usage_reports x join public.usage_entries e on e.id = x.entry_id
                     where x.organization_id = i.organization_id and x.state = 'pending' and e.billed_at < i.period_end)
                when d.kind = 'invoice_usage' then public.cycle_told(i.organization_id, i.period_start, i.period_end)
                                                   = coalesce((public.cycle_line(i.lines)).quantity, 0)
                else false end;
end
$$;

-- The meter was told of a call what the ledger says.
create or replace function public.reconcile_entry_told(p_entry uuid) returns boolean
    language plpgsql stable security definer set search_path = '' as $$
begin
    return (select coalesce(sum(x.quantity), 0) from public.usage_reports x where x.entry_id = p_entry and x.state = 'sent')
         = (select e.overage from public.usage_entries e where e.id = p_entry);
end
$$;

-- The item for further minutes has a price of the plan, or there is none where the plan sells none; or all of it is over.
create or replace function public.reconcile_overage_agrees(p_subscription text) returns boolean
    language plpgsql stable security definer set search_path = '' as $$
declare
    s public.subscriptions;
begin
    select * into s from public.subscriptions x where x.origin = 'stripe' and x.external_id = p_subscription;
    return exists (select from public.subscription_standings g where g.status = s.status and g.is_over)
        or exists (select from public.plan_prices p where p.provider = 'stripe' and p.kind = 'overage' and p.plan_id = s.plan_id and p.price_id = s.overage_price_id)
        or (s.plan_id is not null and s.overage_item_id is null
            and not exists (select from public.plan_prices p where p.provider = 'stripe' and p.kind = 'overage' and p.plan_id = s.plan_id and p.active));
end
$$;

-- ---- refunds ----------------------------------------------------------------------

-- One that Stripe has.  True: its charge is to be read, which says all that was paid back of it.
create or replace function public.reconcile_refund(t jsonb) returns boolean
    language plpgsql security definer set search_path = '' as $$
begin
    if t ->> 'status' is distinct from 'succeeded' or t ->> 'charge' is null
       or public.reconcile_refund_known(t ->> 'charge', (t ->> 'created')::double precision) then
        return false;
    end if;
    perform public.billing_differ('stripe', 'refund_missing', t ->> 'charge', null, null,
                                  jsonb_build_object('amount', t -> 'amount', 'currency', t ->> 'currency', 'created', t -> 'created'));
    return true;
end
$$;

-- Whether the charge was read since then (clocks differ a little): it was noted what had been paid back of it.
create or replace function public.reconcile_refund_known(p_charge text, p_created double precision) returns boolean
    language plpgsql stable security definer set search_path = '' as $$
begin
    return exists (select from public.billing_events e
                    where e.event_type = 'refunded' and split_part(e.key, ':', 2) = p_charge and e.created_at >= to_timestamp(p_created) - interval '1 minute');
end
$$;
