-- admin_billing.sql - operators: plans, prices, subscriptions by hand, differences, money events.
begin;
set local client_min_messages = warning;
select no_plan();

select gen_random_uuid() as olga \gset
select tests.organization('Buyer') as org \gset
select tests.organization('Payer') as payer \gset
select id as free from public.subscription_plans where name = 'free' \gset
select id as basic from public.subscription_plans where name = 'basic' \gset
select id as business from public.subscription_plans where name = 'business' \gset

create function tests.operator() returns void language plpgsql as $$
begin
    perform tests.be_nobody();
    perform set_config('request.jwt.claims', '{"sub":"11111111-1111-4111-8111-111111111111"}', true), set_config('role', 'hookswitch_operator', true);
end
$$;
create function tests.logged() returns text language sql security definer as $$
    select action || ' ' || coalesce(organization_id::text, '-') || ' ' || details::text from public.audit_log order by created_at desc, id desc limit 1
$$;
grant execute on all functions in schema tests to public;

-- ---- plans ----------------------------------------------------------------------

select tests.operator();
select api.admin_plan_create('Gold', 1999, 'jpy', 'yearly', p_call_limit => 10, p_overage_cents => 1.5, p_features => '["one"]') as gold \gset
select is(:'gold'::jsonb @> '{"name":"Gold","tier":"Gold","price_cents":1999,"currency":"jpy","interval":"yearly","call_limit":10,"minutes_limit":null,
    "limit_mode":"hard","overage_cents":1.5,"features":["one"],"is_default":false,"on_sale":true,"organizations":0,"paying":0,"prices":[]}', true, 'a plan is made');
select tests.be_nobody();
select is((select price from public.subscription_plans where name = 'Gold'), 1999::numeric, 'a currency without a point has units only');
select is(tests.logged() like 'plan.%- {"name": "Gold"%', true, 'and stands in the log');
select tests.operator();
select :'gold'::jsonb ->> 'id' as plan \gset
select is(api.admin_plan_update(:'plan', '{"price_cents":2500,"currency":"kwd"}') @> '{"price_cents":2500,"currency":"kwd"}', true, 'three digits behind the point');
select tests.be_nobody();
select is((select price from public.subscription_plans where name = 'Gold'), 2.5, 'are units and thousandths');
select is(tests.logged(), format('plan.updated - {"name": "Gold", "changed": {"price": {"to": 2.50, "from": 1999.00}, "currency": {"to": "kwd", "from": "jpy"}}}'), 'what it was stands in the log');
select tests.operator();
select is(api.admin_plan_update(:'plan', '{"currency":"usd"}') -> 'price_cents', '250', 'the price stays in units when the currency changes alone');
select is(api.admin_plan_update(:'plan', '{"call_limit":null,"overage_cents":null,"description":null}') @> '{"call_limit":null,"overage_cents":null,"description":null}', true,
          'null clears');
select throws_ok($$select api.admin_plan_create('Gold', 1)$$, 'PT409', 'plan_name_taken', 'a name is given once');
select throws_ok(format('select api.admin_plan_update(%L, %L)', :'plan', '{"name":"basic"}'), 'PT409', 'plan_name_taken', 'also afterwards');
select throws_ok($$select api.admin_plan_create('Silver', 1, 'us$')$$, 'PT422', 'currency_invalid', 'a currency is three letters');
select is((select count(*)::integer from public.subscription_plans where name = 'Silver'), 0, 'of what is refused nothing stays');
select throws_ok(format('select api.admin_plan_update(%L, %L)', gen_random_uuid(), '{}'), 'PT404', 'subscription_plan_not_found', 'there must be one');
select throws_ok(format('select api.admin_plan_get(%L)', gen_random_uuid()), 'PT404', 'subscription_plan_not_found', 'there must be one to look at');
select is(jsonb_array_length(api.admin_plan_list(p_limit => 2) -> 'data'), 2, 'they are listed by the page');
select is((select array_agg(d ->> 'name') from jsonb_array_elements(api.admin_plan_list(api.admin_plan_list(p_limit => 4) ->> 'next_cursor', 4) -> 'data') d), '{Gold}', 'the oldest first');

