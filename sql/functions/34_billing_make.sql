-- 34_billing_make.sql - what has to be at Stripe before somebody can pay: the customer, and for each plan a product and its prices, and the meter that
-- further minutes are told to.  Each is made once.  Functions say what is asked next and take what came of it (common/web/outside.h); no transaction
-- is open while Stripe is asked.
--
-- A first try has a key that is always the same, so that of many who make a thing at the same time one does.  Stripe gives the first result of a key
-- again, its own failures too: after one it is looked whether the thing is there, and if not it is made under another key.

create or replace function public.stripe_ask(p_method text, p_path text, p_form jsonb default '{}', p_key text default null, p_read text default null)
    returns jsonb
    language plpgsql security definer set search_path = '' as $$
begin
    return jsonb_build_object('method', p_method, 'path', p_path, 'form', p_form, 'key', p_key, 'read', p_read,
                              'number', case when p_read is not null then nextval('public.billing_reads') end);
end
$$;

-- A key for what is asked once; what it is asked for is then in a state in which asking again changes nothing.
create or replace function public.stripe_key(p_what text) returns text
    language plpgsql volatile set search_path = '' as $$
begin
    return format('hookswitch:%s:%s', p_what, gen_random_uuid());
end
$$;

-- Refuses what was no success.
create or replace function public.stripe_need(p_answer jsonb) returns void
    language plpgsql immutable set search_path = '' as $$
begin
    if p_answer ->> 'result' = 'ok' then
        return;
    elsif p_answer ->> 'status' = '402' then
        raise exception 'payment_failed' using errcode = 'PT402',
            detail = format('The payment was refused (%s); nothing has changed.', coalesce(p_answer ->> 'decline', p_answer ->> 'code'));
    elsif p_answer ->> 'result' in ('retry', 'unknown') then
        raise exception 'unavailable' using errcode = 'PT503',
            detail = 'The payment provider did not do it, or did not say; the same request under the same Idempotency-Key completes it.';
    end if;
    raise exception 'payment_provider_refused' using errcode = 'PT409', detail = format('The payment provider says: %s.', p_answer ->> 'code');
end
$$;

-- ---- what is lacking ----------------------------------------------------------

-- The price that is sold now, if it is what the plan's row says today.  One that an operator chose (amount_cents null) is what it is.
create or replace function public.plan_price_sold(p public.subscription_plans, p_kind text) returns text
    language plpgsql stable security definer set search_path = '' as $$
begin
    return (select x.price_id from public.plan_prices x
             where x.plan_id = p.id and x.provider = 'stripe' and x.kind = p_kind and x.active
               and (x.amount_cents is null or (x.amount_cents, x.currency, x."interval") is not distinct from
                    (case p_kind when 'base' then public.plan_amount(p) else public.plan_second_amount(p) end, p.currency, p."interval")));
end
$$;

create or replace function public.billing_lacking(p_organization uuid, p_plan uuid, p_customer boolean, p_made jsonb) returns text
    language plpgsql stable security definer set search_path = '' as $$
declare
    p public.subscription_plans;
begin
    if p_customer and exists (select from public.organizations o join public.billing_accounts b on b.organization_id = o.id
                               where o.id = p_organization and (o.stripe_customer_id is null or b.customer_deleted)) then
        return 'customer';
    end if;
    select * into p from public.subscription_plans x where x.id = p_plan;
    if p.id is not null and public.plan_price_sold(p, 'base') is null then
        return case when coalesce(p_made ? 'product:base', false) then 'price:base' else 'product:base' end;
    elsif p.overage_cents is not null and not exists (select from public.billing_meters m where m.provider = 'stripe' and m.event_name = public.meter_event_name()) then
        return 'meter';
    elsif p.overage_cents is not null and public.plan_price_sold(p, 'overage') is null then
        return case when coalesce(p_made ? 'product:overage', false) then 'price:overage' else 'product:overage' end;
    end if;
    return null;
end
$$;

create or replace function public.meter_event_name() returns text
    language plpgsql immutable set search_path = '' as $$
begin
    return 'hookswitch_overage_seconds';
end
$$;

-- ---- a customer who was deleted, and no event told of it ----------------------------

-- Stripe did not find something that it was asked with: that may be the customer.
create or replace function public.customer_doubted(p_state jsonb, p_answer jsonb) returns boolean
    language plpgsql immutable set search_path = '' as $$
