-- 86_admin_billing.sql - operators: plans and their prices, subscriptions by hand, and where our books and a provider's do not agree.

-- ---- plans --------------------------------------------------------------------

-- Who has it, or will have it, and is not through with it.
create or replace function public.admin_plan_uses(p_plan uuid, p_paid boolean) returns bigint
    language plpgsql stable set search_path = '' as $$
begin
    return (select count(*) from public.subscriptions s join public.subscription_standings t on t.status = s.status
             where p_plan in (s.plan_id, s.next_plan_id) and not t.is_over and (s.current or s.origin <> 'manual')
               and (not p_paid or s.origin <> 'manual'));
end
$$;

create or replace function public.admin_plan_view(p public.subscription_plans) returns jsonb
    language plpgsql stable set search_path = '' as $$
begin
    return jsonb_build_object(
        'id', p.id, 'name', p.name, 'description', p.description, 'tier', p.tier, 'rank', p.rank,
        'price_cents', public.plan_amount(p), 'currency', p.currency,
        'interval', p."interval", 'features', p.features, 'call_limit', p.call_limit, 'minutes_limit', p.minutes_limit, 'number_limit', p.number_limit,
        'limit_mode', p.limit_mode, 'overage_cents', p.overage_cents, 'increment_seconds', p.increment_seconds, 'trial_days', p.trial_days, 'is_default', p.is_default,
        'on_sale', p.on_sale, 'stripe_price_id', p.stripe_price_id,
        'organizations', public.admin_plan_uses(p.id, false), 'paying', public.admin_plan_uses(p.id, true),
        'prices', (select coalesce(jsonb_agg(jsonb_build_object('provider', x.provider, 'price_id', x.price_id, 'kind', x.kind,
                                                                'active', x.active, 'created_at', public.time_view(x.created_at))
                                             order by x.created_at, x.price_id), '[]')
                     from public.plan_prices x where x.plan_id = p.id),
        'created_at', public.time_view(p.created_at), 'updated_at', public.time_view(p.updated_at));
end
$$;

create or replace function public.admin_plan_of(p_plan uuid) returns public.subscription_plans
    language plpgsql stable set search_path = '' as $$
declare
    p public.subscription_plans;
begin
    select * into p from public.subscription_plans x where x.id = p_plan;
    if not found then
        raise exception 'subscription_plan_not_found' using errcode = 'PT404';
    end if;
    return p;
end
$$;

-- Whether n promises less than o: who pays for a plan keeps what he bought.
create or replace function public.admin_plan_is_less(o public.subscription_plans, n public.subscription_plans) returns boolean
    language plpgsql immutable set search_path = '' as $$
begin
    return coalesce(n.call_limit, 2147483647) < coalesce(o.call_limit, 2147483647)
        or coalesce(n.minutes_limit, 2147483647) < coalesce(o.minutes_limit, 2147483647)
        or coalesce(n.number_limit, 2147483647) < coalesce(o.number_limit, 2147483647)
        or n.increment_seconds > o.increment_seconds
        or (o.limit_mode = 'soft' and n.limit_mode = 'hard')
        or coalesce(n.overage_cents, 0) > coalesce(o.overage_cents, 0);
end
$$;

-- A plan that somebody has cannot become something else, and who pays nothing has a plan that costs nothing.
create or replace function public.admin_plan_check(o public.subscription_plans, n public.subscription_plans) returns void
    language plpgsql stable set search_path = '' as $$