-- The default plan.
select throws_ok(format('select api.admin_plan_update(%L, %L)', :'plan', '{"is_default":true}'), 'PT409', 'plan_default', 'who pays nothing has no plan that costs something');
select is(api.admin_plan_update(:'free', '{"is_default":true}') -> 'is_default', 'true', 'one that costs nothing can be the default');
select is((select count(*)::integer from public.subscription_plans where is_default), 1, 'in the place of the one before it');
select throws_ok(format('select api.admin_plan_update(%L, %L)', :'free', '{"is_default":false}'), 'PT409', 'plan_default', 'there is always one');
select throws_ok(format('select api.admin_plan_update(%L, %L)', :'free', '{"price_cents":100}'), 'PT409', 'plan_default', 'and it stays without a price');
select is(api.admin_plan_update(:'free', '{"call_limit":5}') -> 'call_limit', '5', 'what nobody pays for may give less');

-- A plan that somebody pays for.
select tests.be_nobody();
insert into public.subscriptions (organization_id, plan_id, origin, external_id, external_customer_id, external_status, status, external_price_id, current_period_end)
values (:'payer', :'basic', 'stripe', 'sub_adm_1', 'cus_adm_1', 'active', 'active', 'price_adm_basic', now() + interval '20 days');
select tests.operator();
select is(api.admin_plan_get(:'basic') @> '{"organizations":1,"paying":1}', true, 'who pays is counted');
select throws_ok(format('select api.admin_plan_update(%L, %L)', :'basic', c), 'PT409', 'plan_in_use', 'who pays keeps what he bought: ' || c)
  from unnest(array['{"interval":"yearly"}', '{"currency":"eur"}', '{"tier":"x"}', '{"call_limit":499}', '{"minutes_limit":0}', '{"increment_seconds":61}',
                    '{"limit_mode":"hard"}', '{"overage_cents":6.01}']) c;
select is(api.admin_plan_update(:'basic', c::jsonb) ->> 'id', :'basic', 'but may get more: ' || c)
  from unnest(array['{"call_limit":501}', '{"minutes_limit":null}', '{"increment_seconds":1}', '{"overage_cents":5}', '{"overage_cents":null}', '{"price_cents":3900}',
                    '{"on_sale":false}', '{"name":"Basic"}', '{"rank":11}']) c;
select throws_ok(format('select api.admin_plan_update(%L, %L)', :'basic', '{"overage_cents":1}'), 'PT409', 'plan_in_use', 'nor pays for what was free');

-- ---- prices ---------------------------------------------------------------------

select is(api.admin_plan_price(:'basic', 'paddle', 'pri_1') -> 'prices', jsonb_build_array(jsonb_build_object('provider', 'paddle', 'price_id', 'pri_1',
          'kind', 'base', 'active', false, 'created_at', public.time_view(now()))), 'a price made elsewhere stands for a plan');
select throws_ok(format('select api.admin_plan_price(%L, %L, %L)', :'business', 'paddle', 'pri_1'), 'PT409', 'price_taken', 'and for no other');
select throws_ok(format('select api.admin_plan_price(%L, %L, %L, %L)', :'basic', 'paddle', 'pri_1', 'overage'), 'PT409', 'price_taken', 'nor for something else of it');
select api.admin_plan_price(:'basic', 'stripe', 'price_adm_old', p_active => true), api.admin_plan_price(:'basic', 'stripe', 'price_adm_new', p_active => true),
       api.admin_plan_price(:'basic', 'stripe', 'price_adm_new') \g /dev/null
select results_eq(format('select price_id, active from public.plan_prices where plan_id = %L and provider = %L order by 1', :'basic', 'stripe'),
                  $$values ('price_adm_new', true), ('price_adm_old', false)$$, 'one is sold, the old one stays');
