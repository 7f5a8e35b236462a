-- 34_billing.sql - what an organization sees of its money: plans, subscription, usage, invoices, events.  Amounts are whole numbers in the
-- currency's smallest unit; where one has a fraction (a minute's price) it says so.

-- How many digits a currency has behind its point, as Stripe counts.
create or replace function public.currency_digits(p_currency text) returns integer
    language plpgsql immutable set search_path = '' as $$
begin
    return case when p_currency in ('bif', 'clp', 'djf', 'gnf', 'jpy', 'kmf', 'krw', 'mga', 'pyg', 'rwf', 'ugx', 'vnd', 'vuv', 'xaf', 'xof', 'xpf') then 0
                when p_currency in ('bhd', 'jod', 'kwd', 'omr', 'tnd') then 3
                else 2 end;
end
$$;

-- What a period of the plan costs, in the smallest unit.
create or replace function public.plan_amount(p public.subscription_plans) returns bigint
    language plpgsql immutable set search_path = '' as $$
begin
    return round(p.price * 10 ^ public.currency_digits(p.currency));
end
$$;

-- What a second beyond the plan costs, in the smallest unit, to the twelve digits that Stripe keeps.
create or replace function public.plan_second_amount(p public.subscription_plans) returns numeric
    language plpgsql immutable set search_path = '' as $$
begin
    return round(p.overage_cents / 60, 12);
end
$$;

create or replace function public.plan_view(p public.subscription_plans) returns jsonb
    language plpgsql immutable set search_path = '' as $$
begin
    return jsonb_build_object(
        'id', p.id, 'name', p.name, 'tier', p.tier, 'rank', p.rank, 'description', p.description, 'interval', p."interval", 'currency', p.currency,
        'amount', public.plan_amount(p), 'call_limit', p.call_limit, 'minutes_limit', p.minutes_limit, 'number_limit', p.number_limit,
        'limit_mode', p.limit_mode, 'overage_amount', p.overage_cents, 'increment_seconds', p.increment_seconds, 'trial_days', p.trial_days, 'features', p.features,
        'is_default', p.is_default, 'on_sale', p.on_sale);
end
$$;

create or replace function public.plan_view_of(p_plan uuid) returns jsonb
    language plpgsql stable set search_path = '' as $$
begin
    return (select public.plan_view(p) from public.subscription_plans p where p.id = p_plan);
end
$$;

-- What comes behind the present period: another plan, or the default one where the subscription is to end.
create or replace function public.subscription_view(s public.subscriptions, p_start timestamptz, p_end timestamptz) returns jsonb
    language plpgsql stable set search_path = '' as $$
declare
    v_next uuid := s.next_plan_id;
begin
    if s.cancel_at_period_end then
        select p.id into v_next from public.subscription_plans p where p.is_default;
    end if;
    return jsonb_build_object(
        'id', s.id, 'origin', s.origin, 'status', s.status, 'plan_id', s.plan_id, 'period_start', public.time_view(p_start), 'period_end', public.time_view(p_end),
        'trial_end', public.time_view(s.trial_end), 'cancel_at_period_end', s.cancel_at_period_end, 'cancel_at', public.time_view(s.cancel_at),
        'past_due_since', public.time_view(s.past_due_since), 'next_plan', public.plan_view_of(v_next));
end
$$;

-- What was used of the present period, and what is left; null: no limit.
create or replace function public.usage_view(p_start timestamptz, p_end timestamptz, p public.subscription_plans) returns jsonb
    language plpgsql stable set search_path = '' as $$
declare
    v_used record;
    v_waiting bigint;
    v_minutes bigint;
begin
    select * into v_used from public.usage_sums(public.current_organization_id(), p_start);
    select count(*) into v_waiting from public.call_queue q
     where q.organization_id = public.current_organization_id() and q.status in ('queued', 'in-progress');
    v_minutes := ceil(coalesce(v_used.billable_seconds, 0) / 60.0);
    return jsonb_build_object(
        'period_start', public.time_view(p_start), 'period_end', public.time_view(p_end),
        'calls', coalesce(v_used.calls, 0), 'calls_waiting', v_waiting, 'call_limit', p.call_limit,
        'calls_left', case when p.call_limit is not null then greatest(p.call_limit - coalesce(v_used.calls, 0) - v_waiting, 0) end,
        'seconds', coalesce(v_used.seconds, 0), 'billable_seconds', coalesce(v_used.billable_seconds, 0),
        'minutes', v_minutes, 'minutes_limit', p.minutes_limit, 'minutes_left', case when p.minutes_limit is not null then greatest(p.minutes_limit - v_minutes, 0) end,
        'overage_seconds', coalesce(v_used.overage_seconds, 0),
        'overage_amount', coalesce(round(v_used.overage_seconds * public.plan_second_amount(p)), 0));
