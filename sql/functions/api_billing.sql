-- api_billing.sql - /api/v1/billing: what is on sale, what one has, what was used and what was paid.

-- What can be taken, and what the organization has.
create or replace function api.billing_plans() returns jsonb
    language plpgsql stable set search_path = '' as $$
begin
    return (select jsonb_build_object('data', coalesce(jsonb_agg(public.plan_view(p) || jsonb_build_object('current', p.id is not distinct from s.plan_id)
                                                                 order by p.rank, p.price, p.name), '[]'), 'next_cursor', null)
              from public.subscription_plans p
              left join public.subscriptions s on s.organization_id = (select public.current_organization_id()) and s.current
             where p.on_sale or p.id = s.plan_id);
end
$$;

create or replace function api.billing_overview() returns jsonb
    language plpgsql stable set search_path = '' as $$
begin
    return public.billing_view();
end
$$;

-- How a payment is made is for those who may read bills.
create or replace function public.billing_view() returns jsonb
    language plpgsql stable set search_path = '' as $$
declare
    v_organization uuid := public.current_organization_id();
    s public.subscriptions;
    p public.subscription_plans;
    b public.billing_accounts;
    n record;
    v_usage jsonb;
begin
    select * into n from public.plan_now(v_organization);
    select * into s from public.subscriptions x where x.id = n.subscription_id;
    select * into p from public.subscription_plans x where x.id = n.plan_id;
    select * into b from public.billing_accounts x where x.organization_id = v_organization;
    v_usage := public.usage_view(n.period_start, n.period_end, p);
    return jsonb_build_object(
        'organization_id', v_organization, 'plan', public.plan_view_of(p.id), 'may_call', coalesce(n.may_call, false),
        'subscription', case when s.id is not null then public.subscription_view(s, n.period_start, n.period_end) end,
        'standing', coalesce(b.standing, 'good'), 'standing_since', public.time_view(b.standing_since), 'usage', v_usage,
        'payment_method', case when public.actor_may('billing:read') then coalesce(nullif(s.payment_method, 'null'), nullif(b.payment_method, 'null')) end,
        'upcoming', public.upcoming_view(s, n.period_end, (v_usage ->> 'overage_amount')::bigint));
end
$$;

-- Whether whoever asks may do this in his active organization.
create or replace function public.actor_may(p_scope text) returns boolean
    language plpgsql stable security definer set search_path = '' as $$
begin
    return public.actor_scopes(public.current_organization_id()) && array['*', p_scope];
end
$$;

-- A stretch of time that is asked about: without one the present period; at most 366 days.
create or replace function public.usage_stretch(inout p_from timestamptz, inout p_to timestamptz)
    language plpgsql stable set search_path = '' as $$
declare
    n record;
begin
    if p_from is null or p_to is null then
        select * into n from public.plan_now(public.current_organization_id());
        p_from := coalesce(p_from, least(n.period_start, p_to - interval '1 month'), now() - interval '1 month');
        p_to := coalesce(p_to, greatest(n.period_end, p_from + interval '1 day'), now());
    end if;
    if p_to <= p_from or p_to > p_from + interval '366 days' then
        perform public.refuse_field('period_invalid', 'to', 'It must lie behind from, and at most 366 days.');
    end if;
end
$$;

-- Days are UTC's; what was learnt after its period was billed belongs to the first day of the next one, as on the invoice.
create or replace function api.billing_usage(p_from timestamptz default null, p_to timestamptz default null, p_group_by text default 'day') returns jsonb
    language plpgsql stable set search_path = '' as $$
begin
    select * into p_from, p_to from public.usage_stretch(p_from, p_to);
    return (select jsonb_build_object('from', public.time_view(p_from), 'to', public.time_view(p_to), 'group_by', p_group_by,
                                      'total', (jsonb_agg(g.numbers) filter (where g.whole)) -> 0,
                                      'groups', coalesce(jsonb_agg(jsonb_build_object('key', g.key) || g.numbers order by g.key) filter (where not g.whole), '[]'))
              from public.usage_grouped(p_from, p_to, p_group_by) g);
end
$$;

create or replace function public.usage_grouped(p_from timestamptz, p_to timestamptz, p_group text)
    returns table (whole boolean, key text, numbers jsonb)
    language plpgsql stable set search_path = '' as $$