begin
    if n.currency !~ '^[a-z]{3}$' then
        perform public.refuse_field('currency_invalid', 'currency', 'Three small letters: usd, eur.');
    elsif exists (select from public.subscription_plans x where x.name = n.name and x.id <> n.id) then
        raise exception 'plan_name_taken' using errcode = 'PT409', hint = 'name';
    elsif o.is_default and not n.is_default then
        raise exception 'plan_default' using errcode = 'PT409', detail = 'Make another plan the default one.', hint = 'is_default';
    elsif n.is_default and n.price > 0 and (not o.is_default or n.price <> o.price) then
        raise exception 'plan_default' using errcode = 'PT409', detail = 'The default plan costs nothing.', hint = 'price_cents';
    elsif (n.tier, n."interval", n.currency) is distinct from (o.tier, o."interval", o.currency)
          and (public.admin_plan_uses(o.id, false) > 0 or exists (select from public.plan_prices x where x.plan_id = o.id)) then
        raise exception 'plan_in_use' using errcode = 'PT409', detail = 'Its tier, interval and currency stay: make another plan, and take this one off sale.';
    elsif public.admin_plan_is_less(o, n) and public.admin_plan_uses(o.id, true) > 0 then
        raise exception 'plan_in_use' using errcode = 'PT409', detail = 'Somebody pays for more than that: make another plan, and take this one off sale.';
    elsif n.stripe_price_id is distinct from o.stripe_price_id
          and exists (select from public.plan_prices x where (x.provider, x.price_id) = ('stripe', n.stripe_price_id) and (x.plan_id, x.kind) <> (n.id, 'base')) then
        raise exception 'price_taken' using errcode = 'PT409', hint = 'stripe_price_id';
    end if;
end
$$;

-- What people give, as columns: price_cents is price in units of the currency.
create or replace function public.admin_plan_columns(p_changes jsonb, p_currency text) returns jsonb
    language plpgsql immutable set search_path = '' as $$
begin
    if not p_changes ? 'price_cents' then
        return p_changes;
    end if;
    return p_changes - 'price_cents' || jsonb_build_object('price', (p_changes ->> 'price_cents')::numeric
        / power(10::numeric, public.currency_digits(coalesce(p_changes ->> 'currency', p_currency))));
end
$$;

-- p_changes: fields by name.  What is not in it stays.  There is one default plan: another one takes its place.
create or replace function public.admin_plan_write(p_plan uuid, p_changes jsonb) returns void
    language plpgsql security definer set search_path = '' as $$
declare
    o public.subscription_plans;
    n public.subscription_plans;
begin
    perform public.operator_needed();
    perform from public.subscription_plans x where x.id = p_plan or x.is_default order by x.id for no key update;
    o := public.admin_plan_of(p_plan);
    n := jsonb_populate_record(o, public.admin_plan_columns(p_changes, o.currency));
    n.overage_cents := nullif(n.overage_cents, 0);
    perform public.admin_plan_check(o, n);
    if n.is_default and not o.is_default then
        update public.subscription_plans x set is_default = false where x.is_default;
    end if;
    update public.subscription_plans x
       set name = n.name, description = n.description, tier = n.tier, rank = n.rank, price = n.price, currency = n.currency, "interval" = n."interval",
           features = n.features, call_limit = n.call_limit, minutes_limit = n.minutes_limit, number_limit = n.number_limit,
           limit_mode = n.limit_mode, overage_cents = n.overage_cents, increment_seconds = n.increment_seconds, trial_days = n.trial_days, is_default = n.is_default,
           on_sale = n.on_sale, stripe_price_id = n.stripe_price_id
     where x.id = o.id;
    if n.stripe_price_id is distinct from o.stripe_price_id and n.stripe_price_id is not null then
        perform public.admin_note('plan.price_added', 'plan', o.id, jsonb_build_object('provider', 'stripe', 'price_id', n.stripe_price_id, 'kind', 'base'));
        perform public.reconcile_price('stripe', n.stripe_price_id);
    end if;
end
$$;

create or replace function public.admin_plan_make(p_changes jsonb) returns uuid
    language plpgsql security definer set search_path = '' as $$
declare
    v_id uuid;
begin
    perform public.operator_needed();
    insert into public.subscription_plans (name, price, on_sale) values (p_changes ->> 'name', 0, false)
    on conflict (name) do nothing returning id into v_id;
    if v_id is null then
        raise exception 'plan_name_taken' using errcode = 'PT409', hint = 'name';
    end if;
    perform public.admin_plan_write(v_id, '{"on_sale":true}' || p_changes);
    return v_id;
end
$$;

-- A price that was made elsewhere stands for a plan from now on.  What was read while nobody knew it is read again.
create or replace function public.admin_plan_price(p_plan uuid, p_provider text, p_price text, p_kind text, p_active boolean) returns void
    language plpgsql security definer set search_path = '' as $$
