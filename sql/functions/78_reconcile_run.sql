-- 78_reconcile_run.sql - the workflow "reconcile": one phase after the other, a page at a time.  Each page is a generation of the run; its input
-- says {"phase","after"}.  Phases that ask nobody are done while the next request is prepared.

-- How far back invoices are compared: a month, its late payments, and some days.
create or replace function public.reconcile_since(p_began timestamptz) returns timestamptz
    language plpgsql stable set search_path = '' as $$
begin
    return p_began - interval '45 days';
end
$$;

create or replace function public.reconcile_next(p_phase text) returns jsonb
    language plpgsql immutable set search_path = '' as $$
begin
    return jsonb_build_object('again', jsonb_build_object('phase', case p_phase
        when 'subscriptions' then 'subscriptions_gone' when 'subscriptions_gone' then 'invoices' when 'invoices' then 'invoices_open'
        when 'invoices_open' then 'invoices_gone' when 'invoices_gone' then 'refunds' when 'refunds' then 'usage' else 'settle' end));
end
$$;

-- When a run began: what was seen since then was seen by it.
create or replace function public.reconcile_began(p_run jsonb) returns timestamptz
    language plpgsql stable set search_path = '' as $$
begin
    return (select r.created_at from public.workflow_runs r where r.id = p_run ->> 'id');
end
$$;

-- The next request, or what can be done without one.
create or replace function public.reconcile_prepare(p_run jsonb) returns jsonb
    language plpgsql security definer set search_path = '' as $$
declare
    v_phase text := coalesce(p_run -> 'input' ->> 'phase', 'subscriptions');
    v_after text := p_run -> 'input' ->> 'after';
    v_began timestamptz := public.reconcile_began(p_run);
    v_since text := extract(epoch from public.reconcile_since(v_began))::bigint;
begin
    case v_phase
        when 'subscriptions' then
            return public.reconcile_ask('/v1/subscriptions', 'subscription', jsonb_build_object('limit', '100', 'starting_after', v_after));
        when 'invoices' then
            return public.reconcile_ask('/v1/invoices', 'invoice', jsonb_build_object('limit', '50', 'created[gte]', v_since, 'starting_after', v_after));
        when 'invoices_open' then
            return public.reconcile_ask('/v1/invoices', 'invoice', jsonb_build_object('limit', '50', 'status', 'open', 'created[lt]', v_since,
                                                                                      'starting_after', v_after));
        when 'refunds' then
            return public.reconcile_ask('/v1/refunds', 'refund', jsonb_build_object('limit', '100', 'created[gte]', v_since, 'starting_after', v_after));
        when 'usage' then
            return public.reconcile_usage_prepare(p_run);
        when 'subscriptions_gone' then
            return public.reconcile_subscriptions_gone(p_run, v_began, public.uuid_or_null(v_after));
        when 'invoices_gone' then
            return public.reconcile_invoices_gone(p_run, v_began, public.uuid_or_null(v_after));
        else
            return public.reconcile_settle(p_run, v_began);
    end case;
end
$$;

create or replace function public.reconcile_ask(p_path text, p_what text, p_query jsonb) returns jsonb
    language plpgsql volatile set search_path = '' as $$
begin
    return jsonb_build_object('prepared', jsonb_build_object('path', p_path, 'what', p_what, 'query', jsonb_strip_nulls(p_query),
                                                             'read', nextval('public.billing_reads')));
end
$$;

-- A page has come: {"items","has_more","last","read"}; without items it was read and then lost, and is asked for again.  absent: what the
-- request named is not there any more: a list begins anew.
create or replace function public.reconcile_page(p_run jsonb) returns jsonb
    language plpgsql security definer set search_path = '' as $$
declare
    v_in jsonb := p_run -> 'input';
    v_phase text := coalesce(v_in ->> 'phase', 'subscriptions');
    v_page jsonb := p_run -> 'result';
    v_read bigint := (v_page ->> 'read')::bigint;
    t jsonb;