begin
    return query
    select grouping(k.key) = 1, k.key, jsonb_build_object(
               'calls', coalesce(sum(k.quantity) filter (where k.kind = 'calls'), 0), 'seconds', coalesce(sum(k.quantity) filter (where k.kind = 'seconds'), 0),
               'billable_seconds', coalesce(sum(k.billable) filter (where k.kind = 'seconds'), 0),
               'overage_seconds', coalesce(sum(k.overage) filter (where k.kind = 'seconds'), 0),
               'carried_calls', count(*) filter (where k.kind = 'calls' and k.carried))
      from (select case p_group when 'kind' then u.kind else to_char(u.billed_at at time zone 'UTC', 'YYYY-MM-DD') end as key,
                   u.kind, u.quantity, u.billable, u.overage, u.carried
              from public.usage_entries u
             where u.organization_id = (select public.current_organization_id()) and u.billed_at >= p_from and u.billed_at < p_to) k
     group by grouping sets ((k.key), ());
end
$$;

-- The calls behind the sums, the newest first.
create or replace function api.billing_usage_calls(
    p_from timestamptz default null, p_to timestamptz default null, p_overage boolean default null, p_after text default null, p_limit integer default 20)
    returns jsonb
    language plpgsql stable set search_path = '' as $$
declare
    v_after record;
begin
    select * into v_after from public.cursor_read('usage_calls', p_after);
    select * into p_from, p_to from public.usage_stretch(p_from, p_to);
    return (select public.page_view('usage_calls', array_agg(public.usage_call_view(u) order by u.billed_at desc, u.id desc),
                                    array_agg(u.billed_at order by u.billed_at desc, u.id desc), array_agg(u.id::text order by u.billed_at desc, u.id desc), p_limit)
              from (select * from public.usage_entries x
                     where x.organization_id = (select public.current_organization_id()) and x.kind = 'seconds' and x.billed_at >= p_from and x.billed_at < p_to
                       and (p_overage is null or (x.overage > 0) = p_overage)
                       and (v_after.id is null or (x.billed_at, x.id) < (v_after.at, v_after.id::uuid))
                     order by x.billed_at desc, x.id desc limit p_limit + 1) u);
end
$$;

create or replace function public.usage_call_view(u public.usage_entries) returns jsonb
    language plpgsql stable set search_path = '' as $$
begin
    return jsonb_build_object('call_id', u.call_id, 'user_id', u.user_id, 'ended_at', public.time_view(u.occurred_at), 'billed_at', public.time_view(u.billed_at),
                              'seconds', u.quantity, 'billable_seconds', u.billable, 'overage_seconds', u.overage, 'carried', u.carried);
end
$$;

create or replace function api.billing_invoices(p_status text default null, p_after text default null, p_limit integer default 20) returns jsonb
    language plpgsql stable set search_path = '' as $$
declare
    v_after record;
begin
    select * into v_after from public.cursor_read('invoices', p_after);
    return (select public.page_view('invoices', array_agg(public.invoice_view(i) order by i.issued_at desc, i.id desc),
                                    array_agg(i.issued_at order by i.issued_at desc, i.id desc), array_agg(i.id::text order by i.issued_at desc, i.id desc), p_limit)
              from (select * from public.invoices x
                     where x.organization_id = (select public.current_organization_id()) and (p_status is null or x.status = p_status)
                       and (v_after.id is null or (x.issued_at, x.id) < (v_after.at, v_after.id::uuid))
                     order by x.issued_at desc, x.id desc limit p_limit + 1) i);
end
$$;

create or replace function api.billing_invoice(p_invoice_id uuid) returns jsonb
    language plpgsql stable set search_path = '' as $$
declare
    i public.invoices;
begin
    select * into i from public.invoices x where x.id = p_invoice_id and x.organization_id = public.current_organization_id();
    if not found then
        raise exception 'invoice_not_found' using errcode = 'PT404';
    end if;
    return public.invoice_view(i) || jsonb_build_object('lines', (
        select coalesce(jsonb_agg(public.invoice_line_view(l.value) order by l.ordinality), '[]')
          from jsonb_array_elements(i.lines) with ordinality l where jsonb_typeof(l.value) = 'object'));
end
$$;

create or replace function api.billing_events(p_type text default null, p_after text default null, p_limit integer default 20) returns jsonb
    language plpgsql stable set search_path = '' as $$
declare
    v_after record;
begin
    select * into v_after from public.cursor_read('billing_events', p_after);
    return (select public.page_view('billing_events', array_agg(public.billing_event_view(e) order by e.created_at desc, e.id desc),
                                    array_agg(e.created_at order by e.created_at desc, e.id desc), array_agg(e.id::text order by e.created_at desc, e.id desc), p_limit)
              from (select * from public.billing_events x
                     where x.organization_id = (select public.current_organization_id()) and (p_type is null or x.event_type = p_type)
                       and (v_after.id is null or (x.created_at, x.id) < (v_after.at, v_after.id::uuid))
                     order by x.created_at desc, x.id desc limit p_limit + 1) e);
end
$$;
