-- stripe_sync.sql - the SQL side of the workflows that read at Stripe: what is read for an event, and what is done with it.
begin;
select no_plan();

select tests.organization('Ours') as ours \gset
update public.organizations set stripe_customer_id = 'cus_ours' where id = :'ours';
create function tests.asked(p_step text, p_input jsonb, p_results jsonb default '{}') returns text language sql security definer as $$
    select public.stripe_sync_prepare(jsonb_build_object('step', p_step, 'input', p_input, 'results', p_results)) -> 'prepared' ->> 'id'
$$;

-- ---- what is read -----------------------------------------------------------

select is(tests.asked('subscription', '{"kind":"subscription","id":"sub_1"}'), 'sub_1', 'of a subscription itself');
select is(tests.asked('invoice', '{"kind":"subscription","id":"sub_1"}'), null, 'and nothing else');
select is(tests.asked('invoice', '{"kind":"invoice","id":"in_1"}'), 'in_1', 'of an invoice itself');
select is(tests.asked('subscription', '{"kind":"invoice","id":"in_1"}', '{"invoice":{"invoice":{"subscription":"sub_1"}}}'), 'sub_1', 'and its subscription');
select is(tests.asked('subscription', '{"kind":"invoice","id":"in_1"}', '{"invoice":{"invoice":{"subscription":null}}}'), null, 'if it has one');
select is(tests.asked('session', '{"kind":"checkout_session","id":"cs_1"}'), 'cs_1', 'of a page itself');
select is(tests.asked('subscription', '{"kind":"checkout_session","id":"cs_1"}', '{"session":{"session":{"subscription":"sub_1"}}}'), 'sub_1', 'and its subscription');
select is(tests.asked('charge', '{"kind":"charge","id":"ch_1"}'), 'ch_1', 'of a charge itself');
select is(tests.asked('payment', '{"kind":"charge","id":"ch_1"}', '{"charge":{"charge":{"invoice":null,"payment_intent":"pi_1"}}}'), 'pi_1', 'what it paid is looked up');
select is(tests.asked('payment', '{"kind":"charge","id":"ch_1"}', '{"charge":{"charge":{"invoice":"in_1","payment_intent":"pi_1"}}}'), null, 'where it does not say so');
select is(tests.asked('invoice', '{"kind":"charge","id":"ch_1"}', '{"charge":{"charge":{"invoice":null}},"payment":{"invoice":"in_1"}}'), 'in_1', 'and that invoice');
select is(tests.asked('invoice', '{"kind":"charge","id":"ch_1"}', '{"charge":{"charge":{"invoice":"in_2"}},"payment":{}}'), 'in_2', 'either way');
select is(tests.asked('customer', '{"kind":"customer","id":"cus_ours"}'), 'cus_ours', 'of a customer itself');
select is(tests.asked('subscription', '{"kind":"customer","id":"cus_ours"}'), null, 'and his subscription');
insert into public.subscriptions (organization_id, origin, external_id, external_customer_id, status) values (:'ours', 'stripe', 'sub_1', 'cus_ours', 'active');
select is(tests.asked('subscription', '{"kind":"customer","id":"cus_ours"}'), 'sub_1', 'if he has one');
select ok((public.stripe_sync_prepare('{"step":"charge","input":{"kind":"charge","id":"ch_1"}}') -> 'prepared' ->> 'read')::bigint
        < (public.stripe_sync_prepare('{"step":"charge","input":{"kind":"charge","id":"ch_1"}}') -> 'prepared' ->> 'read')::bigint, 'each reading has a number, later ones a greater one');

-- ---- what is done with it ------------------------------------------------------

select public.money_keep('stripe', 'evt_1', 'invoice.payment_failed', '{"kind":"invoice","id":"in_1"}', '{}') \g /dev/null
create function tests.sync(p_input jsonb, p_results jsonb) returns jsonb language sql security definer as $$
    select public.stripe_sync_apply(jsonb_build_object('id', 'x', 'input', p_input, 'results', p_results))
$$;
select is(tests.sync('{"event":"evt_1","type":"invoice.payment_failed","kind":"invoice","id":"in_1"}', '{
    "charge":{},"payment":{},"session":{},"customer":{},
    "invoice":{"invoice":{"provider":"stripe","id":"in_1","customer":"cus_ours","subscription":"sub_1","status":"paid","currency":"usd","amount_due":5,
        "amount_paid":5,"attempt_count":1,"created":1800000000,"read":8}},
    "subscription":{"subscription":{"provider":"stripe","id":"sub_1","customer":"cus_ours","status":"past_due","items":[],"created":1800000000,"read":9}}}'),
    null, 'what was read is applied');
select is((select status from public.subscriptions where external_id = 'sub_1'), 'past_due', 'the subscription');
select is((select status from public.invoices where external_id = 'in_1'), 'paid', 'the invoice');
select ok(exists (select from public.billing_events where key = 'payment_failed:in_1:1'), 'that it failed before is told, whatever has become of it since');
select is((select concat_ws(' ', state, organization_id) from public.webhook_events where key = 'evt_1'), 'applied ' || :'ours', 'and the event is done');
select public.money_keep('stripe', 'evt_2', 'customer.updated', '{"kind":"customer","id":"cus_x"}', '{}') \g /dev/null
select tests.sync('{"event":"evt_2","type":"customer.updated","kind":"customer","id":"cus_x"}', '{"customer":{"absent":true},"subscription":{}}') \g /dev/null
select is((select concat_ws(' ', state, organization_id) from public.webhook_events where key = 'evt_2'), 'ignored', 'an event of nobody is nobody''s');

select * from finish();
rollback;