begin
    return coalesce(p_state ->> 'at' = 'asked' and p_answer ->> 'code' = 'resource_missing', false) and not p_state ? 'doubted';
end
$$;

create or replace function public.customer_look(p_state jsonb) returns jsonb
    language plpgsql volatile set search_path = '' as $$
declare
    v_id text := (select o.stripe_customer_id from public.organizations o where o.id = public.current_organization_id());
begin
    return jsonb_build_object('ask', public.stripe_ask('GET', '/v1/customers/' || v_id),
                              'state', p_state || jsonb_build_object('at', 'customer', 'doubted', v_id));
end
$$;

-- Once the customer is known to be gone another one is made; with him his subscriptions have ended, which are read.  The state goes back to where all
-- begins, and the next try has a key of its own.
create or replace function public.customer_looked(p_state jsonb, p_answer jsonb) returns jsonb
    language plpgsql security definer set search_path = '' as $$
declare
    v_organization uuid := public.current_organization_id();
    v_id text := p_state ->> 'doubted';
begin
    if p_answer ->> 'result' <> 'absent' then
        perform public.stripe_need(p_answer);
        if (p_answer -> 'body' ->> 'deleted')::boolean is not true then
            raise exception 'payment_provider_refused' using errcode = 'PT409', detail = 'The payment provider says: resource_missing.';
        end if;
    end if;
    update public.billing_accounts b set customer_deleted = true from public.organizations o
     where o.id = v_organization and b.organization_id = o.id and o.stripe_customer_id = v_id;
    perform public.stripe_read('gone:' || v_id, 'subscription', s.external_id, s.organization_id)
       from public.subscriptions s join public.subscription_standings g on g.status = s.status
      where s.organization_id = v_organization and s.origin = 'stripe' and s.external_customer_id = v_id and not g.is_over;
    return p_state - '{at,making,stage}'::text[] || '{"again":true}';
end
$$;

-- ---- making -------------------------------------------------------------------

create or replace function public.plan_product_id(p_plan uuid, p_kind text) returns text
    language plpgsql immutable set search_path = '' as $$
begin
    return format('hookswitch_%s_%s', p_kind, replace(p_plan::text, '-', ''));
end
$$;

-- A price of other amount, currency or interval is another price.
create or replace function public.plan_lookup_key(p public.subscription_plans, p_kind text) returns text
    language plpgsql immutable set search_path = '' as $$
begin
    return format('hookswitch_%s_%s_%s_%s_%s', p_kind, replace(p.id::text, '-', ''), p.currency, p."interval",
                  case p_kind when 'base' then public.plan_amount(p)::text else public.plan_second_amount(p)::text end);
end
$$;

-- The same for all who make an organization's customer now; another one when a try has failed at Stripe, and for the next customer when one was deleted.
create or replace function public.customer_key(o public.organizations, b public.billing_accounts) returns text
    language plpgsql immutable set search_path = '' as $$
begin
    return format('%s:%s:%s', o.id, b.customer_tries, case when b.customer_deleted then o.stripe_customer_id end);
end
$$;

-- How a thing is made: path, form, and the key of the first try.
create or replace function public.billing_recipe(p_thing text, p_organization uuid, p_plan uuid, out path text, out form jsonb, out key text)
    language plpgsql stable security definer set search_path = '' as $$
declare
    v_kind text := split_part(p_thing, ':', 2);
    p public.subscription_plans;
