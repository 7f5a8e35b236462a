-- money_events.sql - events of payment providers: kept once, and followed.
begin;
select no_plan();

select tests.organization('Pays') as org \gset
update public.organizations set stripe_customer_id = 'cus_pays' where id = :'org';

create function tests.money(p_event text, p_object jsonb, p_type text default 'invoice.paid', p_provider text default 'stripe') returns text language sql as $$
    select public.money_keep(p_provider, p_event, p_type, p_object, '{"raw":"' || p_event || '"}')
$$;
create function tests.money_event(p_key text) returns public.webhook_events language sql as $$
    select e from public.webhook_events e where e.provider = 'stripe' and e.key = p_key
$$;

-- ---- Stripe's ---------------------------------------------------------------------

select is(tests.money('evt_1', '{"kind":"invoice","id":"in_1","customer":"cus_pays","subscription":null}'), 'waiting', 'an event that something follows from waits');
select is((select jsonb_build_array(provider, organization_id, signer, type, provider_call_id, state, try_at, report, body) from public.webhook_events where key = 'evt_1'),
          '["stripe",null,"installation","invoice.paid","in_1","waiting",null,null,"{\"raw\":\"evt_1\"}"]', 'as it came, of no organization, and nobody but its run goes on with it');
select is((select jsonb_build_array(workflow, state, input) from public.workflow_runs where id = 'stripe:evt_1'),
          '["stripe-sync","ready",{"event":"evt_1","type":"invoice.paid","kind":"invoice","id":"in_1","customer":"cus_pays","subscription":null}]', 'the run is told which object to read anew');
select is(tests.money('evt_1', '{"kind":"invoice","id":"in_1","customer":"cus_pays","subscription":null}'), 'duplicate', 'a second copy is one');
select is((select count(*)::integer from public.webhook_events where provider = 'stripe'), 1, 'and not kept');
select is(tests.money('evt_1', '{}', 'x', 'paddle'), 'kept', 'another provider''s event of that id is another event');

select is(tests.money('evt_2', '{}', 'invoice.upcoming'), 'kept', 'an event that nothing follows from is kept');
select is(tests.money('evt_3', null, 'unknown'), 'unknown', 'a shape that we do not understand is kept as such');
select is((select count(*)::integer from public.workflow_runs where id like 'stripe:%'), 1, 'and neither is followed');
select is(public.webhook_sweep(), 0, 'the pump does not try what waits for its run');
select is((tests.money_event('evt_1')).state, 'waiting', 'nor gives it up');

select is(tests.money('evt_4', '{"kind":"invoice","id":"in_1","customer":"cus_else","subscription":null}'), 'waiting', 'another event about the same object waits, too');
select public.money_followed('stripe', 'evt_1', 'in_1', :'org');
select results_eq($$select state::text, organization_id from public.webhook_events where key = 'evt_1' and provider = 'stripe'$$,
                  format($$values ('applied', %L::uuid)$$, :'org'), 'when its run is done it is applied, and belongs to whom its object is');
select is((tests.money_event('evt_4')).state, 'waiting', 'and no other');
select public.money_followed('stripe', 'evt_4', 'in_1', null, 'ignored');
select is((tests.money_event('evt_4')).state, 'ignored', 'a stranger''s is passed over');
select public.money_followed('stripe', 'evt_1', 'in_1', null, 'ignored');
select is((tests.money_event('evt_1')).state, 'applied', 'what is over stays as it is');

-- ---- who may -------------------------------------------------------------------------

select tests.be_role('hookswitch_webhook');
select is(tests.money('evt_5', '{"kind":"invoice","id":"in_5"}'), 'waiting', 'the webhook''s role keeps');
select throws_ok($$select public.paddle_apply('{}')$$, '42501', null, 'and applies nothing by itself');
select throws_ok($$select public.work_start('x', 'stripe-sync')$$, '42501', null, 'nor starts anything');
reset role;
select tests.be_role('hookswitch_api');
select throws_ok($$select public.money_keep('stripe', 'evt_6', 'x', '{}', '')$$, '42501', null, 'the API keeps no events of providers');
reset role;

select * from finish();
rollback;
