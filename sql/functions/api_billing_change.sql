-- api_billing_change.sql - /api/v1/billing: what changes something, or is asked at Stripe (common/web/outside.h says how these go on step by step).

-- A greater plan counts and is paid at once; a smaller one when the period ends; the present one takes a change back that waits.  p_preview_at: of a
-- preview, whose amount is asked then.
create or replace function api.billing_plan_change(p_plan_id uuid, p_preview_at timestamptz, p_state jsonb, p_answer jsonb) returns jsonb
    language plpgsql volatile set search_path = '' as $$
declare
    v_next jsonb;
begin
    if p_preview_at > now() or p_preview_at < now() - interval '1 hour' then
        perform public.refuse_field('preview_too_old', 'preview_at', 'A preview holds for an hour.');
    end if;
    if p_state ->> 'at' is null then
        return public.plan_change_begin(p_plan_id, p_state);
    elsif p_state ->> 'at' = 'written' then
        return public.subscription_told(p_answer);
    end if;
    v_next := public.plan_change_ready(p_plan_id, p_state, p_answer);
    if v_next ? 'ask' then
        return v_next;
    end if;
    p_state := v_next -> 'state';
    if p_state ->> 'kind' = 'none' then
        return public.subscription_told(p_answer);
    end if;
    return public.subscription_ask(p_state -> 'sub' ->> 'id', public.plan_change_form(
        p_state ->> 'kind', p_state -> 'sub', p_plan_id, public.proration_moment(p_state -> 'sub', p_preview_at)), p_state - 'sub');
end
$$;

-- What a change of plan would cost, to the cent, as Stripe reckons it now.
create or replace function api.billing_plan_preview(p_plan_id uuid, p_state jsonb, p_answer jsonb) returns jsonb
    language plpgsql volatile set search_path = '' as $$
declare
    v_next jsonb;
    v_at bigint;
    v_form jsonb;
begin
    if p_state ->> 'at' is null then
        return public.plan_change_begin(p_plan_id, p_state);
    elsif p_state ->> 'at' = 'asked' then
        perform public.stripe_need(p_answer);
        return jsonb_build_object('view', public.plan_preview_view(p_plan_id, p_state, p_answer -> 'body'));
    end if;
    v_next := public.plan_change_ready(p_plan_id, p_state, p_answer);
    if v_next ? 'ask' then
        return v_next;
    end if;
    v_at := public.proration_moment(v_next -> 'state' -> 'sub', now());
    p_state := v_next -> 'state' || jsonb_build_object('at', 'asked', 'moment', v_at);
    if p_state ->> 'kind' <> 'upgrade' then
        return jsonb_build_object('view', public.plan_preview_view(p_plan_id, p_state, null));
    end if;
    v_form := public.plan_change_form('upgrade', p_state -> 'sub', p_plan_id, v_at);
    select jsonb_object_agg('subscription_details[' || replace(split_part(e.key, '[', 1), ']', '') || ']' || substr(e.key, length(split_part(e.key, '[', 1)) + 1), e.value)
      into v_form from jsonb_each(v_form) e where e.key like 'items[%' or e.key in ('proration_behavior', 'proration_date');
    return jsonb_build_object('ask', public.stripe_ask('POST', '/v1/invoices/create_preview', v_form || jsonb_build_object('subscription', p_state -> 'sub' ->> 'id'),
                                                       public.stripe_key('preview'), 'invoice'), 'state', p_state);
end
$$;

-- p_invoice: what would be asked at once; null: nothing.
create or replace function public.plan_preview_view(p_plan uuid, p_state jsonb, p_invoice jsonb) returns jsonb
    language plpgsql stable security definer set search_path = '' as $$
declare
    p public.subscription_plans;
    v_now timestamptz := to_timestamp((p_state ->> 'moment')::bigint);
    v_end timestamptz := to_timestamp((p_state -> 'sub' ->> 'period_end')::bigint);
    v_upgrade boolean := p_state ->> 'kind' = 'upgrade';
    v_lines jsonb;
begin
    select * into p from public.subscription_plans x where x.id = p_plan;
    select coalesce(jsonb_agg(public.invoice_line_view(l.value) order by l.ordinality), '[]') into v_lines
      from jsonb_array_elements(coalesce(p_invoice -> 'lines', '[]')) with ordinality l;
    -- A plan of another interval begins a period of its own.
    if v_upgrade and exists (select from public.subscription_stands(p_state -> 'sub') t join public.subscription_plans o on o.id = t.held_plan
                              where o."interval" <> p."interval") then
        select b.period_end into v_end from public.period_at(v_now, p."interval", v_now) b;
    end if;
    return jsonb_build_object(
        'plan_id', p.id, 'kind', p_state ->> 'kind', 'preview_at', public.time_view(v_now),
        'effective_at', public.time_view(case when p_state ->> 'kind' in ('downgrade', 'end') then v_end else v_now end),
        'currency', coalesce(p_invoice ->> 'currency', p.currency), 'amount_due', coalesce((p_invoice ->> 'amount_due')::bigint, 0),
        'total', coalesce((p_invoice ->> 'total')::bigint, 0), 'tax', (p_invoice ->> 'tax')::bigint, 'lines', v_lines,
        'next_amount', case when p_state ->> 'kind' = 'end' then 0 else public.plan_amount(p) end, 'next_at', public.time_view(v_end));
end
$$;

-- ---- the end, and taking it back --------------------------------------------------------

