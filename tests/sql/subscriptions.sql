-- subscriptions.sql - what a provider says of a subscription becomes ours: whose it is, what it opens, which one is the current one.
begin;
select no_plan();

insert into public.subscription_plans (name, price, call_limit, minutes_limit, rank) values ('gold', 99, 1000, 1000, 50), ('silver', 49, 500, 500, 40);
select id as gold from public.subscription_plans where name = 'gold' \gset
select id as silver from public.subscription_plans where name = 'silver' \gset
select id as basic from public.subscription_plans where is_default \gset
insert into public.plan_prices (provider, price_id, plan_id, kind) values ('stripe', 'price_gold', :'gold', 'base'), ('stripe', 'price_silver', :'silver', 'base'),
    ('stripe', 'price_more', :'gold', 'overage'), ('paddle', 'pri_gold', :'gold', 'base');
select tests.organization('Ours') as ours \gset
select tests.organization('Others') as others \gset
update public.organizations set stripe_customer_id = 'cus_ours' where id = :'ours';

-- A subscription as it is read: p_more replaces what is ordinary.
create function tests.sub(p_id text, p_more jsonb default '{}') returns jsonb language sql as $$
    select jsonb_build_object('provider', 'stripe', 'id', p_id, 'customer', 'cus_ours', 'status', 'active', 'currency', 'usd',
        'items', '[{"id":"si_1","price":"price_gold","quantity":1},{"id":"si_2","price":"price_more","quantity":null}]'::jsonb,
        'period_start', 1800000000, 'period_end', 1802592000, 'cancel_at_period_end', false, 'cancel_at', null, 'canceled_at', null,
        'ended_at', null, 'trial_end', null, 'created', 1799990000, 'latest_invoice', 'in_1', 'metadata', '{}'::jsonb,
        'awaits_payment', false, 'payment_method', '{"type":"card","last4":"4242"}'::jsonb, 'read', nextval('public.billing_reads')) || p_more
$$;
create function tests.apply(p_id text, p_more jsonb default '{}') returns jsonb language sql security definer as $$
    select public.subscription_apply(tests.sub(p_id, p_more))
$$;
-- The current one: provider, status, plan, id at the provider.
create function tests.has(p_organization uuid) returns text language sql security definer as $$
    select concat_ws(' ', s.origin, s.status, coalesce(p.name, 'no plan'), s.tier_type, s.external_id)
      from public.subscriptions s left join public.subscription_plans p on p.id = s.plan_id where s.organization_id = p_organization and s.current
$$;
create function tests.the(p_id text) returns public.subscriptions language sql security definer as $$
    select s from public.subscriptions s where s.external_id = p_id
$$;
create function tests.notes(p_organization uuid) returns text[] language sql security definer as $$
    select array_agg(e.event_type order by e.event_type) from public.billing_events e where e.organization_id = p_organization
$$;
create function tests.differs(p_kind text, p_id text) returns boolean language sql security definer as $$
    select exists (select from public.billing_differences d where d.kind = p_kind and d.external_id = p_id and d.resolved_at is null)
$$;
select (select has from tests.has(:'ours')) as before \gset

-- ---- whose it is ------------------------------------------------------------

select tests.apply('sub_strange', '{"customer":"cus_nobody"}') \g /dev/null
select ok((tests.the('sub_strange')).id is null and tests.differs('stranger', 'sub_strange'), 'a subscription of nobody is written down as a stranger, and nothing else');
select tests.apply('sub_other', jsonb_build_object('customer', 'cus_nobody', 'metadata', jsonb_build_object('organization_id', :'ours'))) \g /dev/null
select is((tests.the('sub_other')).id, null, 'an organization that has a customer takes no other one''s subscription, whatever is written on it');
select tests.apply('sub_others', jsonb_build_object('customer', 'cus_others', 'metadata', jsonb_build_object('organization_id', :'others'))) \g /dev/null
select is((tests.the('sub_others')).organization_id, :'others', 'one that has none takes what names it');
select is((select stripe_customer_id from public.organizations where id = :'others'), 'cus_others', 'and the customer is its own from then on');
select tests.apply('sub_x', jsonb_build_object('metadata', jsonb_build_object('organization_id', :'others'))) \g /dev/null
select is((tests.the('sub_x')).organization_id, :'ours', 'whose customer it is counts more than what is written on it');
select tests.apply('sub_x', '{"status":"canceled"}') \g /dev/null
select lives_ok($$ select tests.apply('sub_y', '{"customer":"cus_nobody","metadata":{"organization_id":"x"}}'),
                          tests.apply('sub_z', '{"customer":null,"metadata":{}}') $$, 'and nonsense there is nobody');