select is(api.admin_plan_get(:'basic') ->> 'stripe_price_id', 'price_adm_new', 'under its other name too');
select throws_ok(format('select api.admin_plan_update(%L, %L)', :'business', '{"stripe_price_id":"price_adm_old"}'), 'PT409', 'price_taken', 'no plan takes another one''s price');
select throws_ok($$select api.admin_plan_create('Silver', 1, p_stripe_price_id => 'price_adm_old')$$, 'PT409', 'price_taken', 'nor a new one');
select is(api.admin_plan_update(:'plan', '{"stripe_price_id":"price_adm_gold"}') -> 'prices' -> 0 ->> 'price_id', 'price_adm_gold', 'a plan is given a price');
select throws_ok(format('select api.admin_plan_update(%L, %L)', :'plan', '{"interval":"monthly"}'), 'PT409', 'plan_in_use', 'what has a price keeps its interval');
select tests.be_nobody();
insert into public.subscriptions (organization_id, plan_id, origin, external_id, external_status, status, external_price_id, current_period_end, current)
values (:'org', null, 'paddle', 'sub_adm_2', 'active', 'active', 'pri_2', now() + interval '20 days', false),
       (:'org', null, 'stripe', 'sub_adm_3', 'active', 'active', 'price_adm_unknown', now() + interval '20 days', false);
select public.billing_differ('stripe', 'unknown_price', 'sub_adm_3', :'org', null, '{"price":"price_adm_unknown"}') \g /dev/null
select tests.operator();
select api.admin_plan_price(:'business', 'paddle', 'pri_2'), api.admin_plan_price(:'business', 'stripe', 'price_adm_unknown') \g /dev/null
select is((select plan_id from public.subscriptions where external_id = 'sub_adm_2'), :'business'::uuid, 'who paid an unknown price at Paddle has its plan from now on');
select is((select count(*)::integer from public.workflow_runs where workflow = 'stripe-sync' and input @> '{"kind":"subscription","id":"sub_adm_3"}'), 1, 'what is Stripe''s is read again');
select isnt((select resolved_at from public.billing_differences where external_id = 'sub_adm_3'), null, 'and is no difference any more');
select tests.be_nobody();
select is(tests.logged() like 'plan.price_added - %', true, 'each new price stands in the log');

-- ---- subscriptions by hand --------------------------------------------------------