declare
    v_new boolean;
begin
    perform public.operator_needed();
    perform public.admin_plan_of(p_plan);
    insert into public.plan_prices (provider, price_id, plan_id, kind, active) values (p_provider, p_price, p_plan, p_kind, false)
    on conflict (provider, price_id) do nothing;
    v_new := found;
    perform from public.plan_prices x where (x.provider, x.price_id, x.plan_id, x.kind) = (p_provider, p_price, p_plan, p_kind) for update;
    if not found then
        raise exception 'price_taken' using errcode = 'PT409', hint = 'price_id';
    elsif p_active then
        update public.plan_prices x set active = false where (x.plan_id, x.provider, x.kind) = (p_plan, p_provider, p_kind) and x.active and x.price_id <> p_price;
        update public.plan_prices x set active = true where (x.provider, x.price_id) = (p_provider, p_price) and not x.active;
        update public.subscription_plans x set stripe_price_id = p_price
         where x.id = p_plan and (p_provider, p_kind) = ('stripe', 'base') and x.stripe_price_id is distinct from p_price;
    end if;
    if v_new then
        perform public.admin_note('plan.price_added', 'plan', p_plan, jsonb_build_object('provider', p_provider, 'price_id', p_price, 'kind', p_kind));
        perform public.reconcile_price(p_provider, p_price);
    end if;
end
$$;

-- ---- subscriptions by hand ----------------------------------------------------

create or replace function public.admin_subscription_line(s public.subscriptions) returns jsonb
    language plpgsql stable set search_path = '' as $$
begin
    return jsonb_build_object(
        'id', s.id, 'origin', s.origin, 'status', s.status, 'external_status', s.external_status, 'external_id', s.external_id,
        'external_customer_id', s.external_customer_id, 'external_price_id', s.external_price_id,
        'plan', (select jsonb_build_object('id', p.id, 'name', p.name, 'tier', p.tier) from public.subscription_plans p where p.id = s.plan_id),
        'next_plan', (select jsonb_build_object('id', p.id, 'name', p.name, 'tier', p.tier) from public.subscription_plans p where p.id = s.next_plan_id),
        'current', s.current, 'surplus', s.surplus, 'cancel_at_period_end', s.cancel_at_period_end, 'ends_at', public.time_view(s.cancel_at),
        'trial_end', public.time_view(s.trial_end), 'canceled_at', public.time_view(s.canceled_at), 'ended_at', public.time_view(s.ended_at),
        'past_due_since', public.time_view(s.past_due_since), 'synced_at', public.time_view(s.synced_at), 'created_at', public.time_view(s.created_at));
end
$$;

-- What an organization has, how it stands, what it used in this period, and what it had before.
create or replace function public.admin_subscription_view(p_organization uuid) returns jsonb
    language plpgsql stable set search_path = '' as $$
declare
    v_now record;
begin
    perform from public.organizations o where o.id = p_organization;
    if not found then
        raise exception 'organization_not_found' using errcode = 'PT404';
    end if;
    select * into v_now from public.plan_now(p_organization);
    return (select jsonb_build_object(
                'organization_id', p_organization,
                'subscription', (select public.admin_subscription_line(s) from public.subscriptions s where s.organization_id = p_organization and s.current),
                'may_call', coalesce(v_now.may_call, false),
                'period_start', public.time_view(v_now.period_start), 'period_end', public.time_view(v_now.period_end),
                'usage', (select jsonb_build_object('calls', coalesce(u.calls, 0), 'seconds', coalesce(u.seconds, 0),
                                                    'billable_seconds', coalesce(u.billable_seconds, 0), 'overage_seconds', coalesce(u.overage_seconds, 0))
                            from public.usage_totals(p_organization, v_now.period_start, v_now.period_end) u),
                'standing', coalesce(b.standing, 'good'), 'standing_since', public.time_view(b.standing_since),
                'invoiced_until', public.time_view(b.invoiced_until),
                'before', (select coalesce(jsonb_agg(public.admin_subscription_line(x.s) order by (x.s).created_at desc, (x.s).id desc), '[]')
                             from (select s from public.subscriptions s where s.organization_id = p_organization and not s.current
                                    order by s.created_at desc, s.id desc limit 20) x))
              from (values (1)) one left join public.billing_accounts b on b.organization_id = p_organization);
