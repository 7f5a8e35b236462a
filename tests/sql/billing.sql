-- billing.sql - money as an organization sees it: amounts, what is lacking at Stripe and asked there next, what a wish for another plan comes to.
begin;
select no_plan();

select gen_random_uuid() as alice \gset
select tests.organization('Alice', :'alice') as org \gset
insert into public.user_profiles (id, email) values (:'alice', 'alice@example.com') on conflict (id) do update set email = excluded.email;
update public.subscription_plans set is_default = false where is_default;
update public.subscription_plans set is_default = true where name = 'free';
select id as free from public.subscription_plans where name = 'free' \gset
select id as basic from public.subscription_plans where name = 'basic' \gset
select id as business from public.subscription_plans where name = 'business' \gset
select id as enterprise from public.subscription_plans where name = 'enterprise' \gset
insert into public.subscription_plans (name, tier, rank, price, "interval") values ('yearly', 'basic', 10, 290, 'yearly') returning id as yearly \gset

-- ---- amounts --------------------------------------------------------------------

select is(public.plan_amount(jsonb_populate_record(p, x.change)), x.amount, format('%s: %s of the smallest unit', x.change, x.amount))
  from public.subscription_plans p, (values ('{"price":29.00,"currency":"usd"}'::jsonb, 2900::bigint), ('{"price":0.01,"currency":"eur"}', 1), ('{"price":2900,"currency":"jpy"}', 2900),
       ('{"price":1.25,"currency":"kwd"}', 1250), ('{"price":0,"currency":"usd"}', 0)) x(change, amount)
 where p.id = :'basic';
select is(public.plan_second_amount(jsonb_populate_record(p, x.change)), x.amount::numeric, 'a second costs a sixtieth of a minute')
  from public.subscription_plans p, (values ('{"overage_cents":6}'::jsonb, '0.1'), ('{"overage_cents":5}', '0.083333333333'), ('{"overage_cents":null}', null)) x(change, amount)
 where p.id = :'basic';

-- ---- what is lacking at Stripe -----------------------------------------------------

select set_config('hookswitch.organization_id', :'org', true), set_config('request.jwt.claims', jsonb_build_object('sub', :'alice')::text, true) \g /dev/null
set local role hookswitch_api;

-- Walks the questions, each answered with what p_answers says of it, else with an id; the paths asked.
create function pg_temp.walk(p_plan uuid, p_answers jsonb default '{}') returns text[] language plpgsql as $$
declare
    v jsonb := '{"state":{"request":"r"}}';
    v_answer jsonb;
    v_paths text[] := '{}';
begin
    for i in 1 .. 20 loop
        v := public.billing_make(p_plan, true, v -> 'state', v_answer);
        exit when v is null;
        v_paths := v_paths || concat_ws(' ', v -> 'ask' ->> 'method', v -> 'ask' ->> 'path');
        v_answer := coalesce(p_answers -> (v_paths)[i], jsonb_build_object('result', 'ok', 'status', 200, 'body', jsonb_build_object(
            'id', coalesce(v -> 'ask' -> 'form' ->> 'id', split_part(v -> 'ask' ->> 'path', '/', 3) || '_' || gen_random_uuid()), 'data', '[]'::jsonb)));
        p_answers := p_answers - (v_paths)[i];
    end loop;
    return v_paths;
end
$$;
savepoint clean;
select is(pg_temp.walk(:'basic'), array['POST /v1/customers', 'POST /v1/products', 'POST /v1/prices', 'POST /v1/billing/meters', 'POST /v1/products', 'POST /v1/prices'],
          'customer, product and price, then meter, product and price of what lies beyond');