-- ---- what it opens ------------------------------------------------------------

select tests.apply('sub_1') \g /dev/null
select is(tests.has(:'ours'), 'stripe active gold gold sub_1', 'an active subscription is the current one, with the plan of its price');
select is((select concat_ws(' ', stripe_subscription_id, current_period_start at time zone 'UTC', current_period_end at time zone 'UTC')
             from public.organizations where id = :'ours'), 'sub_1 2027-01-15 08:00:00 2027-02-14 08:00:00', 'its organization tells it and its period');
select is(concat_ws(' ', (tests.the('sub_1')).item_id, (tests.the('sub_1')).overage_item_id, (tests.the('sub_1')).external_price_id), 'si_1 si_2 price_gold',
          'the item of the plan and that of further minutes are told apart');
select is((select payment_method ->> 'last4' from public.billing_accounts where organization_id = :'ours'), '4242', 'how it is paid is known');
select is((select is_over from public.subscription_standings g where g.status = (tests.the('sub_x')).status), true, 'the one before is over');

select tests.apply('sub_1', '{"status":"canceled","read":1}') \g /dev/null
select is(tests.has(:'ours'), 'stripe active gold gold sub_1', 'what was read earlier does not replace what was read later');
select tests.apply('sub_1', jsonb_build_object('status', 'canceled', 'read', (tests.the('sub_1')).read_number)) \g /dev/null
select is(tests.has(:'ours'), 'stripe active gold gold sub_1', 'nor does the same reading twice');

select tests.apply('sub_1', '{"status":"frozen"}') \g /dev/null
select is(tests.has(:'ours'), 'stripe unknown gold gold sub_1', 'a status that nobody knows is unknown');
select is((select may_call from public.subscription_standings where status = 'unknown'), false, 'which opens nothing');
select ok(tests.differs('unknown_status', 'sub_1'), 'and is written down');
select tests.apply('sub_1', '{"status":null}') \g /dev/null
select is((tests.the('sub_1')).status, 'unknown', 'no status is one that nobody knows');
select tests.apply('sub_1') \g /dev/null
select ok(not tests.differs('unknown_status', 'sub_1'), 'until it is known again');

select tests.apply('sub_1', '{"items":[{"id":"si_1","price":"price_new","quantity":1}]}') \g /dev/null
select is(tests.has(:'ours'), 'stripe active no plan unknown sub_1', 'a price that stands for no plan is no plan, and not the free one');
select ok(tests.differs('unknown_price', 'sub_1'), 'and is written down');
select tests.apply('sub_1', '{"items":[]}') \g /dev/null
select is(tests.has(:'ours'), 'stripe active no plan unknown sub_1', 'no item is no plan');
select tests.apply('sub_1', '{"items":[{"id":"si_1","price":"price_gold","quantity":0}]}') \g /dev/null
select is(tests.has(:'ours'), 'stripe active no plan unknown sub_1', 'nothing of a plan is no plan');
select tests.apply('sub_1', '{"items":[{"id":"si_2","price":"price_more","quantity":null}]}') \g /dev/null
select is(tests.has(:'ours'), 'stripe active no plan unknown sub_1', 'further minutes alone are no plan');
select tests.apply('sub_1', '{"items":[{"id":"si_0","price":"price_odd","quantity":3},{"id":"si_1","price":"price_silver"},{"id":"si_3","price":"price_gold"}]}') \g /dev/null
select is(tests.has(:'ours'), 'stripe active gold gold sub_1', 'of several plans it is the greatest');
select ok(not tests.differs('unknown_price', 'sub_1'), 'and all is well');

select tests.apply('sub_1', '{"status":"active","awaits_payment":true}') \g /dev/null
select is((tests.the('sub_1')).status, 'incomplete', 'one whose first invoice is open has not begun, whatever it is called');
select tests.apply('sub_1', '{"status":"past_due","awaits_payment":true}') \g /dev/null
select is((tests.the('sub_1')).status, 'incomplete', 'also when that payment failed');
select tests.apply('sub_1', '{"status":"active"}'::jsonb || '{"awaits_payment":null}') \g /dev/null
select is((tests.the('sub_1')).status, 'incomplete', 'who did not ask for its invoice does not open it');
select tests.apply('sub_1') \g /dev/null
select is((tests.the('sub_1')).status, 'active', 'paid, it begins');

-- ---- downgrades ------------------------------------------------------------------

select tests.apply('sub_1', jsonb_build_object('items', '[{"id":"si_1","price":"price_silver","quantity":1}]'::jsonb,
    'metadata', jsonb_build_object('hold_plan_id', :'gold', 'hold_until', '4000000000'))) \g /dev/null