end
$$;

-- Its organization's row is locked first, as wherever subscriptions are written.  What is paid for elsewhere goes on being paid there, whatever
-- is written here: it has to end there.
create or replace function public.admin_subscription_lock(p_organization uuid) returns public.subscriptions
    language plpgsql set search_path = '' as $$
declare
    s public.subscriptions;
begin
    perform from public.organizations o where o.id = p_organization for no key update;
    if not found then
        raise exception 'organization_not_found' using errcode = 'PT404';
    end if;
    select * into s from public.subscriptions x where x.organization_id = p_organization and x.current for update;
    if s.origin <> 'manual' and exists (select from public.subscription_standings t where t.status = s.status and not t.is_over) then
        raise exception 'subscription_paid' using errcode = 'PT409', detail = format('It is paid for at %s, and ends there.', initcap(s.origin));
    end if;
    return s;
end
$$;

-- Gives a plan by hand, until p_ends_at or for good (the default plan always: nothing could follow it).  The plan that it has already: only its
-- end changes, its periods go on as they are.
create or replace function public.admin_subscription_give(p_organization uuid, p_plan uuid, p_ends_at timestamptz) returns void
    language plpgsql security definer set search_path = '' as $$
declare
    s public.subscriptions;
    p public.subscription_plans := public.admin_plan_of(p_plan);
    v_ends_at timestamptz := case when not p.is_default then p_ends_at end;
    v_id uuid;
begin
    perform public.operator_needed();
    if p_ends_at <= clock_timestamp() then
        perform public.refuse_field('expires_in_past', 'ends_at', 'The end is not in the future.');
    end if;
    s := public.admin_subscription_lock(p_organization);
    if s.plan_id = p.id and s.status = 'active' then
        update public.subscriptions x set cancel_at = v_ends_at, cancel_at_period_end = false, next_plan_id = null
         where x.id = s.id and (x.cancel_at, x.cancel_at_period_end, x.next_plan_id) is distinct from (v_ends_at, false, null::uuid);
        v_id := case when found then s.id end;
    else
        update public.subscriptions x set current = false, status = 'canceled', canceled_at = now(), ended_at = now() where x.id = s.id and x.origin = 'manual';
        insert into public.subscriptions (organization_id, plan_id, status, period_anchor, current_period_start, current_period_end, cancel_at)
        select p_organization, p.id, 'active', now(), b.period_start, b.period_end, v_ends_at from public.period_at(now(), p."interval", now()) b
        returning id into v_id;
    end if;
    if v_id is not null then
        perform public.audit_write(p_organization, 'subscription.given', 'subscription', v_id,
                                   jsonb_build_object('plan', p.name, 'before', s.tier_type, 'ends_at', public.time_view(v_ends_at)));
        perform public.admin_subscription_tell(v_id, case when v_id <> s.id or s.id is null then 'subscription_created' end);
    end if;
end
$$;

-- Ends one by hand at once: the organization has the default plan.  Who has that, for good, has nothing that could end.
create or replace function public.admin_subscription_end(p_organization uuid) returns void
    language plpgsql security definer set search_path = '' as $$
declare
    s public.subscriptions;
begin
    perform public.operator_needed();
    s := public.admin_subscription_lock(p_organization);
    if s.status = 'active' and s.cancel_at is null and not s.cancel_at_period_end
       and exists (select from public.subscription_plans p where p.id = s.plan_id and p.is_default) then
        return;
    end if;
    update public.subscriptions x set current = false, status = 'canceled', canceled_at = now(), ended_at = now() where x.id = s.id and x.origin = 'manual';
    perform public.subscription_default(p_organization);
    if s.id is not null then
        perform public.audit_write(p_organization, 'subscription.ended', 'subscription', s.id, jsonb_build_object('tier', s.tier_type));
        perform public.admin_subscription_tell(s.id, 'subscription_canceled');
    end if;
end
$$;