begin
    if (v_page ->> 'absent')::boolean and v_phase <> 'usage' then
        return case when v_in ->> 'after' is null then jsonb_build_object('fail', 'list_absent')
                    else jsonb_build_object('again', jsonb_build_object('phase', v_phase)) end;
    elsif v_phase = 'usage' then
        return public.reconcile_usage_page(p_run);
    elsif not v_page ? 'items' then
        return jsonb_build_object('again', v_in, 'sleep_seconds', 1);
    end if;
    for t in select e from jsonb_array_elements(v_page -> 'items') e loop
        if (t ->> 'unreadable')::boolean then
            perform public.billing_differ('stripe', 'unreadable', t ->> 'id', null, null, null);
        elsif v_phase = 'subscriptions' and public.reconcile_subscription(t, v_read) then
            perform public.stripe_read(p_run ->> 'id', 'subscription', t ->> 'id', null);
        elsif v_phase = 'refunds' then
            perform public.stripe_read(p_run ->> 'id', 'charge', t ->> 'charge', null) where public.reconcile_refund(t);
        elsif v_phase like 'invoices%' and public.reconcile_invoice(t, v_read) then
            perform public.stripe_read(p_run ->> 'id', 'invoice', t ->> 'id', null);
        end if;
    end loop;
    if (v_page ->> 'has_more')::boolean and v_page ->> 'last' is not null then
        return jsonb_build_object('again', jsonb_build_object('phase', v_phase, 'after', v_page ->> 'last'));
    end if;
    return public.reconcile_next(v_phase);
end
$$;

-- ---- what Stripe does not list ----------------------------------------------------

-- Ours that are not over and were on no page.  If there are many and none of them was, the key is another account's, which knows none of them:
-- then that is said once, and nothing is asked for by name.
create or replace function public.reconcile_subscriptions_gone(p_run jsonb, p_began timestamptz, p_after uuid) returns jsonb
    language plpgsql security definer set search_path = '' as $$
declare
    v_few constant integer := 10;
    s public.subscriptions;
    v_n integer := 0;
begin
    if p_after is null and not exists (select from public.subscriptions x where x.origin = 'stripe' and x.reconciled_at >= p_began) then
        select count(*) into v_n from public.subscriptions x join public.subscription_standings t on t.status = x.status and t.is_live
         where x.origin = 'stripe' and x.created_at < p_began;
        if v_n > v_few then
            perform public.billing_differ('stripe', 'other_account', 'subscriptions', null, jsonb_build_object('subscriptions', v_n),
                                          jsonb_build_object('subscriptions', 0));
            return public.reconcile_next('subscriptions_gone');
        end if;
        v_n := 0;
    end if;
    for s in select x.* from public.subscriptions x join public.subscription_standings t on t.status = x.status and not t.is_over
              where x.origin = 'stripe' and x.external_id is not null and x.created_at < p_began and coalesce(x.synced_at, '-infinity') < p_began
                and (x.reconciled_at is null or x.reconciled_at < p_began) and (p_after is null or x.id > p_after)
              order by x.id limit 100 loop
        perform public.billing_differ('stripe', 'subscription_gone', s.external_id, s.organization_id, jsonb_build_object('status', s.external_status), null),
                public.stripe_read(p_run ->> 'id', 'subscription', s.external_id, s.organization_id);
        v_n := v_n + 1;
    end loop;
    return case when v_n = 100 then jsonb_build_object('again', jsonb_build_object('phase', 'subscriptions_gone', 'after', s.id))
                else public.reconcile_next('subscriptions_gone') end;
end
$$;

-- Invoices likewise: those that can still change, or that are young enough to have been listed.  Not where it is another account.
create or replace function public.reconcile_invoices_gone(p_run jsonb, p_began timestamptz, p_after uuid) returns jsonb
    language plpgsql security definer set search_path = '' as $$
declare
    i public.invoices;
    v_n integer := 0;
