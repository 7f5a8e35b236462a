-- api_admin_billing.sql - /api/v1/admin: plans, subscriptions by hand, differences, money events of all organizations.  Run as hookswitch_operator.

-- ---- plans --------------------------------------------------------------------

create or replace function api.admin_plan_list(p_after text default null, p_limit integer default 20) returns jsonb
    language plpgsql stable set search_path = '' as $$
declare
    v_after record;
    v_page jsonb;
begin
    select * into v_after from public.cursor_read('admin_plans', p_after);
    with page as (
        select p, row_number() over (order by p.created_at, p.id) as i from public.subscription_plans p
         where v_after.id is null or (p.created_at, p.id) > (v_after.at, v_after.id::uuid)
         order by p.created_at, p.id limit p_limit + 1)
    select public.page_view('admin_plans', array_agg(public.admin_plan_view(g.p) order by g.i), array_agg((g.p).created_at order by g.i),
                            array_agg((g.p).id::text order by g.i), p_limit)
      into v_page from page g;
    return v_page;
end
$$;

create or replace function api.admin_plan_get(p_plan_id uuid) returns jsonb
    language plpgsql stable set search_path = '' as $$
begin
    return public.admin_plan_view(public.admin_plan_of(p_plan_id));
end
$$;

create or replace function api.admin_plan_create(
    p_name text, p_price_cents bigint, p_currency text default null, p_interval text default null, p_description text default null,
    p_tier text default null, p_rank integer default null, p_features jsonb default null, p_call_limit integer default null,
    p_minutes_limit integer default null, p_limit_mode text default null, p_overage_cents numeric default null,
    p_increment_seconds integer default null, p_trial_days integer default null, p_is_default boolean default null, p_on_sale boolean default null,
    p_stripe_price_id text default null, p_number_limit integer default null) returns jsonb
    language plpgsql set search_path = '' as $$
declare
    v_id uuid := public.admin_plan_make(jsonb_strip_nulls(jsonb_build_object(
        'name', p_name, 'price_cents', p_price_cents, 'currency', p_currency, 'interval', p_interval, 'description', p_description, 'tier', p_tier,
        'rank', p_rank, 'features', p_features, 'call_limit', p_call_limit, 'minutes_limit', p_minutes_limit, 'limit_mode', p_limit_mode,
        'overage_cents', p_overage_cents, 'increment_seconds', p_increment_seconds, 'trial_days', p_trial_days, 'is_default', p_is_default,
        'on_sale', p_on_sale, 'stripe_price_id', p_stripe_price_id, 'number_limit', p_number_limit)));
begin
    return api.admin_plan_get(v_id);
end
$$;

create or replace function api.admin_plan_update(p_plan_id uuid, p_changes jsonb) returns jsonb
    language plpgsql set search_path = '' as $$
begin
    perform public.admin_plan_write(p_plan_id, p_changes);
    return api.admin_plan_get(p_plan_id);
end
$$;

create or replace function api.admin_plan_price(p_plan_id uuid, p_provider text, p_price_id text, p_kind text default 'base',
                                                p_active boolean default false) returns jsonb
    language plpgsql set search_path = '' as $$
begin
    perform public.admin_plan_price(p_plan_id, p_provider, p_price_id, p_kind, p_active);
    return api.admin_plan_get(p_plan_id);
end
$$;

-- ---- subscriptions by hand ----------------------------------------------------

create or replace function api.admin_subscription_get(p_organization_id uuid) returns jsonb
    language plpgsql stable set search_path = '' as $$
begin
    return public.admin_subscription_view(p_organization_id);
end
$$;

create or replace function api.admin_subscription_put(p_organization_id uuid, p_plan_id uuid, p_ends_at timestamptz default null) returns jsonb
    language plpgsql set search_path = '' as $$
begin
    perform public.admin_subscription_give(p_organization_id, p_plan_id, p_ends_at);
    return public.admin_subscription_view(p_organization_id);
end
$$;

create or replace function api.admin_subscription_delete(p_organization_id uuid) returns jsonb
    language plpgsql set search_path = '' as $$
begin
    perform public.admin_subscription_end(p_organization_id);
    return public.admin_subscription_view(p_organization_id);
end
$$;

-- ---- the books ----------------------------------------------------------------

-- Those seen last come first.
create or replace function api.admin_difference_list(p_state text default 'open', p_kind text default null, p_organization_id uuid default null,
                                                     p_after text default null, p_limit integer default 20) returns jsonb
    language plpgsql stable set search_path = '' as $$
declare
    v_after record;
    v_page jsonb;
begin
    select * into v_after from public.cursor_read('admin_differences', p_after);
    with page as (
        select d, row_number() over (order by d.last_seen_at desc, d.id desc) as i from public.billing_differences d
         where (p_state = 'all' or (d.resolved_at is null) = (p_state = 'open'))
           and (p_kind is null or d.kind = p_kind)
           and (p_organization_id is null or d.organization_id = p_organization_id)
           and (v_after.id is null or (d.last_seen_at, d.id) < (v_after.at, v_after.id::uuid))
         order by d.last_seen_at desc, d.id desc limit p_limit + 1)
    select public.page_view('admin_differences', array_agg(public.admin_difference_view(g.d) order by g.i), array_agg((g.d).last_seen_at order by g.i),
                            array_agg((g.d).id::text order by g.i), p_limit)
      into v_page from page g;
    return v_page;
end
$$;

create or replace function api.admin_difference_get(p_difference_id uuid) returns jsonb
    language plpgsql stable set search_path = '' as $$
begin
    return public.admin_difference_view(public.admin_difference_of(p_difference_id));
end
$$;

create or replace function api.admin_difference_reread(p_difference_id uuid) returns jsonb
    language plpgsql set search_path = '' as $$
begin
    perform public.admin_difference_reread(p_difference_id);
    return public.admin_difference_view(public.admin_difference_of(p_difference_id));
end
$$;

create or replace function api.admin_reconcile() returns jsonb
    language plpgsql set search_path = '' as $$
begin
    return jsonb_build_object('run_id', public.admin_reconcile_start());
end
$$;

create or replace function api.admin_billing_event_list(p_organization_id uuid default null, p_event_type text default null, p_after text default null,
                                                        p_limit integer default 20) returns jsonb
    language plpgsql stable set search_path = '' as $$
declare
    v_after record;
    v_page jsonb;
begin
    select * into v_after from public.cursor_read('admin_billing_events', p_after);
    with page as (
        select e, row_number() over (order by e.created_at desc, e.id desc) as i from public.billing_events e
         where (p_organization_id is null or e.organization_id = p_organization_id)
           and (p_event_type is null or e.event_type = p_event_type)
           and (v_after.id is null or (e.created_at, e.id) < (v_after.at, v_after.id::uuid))
         order by e.created_at desc, e.id desc limit p_limit + 1)
    select public.page_view('admin_billing_events', array_agg(public.admin_billing_event_view(g.e) order by g.i), array_agg((g.e).created_at order by g.i),
                            array_agg((g.e).id::text order by g.i), p_limit)
      into v_page from page g;
    return v_page;
end
$$;