-- It stands in the organization's own book of money, too (p_type null: it is only told), and the organization shows the period of what it has.
create or replace function public.admin_subscription_tell(p_subscription uuid, p_type text) returns void
    language plpgsql security definer set search_path = '' as $$
declare
    s public.subscriptions;
begin
    perform public.operator_needed();
    select * into s from public.subscriptions x where x.id = p_subscription;
    if p_type is not null then
        perform public.billing_note(s.organization_id, 'manual', format('%s:%s', p_type, s.id), p_type, null, null, null, null,
                                    jsonb_build_object('subscription_id', s.id, 'plan_id', s.plan_id, 'status', s.status));
    end if;
    insert into public.events (organization_id, type, data) values (s.organization_id, 'subscription.updated', public.subscription_event(s));
    update public.organizations o
       set stripe_subscription_id = null, current_period_start = x.current_period_start, current_period_end = x.current_period_end
      from public.subscriptions x
     where o.id = s.organization_id and x.organization_id = o.id and x.current;
end
$$;

-- ---- the books ----------------------------------------------------------------

create or replace function public.admin_difference_view(d public.billing_differences) returns jsonb
    language plpgsql stable set search_path = '' as $$
begin
    return jsonb_build_object(
        'id', d.id, 'provider', d.provider, 'kind', d.kind, 'external_id', d.external_id, 'organization_id', d.organization_id, 'ours', d.ours,
        'theirs', d.theirs, 'seen', d.seen, 'first_seen_at', public.time_view(d.first_seen_at), 'last_seen_at', public.time_view(d.last_seen_at),
        'resolved_at', public.time_view(d.resolved_at));
end
$$;

create or replace function public.admin_difference_of(p_difference uuid) returns public.billing_differences
    language plpgsql stable set search_path = '' as $$
declare
    d public.billing_differences;
begin
    select * into d from public.billing_differences x where x.id = p_difference;
    if not found then
        raise exception 'difference_not_found' using errcode = 'PT404';
    end if;
    return d;
end
$$;

-- Stripe is asked again now.  What was mended by it is resolved when the next reconciliation sees it; this one is looked at by the run itself.
create or replace function public.admin_difference_reread(p_difference uuid) returns void
    language plpgsql security definer set search_path = '' as $$
declare
    d public.billing_differences := public.admin_difference_of(p_difference);
    v_object text := case when d.provider = 'stripe' then public.reconcile_object(d.kind) end;
begin
    perform public.operator_needed();
    if v_object is null then
        raise exception 'difference_not_readable' using errcode = 'PT409';
    end if;
    perform public.stripe_read('by-hand:' || nextval('public.billing_reads'), v_object, d.external_id, d.organization_id);
    perform public.admin_note('difference.reread', 'difference', d.id, jsonb_build_object('kind', d.kind, 'external_id', d.external_id));
end
$$;

-- A reconciliation beside the daily one.  While one goes on a second one begins nothing.
create or replace function public.admin_reconcile_start() returns text
    language plpgsql security definer set search_path = '' as $$
declare
    v_id text;
begin
    perform public.operator_needed(), pg_advisory_xact_lock(hashtextextended('reconcile', 0));
    select r.id into v_id from public.workflow_runs r
     where r.workflow = 'reconcile' and r.due_at is not null and r.state in ('ready', 'working') order by r.created_at desc limit 1;
    if v_id is null then
        v_id := 'reconcile:by-hand:' || nextval('public.billing_reads');
        perform public.work_start(v_id, 'reconcile');
        perform public.admin_note('reconcile.started', 'run', null, jsonb_build_object('run', v_id));
    end if;
    return v_id;
end
$$;

create or replace function public.admin_billing_event_view(e public.billing_events) returns jsonb
    language plpgsql stable set search_path = '' as $$
begin
    return jsonb_build_object(
        'id', e.id, 'organization_id', e.organization_id, 'event_type', e.event_type, 'provider', e.provider, 'amount_cents', e.amount_cents,
        'currency', e.currency, 'external_invoice_id', e.stripe_invoice_id, 'external_subscription_id', e.external_subscription_id,
        'metadata', e.metadata, 'occurred_at', public.time_view(e.occurred_at), 'created_at', public.time_view(e.created_at));
end
$$;