begin
    if exists (select from public.billing_differences d where d.kind = 'other_account' and d.resolved_at is null and d.last_seen_at >= p_began) then
        return public.reconcile_next('invoices_gone');
    end if;
    for i in select x.* from public.invoices x
              where x.provider = 'stripe' and x.created_at < p_began and x.synced_at < p_began
                and (x.status = 'open' or x.issued_at > public.reconcile_since(p_began) + interval '3 days')
                and (x.reconciled_at is null or x.reconciled_at < p_began) and (p_after is null or x.id > p_after)
              order by x.id limit 100 loop
        perform public.billing_differ('stripe', 'invoice_gone', i.external_id, i.organization_id, jsonb_build_object('status', i.status, 'total', i.total_cents), null),
                public.stripe_read(p_run ->> 'id', 'invoice', i.external_id, i.organization_id);
        v_n := v_n + 1;
    end loop;
    return case when v_n = 100 then jsonb_build_object('again', jsonb_build_object('phase', 'invoices_gone', 'after', i.id))
                else public.reconcile_next('invoices_gone') end;
end
$$;

-- ---- usage ----------------------------------------------------------------------

-- The open and the last period of the next subscription that has a meter, one after the other.  Meters count by whole minutes.
create or replace function public.reconcile_usage_prepare(p_run jsonb) returns jsonb
    language plpgsql security definer set search_path = '' as $$
declare
    v record;
begin
    select * into v from public.reconcile_usage_at(p_run -> 'input' ->> 'after', p_run -> 'input' ->> 'part');
    if v.id is null then
        return public.reconcile_next('usage');
    elsif v.meter_id is null or v.start_at >= v.end_at then
        return jsonb_build_object('again', jsonb_build_object('phase', 'usage', 'after', v.id, 'part', v.part));
    end if;
    return public.reconcile_ask('/v1/billing/meters/' || v.meter_id || '/event_summaries', 'summary', jsonb_build_object(
        'customer', v.customer, 'start_time', extract(epoch from v.start_at)::bigint::text, 'end_time', extract(epoch from v.end_at)::bigint::text,
        'limit', '100'));
end
$$;

-- What comes after (subscription, part): the same one's last period, or the next one's open period.
create or replace function public.reconcile_usage_at(p_after text, p_part text)
    returns table (id uuid, part text, customer text, meter_id text, start_at timestamptz, end_at timestamptz, billed_from timestamptz, billed_until timestamptz)
    language plpgsql stable security definer set search_path = '' as $$
declare
    s public.subscriptions;
    v_last boolean := coalesce(p_part = 'open', false);
begin
    select * into s from public.subscriptions x
     where x.origin = 'stripe' and x.overage_item_id is not null and x.external_customer_id is not null
       and case when v_last then x.id = p_after::uuid else p_after is null or x.id > p_after::uuid end
     order by x.id limit 1;
    id := s.id;
    part := case when v_last then 'last' else 'open' end;
    customer := s.external_customer_id;
    meter_id := (select m.meter_id from public.billing_meters m where m.provider = 'stripe' order by m.created_at limit 1);
    billed_from := s.current_period_start;
    billed_until := s.current_period_end;
    if v_last then
        billed_until := s.current_period_start;
        billed_from := coalesce((select max(u.period_start) from public.usage_periods u
                                  where u.organization_id = s.organization_id and u.period_start < s.current_period_start and u.subscription_id = s.id),
                                s.current_period_start);
    end if;
    start_at := date_trunc('minute', billed_from);
    end_at := least(date_trunc('minute', billed_until), date_trunc('minute', clock_timestamp()));
    return next;
end
$$;

-- The summaries of one time have come; a customer that is gone has none.
create or replace function public.reconcile_usage_page(p_run jsonb) returns jsonb
    language plpgsql security definer set search_path = '' as $$
declare
    v_page jsonb := p_run -> 'result';
    v record;