select is(pg_temp.walk(:'basic'), '{}', 'all of it is made once');
select is(pg_temp.walk(:'enterprise'), array['POST /v1/products', 'POST /v1/prices'], 'where nothing is sold beyond the plan there is no such price');
select is(pg_temp.walk(:'business'), array['POST /v1/products', 'POST /v1/prices', 'POST /v1/products', 'POST /v1/prices'], 'there is one meter');
reset role;
select is((select array_agg(kind || ' ' || amount_cents::float8 order by amount_cents) from public.plan_prices where plan_id = :'basic'), array['overage 0.1', 'base 2900'],
          'the amounts are kept that the prices were made with');
update public.subscription_plans set overage_cents = 7 where id = :'basic';
set local role hookswitch_api;
select is(pg_temp.walk(:'basic'), array['POST /v1/products', 'POST /v1/prices'], 'a minute that costs something else has another price');
reset role;
select is((select array_agg(active order by created_at, active) from public.plan_prices where plan_id = :'basic' and kind = 'overage'), array[false, true], 'and the old one stays known');
rollback to clean;

set local role hookswitch_api;
select is(pg_temp.walk(:'enterprise', '{"POST /v1/customers":{"result":"unknown","status":500}}'), array['POST /v1/customers', 'GET /v1/customers', 'POST /v1/customers',
          'POST /v1/products', 'POST /v1/prices'], 'what failed at Stripe is looked for, and made if it is not there');
rollback to clean;
set local role hookswitch_api;
select is(pg_temp.walk(:'enterprise', format('{"POST /v1/customers":{"result":"unknown","status":502},"GET /v1/customers":{"result":"ok","status":200,"body":{"data":[
          {"id":"cus_other","metadata":{"organization_id":"x"}},{"id":"cus_found","metadata":{"organization_id":"%s"}}]}}}', :'org')::jsonb),
          array['POST /v1/customers', 'GET /v1/customers', 'POST /v1/products', 'POST /v1/prices'], 'what is found is not made again');
reset role;
select is((select stripe_customer_id from public.organizations where id = :'org'), 'cus_found', 'and of many customers it is ours');
rollback to clean;
set local role hookswitch_api;
select throws_ok(format('select pg_temp.walk(%L, %L)', :'enterprise', x.answers), x.state, x.code, x.what)
  from (values ('{"POST /v1/customers":{"result":"unknown","status":0}}', 'PT503', 'unavailable', 'an answer that was lost is asked for again later'),
               ('{"POST /v1/customers":{"result":"retry","status":429}}', 'PT503', 'unavailable', 'a Stripe that is busy is asked again later'),
               ('{"POST /v1/prices":{"result":"failed","status":400,"code":"x"},"GET /v1/prices":{"result":"failed","status":400,"code":"x"}}', 'PT409', 'payment_provider_refused',
                'what Stripe does not take is refused')) x(answers, state, code, what);

-- ---- another plan ---------------------------------------------------------------------

reset role;
insert into public.plan_prices (provider, price_id, plan_id, kind) values ('stripe', 'p_basic', :'basic', 'base'), ('stripe', 'p_business', :'business', 'base'),
    ('stripe', 'o_business', :'business', 'overage'), ('stripe', 'p_enterprise', :'enterprise', 'base'), ('stripe', 'p_yearly', :'yearly', 'base');
create function pg_temp.sub(p_price text, p_more jsonb default '{}') returns jsonb language sql as $$
    select jsonb_build_object('id', 'sub_1', 'provider', 'stripe', 'status', 'active', 'cancel_at_period_end', false, 'metadata', '{}'::jsonb, 'period_start', 1000, 'period_end', 4102444800,
        'items', jsonb_build_array(jsonb_build_object('id', 'si_1', 'price', p_price, 'quantity', 1), jsonb_build_object('id', 'si_2', 'price', 'o_business', 'quantity', null))) || p_more