begin
    select * into p from public.subscription_plans x where x.id = p_plan;
    if p_thing = 'customer' then
        path := '/v1/customers';
        select jsonb_build_object('name', o.name, 'email', public.billing_email(o.id), 'metadata[organization_id]', o.id, 'metadata[user_id]', public.current_user_id()),
               public.customer_key(o, b)
          into form, key
          from public.organizations o join public.billing_accounts b on b.organization_id = o.id where o.id = p_organization;
    elsif p_thing = 'meter' then
        path := '/v1/billing/meters';
        form := jsonb_build_object('display_name', 'Minutes beyond the plan, in seconds', 'event_name', public.meter_event_name(), 'default_aggregation[formula]', 'sum',
                                   'customer_mapping[type]', 'by_id', 'customer_mapping[event_payload_key]', 'stripe_customer_id',
                                   'value_settings[event_payload_key]', 'value');
        key := public.meter_event_name();
    elsif p_thing in ('product:base', 'product:overage') then
        path := '/v1/products';
        key := public.plan_product_id(p.id, v_kind);
        form := jsonb_build_object('id', key, 'name', case v_kind when 'base' then initcap(p.name) else initcap(p.name) || ': further minutes, by the second' end,
                                   'metadata[plan_id]', p.id);
    else
        path := '/v1/prices';
        key := public.plan_lookup_key(p, v_kind);
        form := jsonb_build_object('product', public.plan_product_id(p.id, v_kind), 'currency', p.currency, 'lookup_key', key,
                                   'recurring[interval]', case p."interval" when 'yearly' then 'year' else 'month' end,
                                   'metadata[plan_id]', p.id, 'metadata[kind]', v_kind)
             || case v_kind when 'base' then jsonb_build_object('unit_amount', public.plan_amount(p))
                            else jsonb_build_object('unit_amount_decimal', public.plan_second_amount(p)::text, 'recurring[usage_type]', 'metered',
                                                    'recurring[meter]', (select m.meter_id from public.billing_meters m where m.provider = 'stripe' and m.event_name = public.meter_event_name()))
                end;
    end if;
    key := format('hookswitch:%s:%s', split_part(p_thing, ':', 1), key);
end
$$;

-- Whom bills go to: who asks, else an owner.
create or replace function public.billing_email(p_organization uuid) returns text
    language plpgsql stable security definer set search_path = '' as $$
begin
    return (select u.email from public.organization_members m join public.user_profiles u on u.id = m.user_id
             where m.organization_id = p_organization and (m.role = 'owner' or m.user_id = public.current_user_id()) and u.email is not null
             order by m.user_id is distinct from public.current_user_id(), m.created_at, m.user_id limit 1);
end
$$;

-- Where a thing is looked for that may have been made.
create or replace function public.billing_look(p_thing text, p_form jsonb) returns jsonb
    language plpgsql volatile set search_path = '' as $$
begin
    return case split_part(p_thing, ':', 1)
               when 'customer' then public.stripe_ask('GET', '/v1/customers', jsonb_build_object('email', p_form -> 'email', 'limit', 100))
               when 'meter' then public.stripe_ask('GET', '/v1/billing/meters', '{"status":"active","limit":100}')
               when 'product' then public.stripe_ask('GET', '/v1/products/' || (p_form ->> 'id'))
               else public.stripe_ask('GET', '/v1/prices', jsonb_build_object('lookup_keys[0]', p_form ->> 'lookup_key', 'active', 'true', 'limit', 1))
           end;
end
$$;

-- Its id in what was found; null: it is not there.
create or replace function public.billing_found(p_thing text, p_form jsonb, p_answer jsonb) returns text
    language plpgsql immutable set search_path = '' as $$
begin
    if p_answer ->> 'result' = 'absent' then
        return null;
    end if;
    perform public.stripe_need(p_answer);
    if p_thing like 'product:%' then
        return p_answer -> 'body' ->> 'id';
    end if;
    return (select e.value ->> 'id' from jsonb_array_elements(p_answer -> 'body' -> 'data') e
             where case when p_thing = 'customer' then e.value -> 'metadata' ->> 'organization_id' = p_form ->> 'metadata[organization_id]'
                        when p_thing = 'meter' then e.value ->> 'event_name' = p_form ->> 'event_name'
                        else e.value ->> 'lookup_key' = p_form ->> 'lookup_key' end
             order by (e.value ->> 'created')::bigint limit 1);
end
$$;

-- It is there: its id is kept.
create or replace function public.billing_made(p_thing text, p_organization uuid, p_plan uuid, p_id text) returns void
    language plpgsql security definer set search_path = '' as $$
declare
    v_kind text := split_part(p_thing, ':', 2);
    p public.subscription_plans;