begin
    if not v_page ?| '{items,absent}' then
        return jsonb_build_object('again', p_run -> 'input', 'sleep_seconds', 1);
    end if;
    select * into v from public.reconcile_usage_at(p_run -> 'input' ->> 'after', p_run -> 'input' ->> 'part');
    if v_page ? 'items' then
        perform public.reconcile_usage(v.id, public.reconcile_time(v_page -> 'query', 'start_time')::timestamptz,
                                       public.reconcile_time(v_page -> 'query', 'end_time')::timestamptz,
                                       (select coalesce(sum((e ->> 'value')::numeric), 0) from jsonb_array_elements(v_page -> 'items') e)),
                public.reconcile_reports(v.id, v.billed_from, v.billed_until);
    end if;
    return jsonb_build_object('again', jsonb_build_object('phase', 'usage', 'after', v.id, 'part', v.part));
end
$$;

-- ---- the end ----------------------------------------------------------------------

-- What was read again has been read, or is given up waiting for; then what agrees is resolved, and so is what this run did not see any more.
create or replace function public.reconcile_settle(p_run jsonb, p_began timestamptz) returns jsonb
    language plpgsql security definer set search_path = '' as $$
declare
    v_waits integer := coalesce((p_run -> 'input' ->> 'waits')::integer, 0);
    v_mine text := format('stripe-sync:%s:', p_run ->> 'id');
begin
    if v_waits < 60 and exists (select from public.workflow_runs r
                                 where r.id collate "C" >= v_mine and r.id collate "C" < v_mine || '~' and r.workflow = 'stripe-sync'
                                   and r.state in ('ready', 'working', 'waiting')) then
        return jsonb_build_object('again', jsonb_build_object('phase', 'settle', 'waits', v_waits + 1), 'sleep_seconds', least(v_waits + 1, 30));
    end if;
    update public.billing_differences d set resolved_at = now()
     where d.provider = 'stripe' and d.resolved_at is null and d.kind in (select k.kind from public.reconcile_kinds() k)
       and (public.reconcile_agrees(d) or (d.last_seen_at < p_began and d.kind in (select k.kind from public.reconcile_kinds() k where k.found)));
    perform public.webhook_count('billing', 'reconciled', 1);
    return jsonb_build_object('done', true);
end
$$;

-- Whether our side says now what theirs said then, or has been read again since.
create or replace function public.reconcile_agrees(d public.billing_differences) returns boolean
    language plpgsql stable security definer set search_path = '' as $$
declare
    s public.subscriptions;
    i public.invoices;
begin
    if d.kind in ('usage_untold', 'usage_refused', 'usage_overtold', 'meter_total', 'invoice_usage') then
        return public.reconcile_usage_agrees(d);
    elsif d.kind = 'refund_missing' then
        return public.reconcile_refund_known(d.external_id, (d.theirs ->> 'created')::double precision);
    elsif d.kind = 'overage_item' then
        return public.reconcile_overage_agrees(d.external_id);
    elsif d.kind = 'unknown_currency' then
        return exists (select from public.invoices x join public.subscription_plans l on l.currency = x.currency
                        where x.provider = 'stripe' and x.external_id = d.external_id);
    elsif d.kind in ('unknown_status', 'unknown_price', 'second_subscription', 'deleted_organization') then
        return exists (select from public.subscriptions x join public.subscription_standings t on t.status = x.status and t.is_over
                        where x.origin = 'stripe' and x.external_id = d.external_id);
    elsif d.kind like 'subscription%' then
        select * into s from public.subscriptions x where x.origin = 'stripe' and x.external_id = d.external_id;
        return case when s.id is null then false
                    when d.kind in ('subscription_missing', 'subscription_gone') then coalesce(s.synced_at > d.last_seen_at, false)
                    else public.reconcile_subscription_ours(s) -> d.kind = d.theirs or coalesce(s.synced_at > d.last_seen_at, false) end;
    elsif d.kind like 'invoice%' then
        select * into i from public.invoices x where (x.provider, x.external_id) = ('stripe', d.external_id);
        return case when i.id is null then false
                    when d.kind in ('invoice_missing', 'invoice_gone') then coalesce(i.synced_at > d.last_seen_at, false)
                    else public.reconcile_invoice_ours(i) -> d.kind = d.theirs or coalesce(i.synced_at > d.last_seen_at, false) end;
    end if;
    return false;
end
$$;