select tests.operator();
select is(api.admin_subscription_get(:'org') @> '{"standing":"good","may_call":true,"subscription":{"origin":"manual","status":"active","current":true}}', true, 'what it has is seen');
select throws_ok(format('select api.admin_subscription_put(%L, %L)', :'org', gen_random_uuid()), 'PT404', 'subscription_plan_not_found', 'a plan must be there to be given');
select throws_ok(format('select api.admin_subscription_put(%L, %L)', gen_random_uuid(), :'business'), 'PT404', 'organization_not_found', 'and somebody to be given it');
select throws_ok(format('select api.admin_subscription_put(%L, %L, now() - interval %L)', :'org', :'business', '1 day'), 'PT422', 'expires_in_past', 'its end is to come');
select api.admin_subscription_put(:'org', :'business', '2099-01-01') as given \gset
select is(:'given'::jsonb @> '{"subscription":{"origin":"manual","status":"active","plan":{"name":"business"}}}', true, 'it has the plan');
select is((:'given'::jsonb #>> '{subscription,ends_at}')::timestamptz, '2099-01-01'::timestamptz, 'until then');
select is(jsonb_array_length(:'given'::jsonb -> 'before') >= 1, true, 'what it had before is seen');
select is((select count(*)::integer from public.subscriptions where organization_id = :'org' and current), 1, 'one counts');
select is((select tier_type from public.subscriptions where organization_id = :'org' and current), 'business', 'with the tier of its plan');
select tests.be_nobody();
select is(tests.logged() like format('subscription.given %s {"plan": "business"%%', :'org'), true, 'it stands in the organization''s log');
select is((select count(*)::integer from public.billing_events where organization_id = :'org' and event_type = 'subscription_created' and provider = 'manual'), 1, 'and in its book of money');
select is((select current_period_start from public.organizations where id = :'org'), (select current_period_start from public.subscriptions where organization_id = :'org' and current),
          'the organization shows its period');
select tests.operator();
select is(api.admin_subscription_put(:'org', :'business') #>> '{subscription,id}', :'given'::jsonb #>> '{subscription,id}', 'given again it is the same one');
select is(api.admin_subscription_get(:'org') #> '{subscription,ends_at}', 'null', 'for good');
select is(api.admin_subscription_put(:'org', :'business') = api.admin_subscription_get(:'org'), true, 'twice is once');
select is(api.admin_subscription_delete(:'org') #>> '{subscription,plan,name}', 'free', 'ended, the default plan remains');
select tests.be_nobody();
select is(tests.logged() like format('subscription.ended %s %%', :'org'), true, 'that stands in the log, too');
select count(*) as n from public.audit_log \gset
select tests.operator();
select is(api.admin_subscription_delete(:'org') #>> '{subscription,plan,name}', 'free', 'who has that has nothing to end');
select tests.be_nobody();
select is((select count(*) from public.audit_log), :n::bigint, 'and nothing is written');
select tests.operator();
select throws_ok(format('select api.admin_subscription_put(%L, %L)', :'payer', :'business'), 'PT409', 'subscription_paid', 'who pays at Stripe is given nothing beside it');
select throws_ok(format('select api.admin_subscription_delete(%L)', :'payer'), 'PT409', 'subscription_paid', 'nor does that end here');
select throws_ok(format('select api.admin_subscription_get(%L)', gen_random_uuid()), 'PT404', 'organization_not_found', 'there must be one to look at');

-- ---- the books --------------------------------------------------------------------

select tests.be_nobody();
delete from public.billing_differences;
select public.billing_differ('stripe', 'invoice_status', 'in_1', :'org', '{"status":"open"}', '{"status":"paid"}'),
       public.billing_differ('stripe', 'stranger', 'sub_x', null, null, '{}'), public.billing_differ('stripe', 'stranger', 'sub_x', null, null, '{}') \g /dev/null
select public.billing_differ('stripe', 'invoice_amount', 'in_2', :'payer', '{}', '{}'), public.billing_agree('stripe', '{invoice_amount}', 'in_2') \g /dev/null
select id as paid from public.billing_differences where external_id = 'in_1' \gset
select id as strange from public.billing_differences where kind = 'stranger' \gset
select tests.operator();
select is((select array_agg(d ->> 'kind' order by d ->> 'kind') from jsonb_array_elements(api.admin_difference_list() -> 'data') d), '{invoice_status,stranger}', 'open differences are listed');
select is((select array_agg(d ->> 'kind') from jsonb_array_elements(api.admin_difference_list('resolved') -> 'data') d), '{invoice_amount}', 'or those that are over');
select is(jsonb_array_length(api.admin_difference_list('all') -> 'data'), 3, 'or all');
select is((select array_agg(d ->> 'seen') from jsonb_array_elements(api.admin_difference_list(p_kind => 'stranger') -> 'data') d), '{2}', 'or of a kind, with how often');
select is(jsonb_array_length(api.admin_difference_list('all', p_organization_id => :'payer') -> 'data'), 1, 'or of an organization');
select is(jsonb_array_length(api.admin_difference_list('all', p_after => api.admin_difference_list('all', p_limit => 2) ->> 'next_cursor') -> 'data'), 1, 'by the page');
select is(api.admin_difference_reread(:'paid') ->> 'resolved_at', null, 'one is read again');
select is((select count(*)::integer from public.workflow_runs where workflow = 'stripe-sync' and input @> '{"kind":"invoice","id":"in_1"}'), 1, 'by a run');
select throws_ok(format('select api.admin_difference_reread(%L)', :'strange'), 'PT409', 'difference_not_readable', 'a stranger''s is not');
select throws_ok(format('select api.admin_difference_get(%L)', gen_random_uuid()), 'PT404', 'difference_not_found', 'there must be one');
select is(api.admin_reconcile() = api.admin_reconcile(), true, 'a reconciliation that goes on is not begun twice');
select is((select count(*)::integer from public.workflow_runs where workflow = 'reconcile'), 1, 'but once');
select is((select count(*) > 0 from jsonb_array_elements(api.admin_billing_event_list(:'org') -> 'data') e where e ->> 'event_type' = 'subscription_created'), true, 'money events are seen');
select is(jsonb_array_length(api.admin_billing_event_list(:'org', 'nothing') -> 'data'), 0, 'by type');

-- ---- who may --------------------------------------------------------------------------

select tests.be_nobody();
select tests.be_role('hookswitch_api');
select throws_ok(format('select public.admin_plan_write(%L, %L)', :'basic', '{}'), '42501', null, 'nobody else changes a plan');
select tests.be_role('hookswitch_pump');
select throws_ok(format('select public.admin_subscription_give(%L, %L, null)', :'org', :'basic'), 'PT403', 'operator_needed', 'nor gives one, whatever he may');

select * from finish();
rollback;