$$;
select jsonb_build_object('metadata', jsonb_build_object('hold_plan_id', :'business', 'hold_until', '4102444800', 'hold_price_id', 'p_old')) as held \gset
set local role hookswitch_api;
select is(public.plan_change_kind(pg_temp.sub(x.price, x.more::jsonb), x.wanted::uuid), x.kind, x.what)
  from (values ('p_business', '{}', :'enterprise', 'upgrade', 'a greater plan is an upgrade'), ('p_business', '{}', :'basic', 'downgrade', 'a smaller one is not'),
               ('p_business', '{}', :'business', 'none', 'the present one is no change'), ('p_business', '{}', :'free', 'end', 'the plan for nothing ends the paying'),
               ('p_basic', '{}', :'yearly', 'upgrade', 'a year of the same tier costs more at once'),
               ('p_business', '{"cancel_at_period_end":true}', :'business', 'back', 'the present one takes the end back'),
               ('p_business', '{"cancel_at_period_end":true}', :'free', 'none', 'it ends already'),
               ('p_basic', :'held', :'business', 'back', 'and a smaller plan that waits'), ('p_basic', :'held', :'basic', 'downgrade', 'which may be wished for again')) x(price, more, wanted, kind, what);
select throws_ok(format('select public.plan_change_kind(pg_temp.sub(%L, %L), %L)', x.price, x.more, x.wanted), 'PT409', x.code, x.what)
  from (values ('p_basic', :'held', :'enterprise', 'plan_change_waiting', 'what was paid for would be lost'), ('p_yearly', '{}', :'free', null, null),
               ('p_unknown', '{}', :'basic', 'payment_provider_refused', 'a price that stands for no plan is no ground to reckon from')) x(price, more, wanted, code, what)
 where x.code is not null;
select is(public.plan_change_form('upgrade', pg_temp.sub('p_business'), :'enterprise', 1700000000) - '{metadata[plan_id],metadata[hold_plan_id],metadata[hold_until],metadata[hold_price_id]}'::text[],
          '{"items[0][id]":"si_1","items[0][price]":"p_enterprise","cancel_at_period_end":"false","proration_behavior":"always_invoice","payment_behavior":"error_if_incomplete",
            "proration_date":1700000000}', 'an upgrade is paid at once or not done');
select is(public.plan_change_form('downgrade', pg_temp.sub('p_business'), :'basic', null) - '{metadata[plan_id],cancel_at_period_end}'::text[],
          jsonb_build_object('items[0][id]', 'si_1', 'items[0][price]', 'p_basic', 'proration_behavior', 'none', 'metadata[hold_plan_id]', :'business',
                             'metadata[hold_until]', '4102444800', 'metadata[hold_price_id]', 'p_business'), 'a downgrade asks for nothing and holds what was paid for');
select is(public.plan_change_form('downgrade', pg_temp.sub('p_basic', :'held'), :'basic', null) ->> 'metadata[hold_price_id]', 'p_old', 'twice it holds the same');
select is(public.plan_change_form('back', pg_temp.sub('p_basic', :'held'), :'business', null) ->> 'items[0][price]', 'p_old', 'what is taken back is at the old price');
select throws_ok(format('select public.plan_change_in_time(%L, %L)', x, jsonb_build_object('period_end', floor(extract(epoch from clock_timestamp())) + n)), 'PT409',
                 'plan_change_waiting', 'what nobody is billed for is not written around a renewal')
  from unnest(array['back', 'downgrade']) x, unnest(array[-5, 30]) n;
select lives_ok(format('select public.plan_change_in_time(%L, %L)', x.kind, jsonb_build_object('period_end', floor(extract(epoch from clock_timestamp())) + x.n)), x.what)
  from (values ('back', 300, 'before it is'), ('upgrade', 30, 'and what is paid at once at any time')) x(kind, n, what);
select is(public.proration_moment('{"period_start":1000,"period_end":2000}', x.at), x.moment::bigint, 'a moment lies within the period')
  from (values (null::timestamptz, null), (to_timestamp(1500.9), 1500), (to_timestamp(5), 1000), (to_timestamp(2500), 2000)) x(at, moment);

reset role;
select * from finish();
rollback;