end
$$;

-- What the next invoice will ask for as things stand; null: there will be none.  The provider's own taxes and discounts are not in it.
create or replace function public.upcoming_view(s public.subscriptions, p_end timestamptz, p_overage bigint) returns jsonb
    language plpgsql stable set search_path = '' as $$
declare
    p public.subscription_plans;
    v_base bigint := 0;
begin
    select * into p from public.subscription_plans x where x.id = coalesce(s.next_plan_id, s.plan_id);
    if s.origin = 'manual' or p.id is null or not (select t.is_live from public.subscription_standings t where t.status = s.status) then
        return null;
    end if;
    if not s.cancel_at_period_end then
        v_base := public.plan_amount(p);
    end if;
    return jsonb_build_object('at', public.time_view(p_end), 'currency', p.currency, 'plan_amount', v_base, 'overage_amount', p_overage,
                              'amount', v_base + p_overage);
end
$$;

create or replace function public.invoice_view(i public.invoices) returns jsonb
    language plpgsql stable set search_path = '' as $$
begin
    return jsonb_build_object(
        'id', i.id, 'provider', i.provider, 'number', i.number, 'status', i.status, 'billing_reason', i.billing_reason, 'currency', i.currency,
        'total', i.total_cents, 'tax', i.tax_cents, 'amount_due', i.amount_due_cents, 'amount_paid', i.amount_paid_cents,
        'amount_remaining', i.amount_remaining_cents, 'refunded', i.refunded_cents, 'period_start', public.time_view(i.period_start),
        'period_end', public.time_view(i.period_end), 'issued_at', public.time_view(i.issued_at), 'paid_at', public.time_view(i.paid_at),
        'attempt_count', i.attempt_count, 'next_attempt_at', public.time_view(i.next_attempt_at), 'hosted_url', i.hosted_url, 'pdf_url', i.pdf_url);
end
$$;

-- One line of an invoice; times come in seconds, as the provider tells them.
create or replace function public.invoice_line_view(p_line jsonb) returns jsonb
    language plpgsql stable set search_path = '' as $$
begin
    return jsonb_build_object(
        'description', p_line ->> 'description', 'amount', coalesce((p_line ->> 'amount')::bigint, 0), 'quantity', (p_line ->> 'quantity')::bigint,
        'proration', coalesce((p_line ->> 'proration')::boolean, false),
        'period_start', public.time_view(to_timestamp((p_line ->> 'period_start')::double precision)),
        'period_end', public.time_view(to_timestamp((p_line ->> 'period_end')::double precision)));
end
$$;

create or replace function public.billing_event_view(e public.billing_events) returns jsonb
    language plpgsql stable set search_path = '' as $$
begin
    return jsonb_build_object(
        'id', e.id, 'type', e.event_type, 'provider', e.provider, 'amount', e.amount_cents, 'currency', e.currency,
        'external_invoice_id', e.stripe_invoice_id, 'external_subscription_id', e.external_subscription_id, 'details', e.metadata,
        'occurred_at', public.time_view(e.occurred_at), 'created_at', public.time_view(e.created_at));
end
$$;

-- Its address lets whoever has it pay, and see whose it is: it is told to those who may begin one.
create or replace function public.checkout_view(x public.checkout_sessions) returns jsonb
    language plpgsql stable set search_path = '' as $$
begin
    return jsonb_build_object(
        'id', x.id, 'plan_id', x.plan_id, 'status', x.status, 'payment_status', x.payment_status,
        'url', case when x.status = 'open' and public.actor_may('billing:write') then x.url end,
        'active', exists (select from public.subscriptions s join public.subscription_standings t on t.status = s.status
                           where s.organization_id = x.organization_id and s.current and t.may_call and s.external_id = x.external_subscription_id),
        'expires_at', public.time_view(x.expires_at), 'completed_at', public.time_view(x.completed_at), 'created_at', public.time_view(x.created_at));
end
$$;