create or replace function api.billing_cancel(p_at_period_end boolean, p_reason text, p_state jsonb, p_answer jsonb) returns jsonb
    language plpgsql volatile set search_path = '' as $$
declare
    s public.subscriptions := public.subscription_here();
    v_sub jsonb := p_answer -> 'body';
    v_form jsonb := jsonb_strip_nulls(jsonb_build_object('cancellation_details[comment]', nullif(p_reason, '')));
begin
    if p_state ->> 'at' is null then
        if s.origin is distinct from 'stripe' then
            return public.subscription_cancel_manual(p_at_period_end);
        end if;
        return public.subscription_look(s.external_id, p_state || jsonb_build_object('id', s.external_id));
    elsif p_state ->> 'at' = 'written' then
        return public.subscription_told(p_answer);
    end if;
    perform public.stripe_need(p_answer);
    if public.subscription_is_over(v_sub) or (p_at_period_end and (v_sub ->> 'cancel_at_period_end')::boolean) then
        return public.subscription_told(p_answer);
    elsif p_at_period_end then
        return public.subscription_ask(v_sub ->> 'id', v_form || '{"cancel_at_period_end":"true"}', p_state);
    end if;
    return jsonb_build_object('ask', public.stripe_ask('DELETE', '/v1/subscriptions/' || (v_sub ->> 'id'), v_form || '{"invoice_now":"true","prorate":"false"}',
                                                       public.stripe_key('cancel'), 'subscription'),
                              'state', p_state || '{"at":"written"}');
end
$$;

create or replace function api.billing_resume(p_state jsonb, p_answer jsonb) returns jsonb
    language plpgsql volatile set search_path = '' as $$
declare
    s public.subscriptions := public.subscription_here();
    v_sub jsonb := p_answer -> 'body';
begin
    if p_state ->> 'at' is null then
        if s.origin is distinct from 'stripe' then
            return public.subscription_resume_manual();
        end if;
        return public.subscription_look(s.external_id, p_state);
    elsif p_state ->> 'at' = 'written' then
        return public.subscription_told(p_answer);
    end if;
    perform public.stripe_need(p_answer);
    if public.subscription_is_over(v_sub) then
        return public.subscription_ended(p_state, p_answer);
    elsif v_sub ->> 'status' = 'paused' then
        return public.subscription_ask(v_sub ->> 'id', '{"billing_cycle_anchor":"unchanged"}', p_state, '/resume');
    elsif (v_sub ->> 'cancel_at_period_end')::boolean then
        return public.subscription_ask(v_sub ->> 'id', '{"cancel_at_period_end":"false"}', p_state);
    elsif v_sub ->> 'cancel_at' is not null then
        return public.subscription_ask(v_sub ->> 'id', '{"cancel_at":""}', p_state);
    end if;
    return public.subscription_told(p_answer);
end
$$;

-- One that an operator gave: nobody has to be asked.
create or replace function public.subscription_cancel_manual(p_at_period_end boolean) returns jsonb
    language plpgsql security definer set search_path = '' as $$
declare
    v_organization uuid := public.current_organization_id();
    s public.subscriptions;
begin
    perform from public.organizations o where o.id = v_organization for no key update;
    select * into s from public.subscriptions x where x.organization_id = v_organization and x.current and x.origin = 'manual';
    if s.id is null or exists (select from public.subscription_plans p where p.id = s.plan_id and p.is_default) then
        raise exception 'subscription_free' using errcode = 'PT409';
    elsif p_at_period_end then
        update public.subscriptions x set cancel_at_period_end = true where x.id = s.id;
    else
        update public.subscriptions x set status = 'canceled', canceled_at = now(), ended_at = now() where x.id = s.id;
        perform public.subscription_default(v_organization);
    end if;
    return jsonb_build_object('view', public.billing_view());
end
$$;

create or replace function public.subscription_resume_manual() returns jsonb
    language plpgsql security definer set search_path = '' as $$
begin
    update public.subscriptions x set cancel_at_period_end = false
     where x.organization_id = public.current_organization_id() and x.current and x.origin = 'manual' and x.cancel_at_period_end;
    return jsonb_build_object('view', public.billing_view());
end
$$;

-- ---- the customer's own pages at Stripe ---------------------------------------------------

create or replace function api.billing_portal(p_return_url text, p_state jsonb, p_answer jsonb) returns jsonb
    language plpgsql volatile set search_path = '' as $$
declare
    v_next jsonb;
begin
    if p_state ->> 'at' = 'customer' then
        p_state := public.customer_looked(p_state, p_answer);
        p_answer := null;
    elsif public.customer_doubted(p_state, p_answer) then
        return public.customer_look(p_state);
    elsif p_state ->> 'at' = 'asked' then
        perform public.stripe_need(p_answer);
        return jsonb_build_object('view', jsonb_build_object('url', p_answer -> 'body' ->> 'url'));
    end if;
    v_next := public.billing_make(null, true, p_state, p_answer);
    if v_next is not null then
        return v_next;
    end if;
    return jsonb_build_object(
        'ask', public.stripe_ask('POST', '/v1/billing_portal/sessions', jsonb_build_object(
                   'customer', (select o.stripe_customer_id from public.organizations o where o.id = public.current_organization_id()),
                   'return_url', coalesce(p_return_url, p_state -> 'known' ->> 'return_url')), public.stripe_key('portal')),
        'state', p_state || '{"at":"asked"}');
end
$$;