select is((tests.the('sub_1')).plan_id, :'gold', 'what was paid for holds until then');
select is((tests.the('sub_1')).next_plan_id, :'silver', 'and what comes then is known');
select is((select extract(epoch from due_at)::bigint from public.workflow_runs where id = 'stripe-sync:hold:sub_1:4000000000'), 4000000001,
          'when it is over it is read again');
select tests.apply('sub_1', jsonb_build_object('items', '[{"id":"si_1","price":"price_silver","quantity":1}]'::jsonb,
    'metadata', jsonb_build_object('hold_plan_id', :'gold', 'hold_until', '1000000000'))) \g /dev/null
select is(tests.has(:'ours'), 'stripe active silver silver sub_1', 'then the price''s plan is what it has');
select is((tests.the('sub_1')).next_plan_id, null, 'and nothing is to come');
select tests.apply('sub_1', jsonb_build_object('items', '[{"id":"si_1","price":"price_silver","quantity":1}]'::jsonb, 'period_start', 4000000000,
    'period_end', 4002592000, 'metadata', jsonb_build_object('hold_plan_id', :'gold', 'hold_until', '4000000000'))) \g /dev/null
select is(tests.has(:'ours'), 'stripe active silver silver sub_1', 'and from when Stripe has renewed it at the smaller price, however late it is here');
select tests.apply('sub_1', jsonb_build_object('items', '[{"id":"si_1","price":"price_new"}]'::jsonb,
    'metadata', jsonb_build_object('hold_plan_id', :'gold', 'hold_until', '4000000000'))) \g /dev/null
select is((tests.the('sub_1')).plan_id, null, 'with a price that nobody knows nothing is held');
select lives_ok($$ select tests.apply('sub_1', '{"metadata":{"hold_plan_id":"x","hold_until":"soon"}}') $$, 'nonsense there is nothing');
select is(tests.has(:'ours'), 'stripe active gold gold sub_1', 'and it is what it is');

-- ---- bills that are not paid -----------------------------------------------------

select tests.apply('sub_1', '{"status":"past_due"}') \g /dev/null
select ok((tests.the('sub_1')).past_due_since is not null, 'when a bill was not paid is known');
update public.subscriptions set past_due_since = '2026-01-01' where external_id = 'sub_1';
select tests.apply('sub_1', '{"status":"unpaid"}') \g /dev/null
select is((tests.the('sub_1')).past_due_since, '2026-01-01', 'and stays until it is paid');
select tests.apply('sub_1') \g /dev/null
select is((tests.the('sub_1')).past_due_since, null, 'then nothing is due');

-- ---- cancel, and a second one ------------------------------------------------------

select tests.apply('sub_1', '{"cancel_at_period_end":true}') \g /dev/null
select ok((tests.the('sub_1')).cancel_at_period_end, 'that it ends with its period is known');
select tests.apply('sub_1', '{"cancel_at":1802592000}') \g /dev/null
select ok((tests.the('sub_1')).cancel_at_period_end, 'in the other way of saying so, too');
select tests.apply('sub_1') \g /dev/null

select tests.apply('sub_2', '{"status":"incomplete"}') \g /dev/null
select is(tests.has(:'ours'), 'stripe active gold gold sub_1', 'one that has not begun takes nobody''s place');
select ok(not exists (select from public.workflow_runs where id = 'stripe-surplus:sub_2'), 'and stands in nobody''s way');
select tests.apply('sub_2') \g /dev/null
select is(tests.has(:'ours'), 'stripe active gold gold sub_1', 'a second one does not take the first one''s place');
select ok(exists (select from public.workflow_runs where id = 'stripe-surplus:sub_2' and organization_id = :'ours'), 'it is looked at again');
select is((tests.the('sub_2')).surplus, false, 'and nothing is decided before');

-- The run's decision, with both as they were read.
create function tests.decide(p_first jsonb, p_second jsonb) returns jsonb language sql security definer as $$
    select public.stripe_surplus_decide(jsonb_build_object('organization_id', (tests.the('sub_2')).organization_id,
        'input', '{"subscription":"sub_2"}'::jsonb, 'results', jsonb_build_object('first', jsonb_build_object('subscription', p_first),
        'second', jsonb_build_object('subscription', p_second))))