begin
    if not public.may_act_for(p_organization) or p_id is null then
        raise exception 'organization_not_found' using errcode = 'PT404';
    end if;
    if p_thing = 'customer' then
        update public.organizations o set stripe_customer_id = p_id from public.billing_accounts b
         where o.id = p_organization and b.organization_id = o.id and (o.stripe_customer_id is null or b.customer_deleted);
        update public.billing_accounts b set customer_deleted = false where b.organization_id = p_organization and b.customer_deleted;
    elsif p_thing = 'meter' then
        insert into public.billing_meters (provider, event_name, meter_id) values ('stripe', public.meter_event_name(), p_id) on conflict do nothing;
    elsif p_thing like 'price:%' then
        select * into p from public.subscription_plans x where x.id = p_plan for no key update;
        update public.plan_prices x set active = false where x.plan_id = p.id and x.provider = 'stripe' and x.kind = v_kind and x.active and x.price_id <> p_id;
        insert into public.plan_prices (provider, price_id, plan_id, kind, amount_cents, currency, "interval", product_id)
        values ('stripe', p_id, p.id, v_kind, case v_kind when 'base' then public.plan_amount(p) else public.plan_second_amount(p) end, p.currency,
                p."interval", public.plan_product_id(p.id, v_kind))
        on conflict (provider, price_id) do update set active = true;
        if v_kind = 'base' then
            update public.subscription_plans x set stripe_price_id = p_id where x.id = p.id and x.stripe_price_id is distinct from p_id;
        end if;
    end if;
end
$$;

-- The next question until the active organization's customer (p_customer) and the plan's prices are there; null: they are.  In the state: making: the
-- thing, stage: make, look or again, made: what was made in this request.
create or replace function public.billing_make(p_plan uuid, p_customer boolean, p_state jsonb, p_answer jsonb) returns jsonb
    language plpgsql security definer set search_path = '' as $$
declare
    v_organization uuid := public.current_organization_id();
    v_thing text := p_state ->> 'making';
    v_stage text := p_state ->> 'stage';
    v_made jsonb := coalesce(p_state -> 'made', '{}');
    r record;
    v_id text;
begin
    if v_thing is not null then
        select * into r from public.billing_recipe(v_thing, v_organization, p_plan);
        if v_stage = 'look' then
            v_id := public.billing_found(v_thing, r.form, p_answer);
            if v_id is null then
                return public.billing_make_again(v_thing, v_organization, p_plan, p_state);
            end if;
        elsif v_stage = 'make' and (p_answer ->> 'status')::integer >= 400
              and (p_answer ->> 'result' = 'failed' or p_answer ->> 'result' = 'unknown') then
            return jsonb_build_object('ask', public.billing_look(v_thing, r.form), 'state', p_state || '{"stage":"look"}');
        else
            perform public.stripe_need(p_answer);
            v_id := p_answer -> 'body' ->> 'id';
        end if;
        perform public.billing_made(v_thing, v_organization, p_plan, v_id);
        v_made := v_made || jsonb_build_object(v_thing, true);
    end if;
    v_thing := public.billing_lacking(v_organization, p_plan, p_customer, v_made);
    if v_thing is null then
        return null;
    end if;
    select * into r from public.billing_recipe(v_thing, v_organization, p_plan);
    return jsonb_build_object('ask', public.stripe_ask('POST', r.path, r.form, r.key),
                              'state', p_state || jsonb_build_object('making', v_thing, 'stage', 'make', 'key', r.key, 'made', v_made));
end
$$;

-- It failed at Stripe and is not there.  Of customers there may be two of the same name, so the next key is the same for all who ask now; of the other
-- things Stripe itself takes no second one.
create or replace function public.billing_make_again(p_thing text, p_organization uuid, p_plan uuid, p_state jsonb) returns jsonb
    language plpgsql security definer set search_path = '' as $$
declare
    r record;
begin
    if p_thing = 'customer' then
        update public.billing_accounts b set customer_tries = b.customer_tries + 1
          from public.organizations o
         where o.id = p_organization and b.organization_id = o.id and 'hookswitch:customer:' || public.customer_key(o, b) = p_state ->> 'key';
    end if;
    select * into r from public.billing_recipe(p_thing, p_organization, p_plan);
    return jsonb_build_object(
        'ask', public.stripe_ask('POST', r.path, r.form || case when p_thing like 'price:%' then '{"transfer_lookup_key":"true"}' else '{}' end::jsonb,
                                 case when p_thing = 'customer' then r.key else public.stripe_key(split_part(p_thing, ':', 1)) end),
        'state', p_state || '{"stage":"again"}');
end
$$;