$$;
savepoint before;
select is(tests.decide(tests.sub('sub_1', '{"status":"canceled"}'), tests.sub('sub_2')), '{"done": true}', 'if the first one is over, nothing is taken back');
select is(tests.has(:'ours'), 'stripe active gold gold sub_2', 'and the second one is the current one');
rollback to before;
select is(tests.decide(tests.sub('sub_1'), tests.sub('sub_2', '{"status":"canceled"}')), '{"done": true}', 'if the second one is over, nothing is to be done');
rollback to before;
update public.workflow_runs set state = 'working' where id = 'stripe-surplus:sub_2';
update public.workflow_runs set state = 'done', due_at = null, finished_at = now() where id = 'stripe-surplus:sub_2';
select tests.apply('sub_2', '{"read":999999}') \g /dev/null
select ok(exists (select from public.workflow_runs where id = 'stripe-surplus:sub_2:999999'), 'one that was none before is looked at again');
rollback to before;
select is(tests.decide(tests.sub('sub_1'), tests.sub('sub_2')), null, 'if both are paid for, the second one goes');
select ok((tests.the('sub_2')).surplus, 'which is written down first');
select is(tests.decide(tests.sub('sub_1'), tests.sub('sub_2', '{"status":"canceled"}')), null, 'whoever comes back to it goes on');
select tests.apply('sub_2') \g /dev/null
select is(tests.has(:'ours'), 'stripe active gold gold sub_1', 'what is surplus never takes the place');
select tests.apply('sub_1', '{"status":"canceled"}') \g /dev/null
select is(tests.has(:'ours'), :'before', 'after the end of the current one the organization has the default plan');
select is((select stripe_subscription_id from public.organizations where id = :'ours'), null, 'and no subscription at Stripe');
select is((select count(*)::int from public.subscriptions where organization_id = :'ours' and current), 1, 'one and only one is current');
select tests.apply('sub_1', '{"status":"canceled"}') \g /dev/null
select is((select count(*)::int from public.subscriptions where organization_id = :'ours' and origin = 'manual'), 2 + 1, 'being told so again adds nothing');

select tests.apply('sub_3') \g /dev/null
select tests.apply('sub_4', '{"status":"unpaid"}') \g /dev/null
select tests.apply('sub_3', '{"status":"canceled"}') \g /dev/null
select is(tests.has(:'ours'), 'stripe unpaid gold gold sub_4', 'another one that is not over yet comes before the default plan');
select tests.apply('sub_5', '{"status":"frozen"}') \g /dev/null
select ok(tests.differs('second_subscription', 'sub_5') and not exists (select from public.workflow_runs where id = 'stripe-surplus:sub_5'),
          'a second one that nobody understands is left to a person');
select tests.apply('sub_p', '{"provider":"paddle","customer":"ctm_ours"}'::jsonb || jsonb_build_object('metadata', jsonb_build_object('organization_id', :'ours'))) \g /dev/null
select ok(tests.differs('second_subscription', 'sub_p'), 'so is one of another provider');
select is((select paddle_customer_id from public.billing_accounts where organization_id = :'ours'), 'ctm_ours', 'whose customer is known, too');

-- ---- by hand ------------------------------------------------------------------------

select tests.organization('By hand') as hand \gset
update public.organizations set stripe_customer_id = 'cus_hand' where id = :'hand';
insert into public.subscriptions (organization_id, plan_id) values (:'hand', :'silver');
select tests.apply('sub_hand', '{"customer":"cus_hand"}') \g /dev/null
select is(tests.has(:'hand'), 'stripe active gold gold sub_hand', 'who pays has what is paid for, whatever was given by hand');

-- ---- pages that are closed -------------------------------------------------------------

insert into public.checkout_sessions (organization_id, plan_id, external_id, external_subscription_id)
values (:'hand', :'gold', 'cs_own', 'sub_h2'), (:'hand', :'gold', 'cs_two', null);
select tests.apply('sub_hand', '{"customer":"cus_hand","status":"canceled"}'), tests.apply('sub_h2', '{"customer":"cus_hand"}') \g /dev/null
select set_eq($$ select id from public.workflow_runs where workflow = 'stripe-expire' $$, array['stripe-expire:cs_two'],
              'other pages where somebody could pay are closed');

-- ---- what is told ------------------------------------------------------------------------

select set_eq(format($$ select key from public.billing_events where organization_id = %L and key not like '%%\_changed:%%' $$, :'hand'),
    array['subscription_created:sub_hand', 'subscription_canceled:sub_hand', 'subscription_created:sub_h2'], 'beginnings and ends are told once');
select ok(exists (select from public.events where organization_id = :'hand' and type = 'subscription.updated' and data ->> 'status' = 'canceled'), 'and go out');
select is((select count(*)::int from public.events e join public.billing_events b on b.id = e.subject_id where b.organization_id = :'hand'),
          (select count(*)::int from public.billing_events where organization_id = :'hand'), 'each of them once');

select * from finish();
rollback;
