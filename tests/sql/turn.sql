-- turn.sql - what each pump turn does beside dialling.
begin;
select no_plan();

select tests.organization('Turn') as org \gset
select tests.provider('Turn Vapi') as vapi \gset
select tests.template(:'org') as template \gset
select tests.clear_road();
update public.call_service_providers set is_active = true where id = :'vapi';

-- ---- is there anything to do ------------------------------------------------

select ok(not public.turn_due(), 'with nothing to do there is nothing to do');
select tests.call(:'org', :'template') as call \gset
select ok(public.turn_due(), 'a ready call is work');
select tests.claim(1) \g /dev/null
select ok(not public.turn_due(), 'a leased one is another pump''s');
update public.call_assignments set lease_until = clock_timestamp() - interval '1 second' where call_id = :'call';
select ok(public.turn_due(), 'until its lease runs out');
update public.call_assignments set lease_until = clock_timestamp() + interval '1 minute' where call_id = :'call';
select public.calls_sent(array[(tests.attempt(:'call')).id], array[1], 1000, 30) \g /dev/null
select ok(not public.turn_due(), 'a dial under way is no work');
update public.call_assignments set lease_until = clock_timestamp() - interval '1 second' where call_id = :'call';
select ok(public.turn_due(), 'one whose pump died is');
select tests.outcome((tests.attempt(:'call')).id, 'accepted', '{"provider_call_id":"turn-1","control_url":"https://c.test/1"}') \g /dev/null
select ok(not public.turn_due(), 'a call under way is no work');
update public.call_assignments set next_look_at = clock_timestamp() where call_id = :'call';
select ok(public.turn_due(), 'a silent one is');
update public.call_assignments set next_look_at = clock_timestamp() + interval '1 minute' where call_id = :'call';
select public.call_cancel(:'call');
select ok(public.turn_due(), 'one to be hung up is');
select tests.clear_road();
insert into public.call_queue (organization_id, template_id, recipient_number, scheduled_time) values (:'org', :'template', '+15550100001', clock_timestamp() + interval '1 hour') returning id as call \gset
select ok(not public.turn_due(), 'a call in an hour is no work');
update public.call_queue set due_at = clock_timestamp() where id = :'call';
select ok(public.turn_due(), 'when its time comes it is');
select tests.clear_road();

-- ---- upkeep -------------------------------------------------------------------

select tests.call(:'org', :'template') as expired \gset
update public.call_queue set expires_at = clock_timestamp() - interval '1 second' where id = :'expired';
select public.webhook_keep('vapi', :'org', 'organization', 'turn-k', 't', null, 'nobody', '{}', '{"status":"ringing"}', 'moves') \g /dev/null
insert into public.webhook_event_keys (provider, key, created_at) values ('vapi', 'turn-old', now() - interval '31 days');
insert into public.idempotency_keys values (:'org', 'turn-old', 'f', 201, '{}', now() - interval '25 hours'), (:'org', 'turn-new', 'f', 201, '{}', now());
select tests.call(:'org', :'template') as done \gset
select public.call_cancel(:'done');
update public.call_queue set updated_at = now() - interval '25 hours' where id = :'done';
select tests.call(:'org', :'template') as fresh \gset
select public.call_cancel(:'fresh');
select is(public.turn_upkeep(false) - 'swept', '{"expired":1,"pruned":0}', 'a small turn expires calls');
select is(public.turn_upkeep(true) ->> 'expired', '0', 'once');
select is((tests.record(:'expired')).status, 'expired', 'the call is expired');
select is(tests.queue(:'done'), null, 'a full turn removes finished rows of yesterday from the queue');
select is((tests.record(:'done')).status, 'canceled', 'and never the call itself');
select is((tests.queue(:'fresh')).status, 'canceled', 'newer ones stay');
select is_empty($$select 1 from public.webhook_event_keys where key = 'turn-old'$$, 'old event keys go');
select isnt_empty($$select 1 from public.webhook_event_keys where key like '%:turn-k'$$, 'new ones stay');
select is((select array_agg(key) from public.idempotency_keys where key like 'turn%'), '{turn-new}', 'old idempotency keys go');
select lives_ok($$select public.turn_upkeep(true)$$, 'a turn with nothing to do is harmless');

-- ---- secrets written by hand -----------------------------------------------------

select public.secrets_plain() as nothing \gset
insert into public.call_service_providers (name, provider_type, api_key, api_secret) values ('By hand', 'vapi', 'plain-key', 'plain-secret') returning id as provider \gset
insert into public.webhook_secrets (organization_id, provider, kind, secret) values (:'org', 'vapi', 'bearer', 'plain-hook') returning id as hook \gset
select is((select jsonb_agg(x - 'id' order by x ->> 'table') from jsonb_array_elements(public.secrets_plain()) x where x ->> 'id' in (:'provider', :'hook')),
          '[{"table":"provider","api_key":"plain-key","api_secret":"plain-secret"},{"table":"webhook","secret":"plain-hook"}]', 'plain secrets are found');
select ok(not public.secret_seal('provider', :'provider', 'api_key', 'other', 'sealed:x'), 'one that was changed meanwhile is left for the next turn');
select ok(public.secret_seal('provider', :'provider', 'api_key', 'plain-key', 'sealed:1'), 'a key is sealed');
select ok(public.secret_seal('provider', :'provider', 'api_secret', 'plain-secret', 'sealed:2'), 'a secret is sealed');
select ok(public.secret_seal('webhook', :'hook', 'secret', 'plain-hook', 'sealed:3'), 'a webhook''s too');
select is_empty(format('select 1 from jsonb_array_elements(public.secrets_plain()) x where x ->> ''id'' in (%L, %L)', :'provider', :'hook'), 'then nothing is plain');
select is((select api_credentials from public.call_service_providers where id = :'provider'), '{"api_key":"sealed:1","api_secret":"sealed:2"}', 'not in the other spelling either');
insert into public.call_service_providers (name, provider_type, api_credentials) values ('By hand, new', 'vapi', '{"api_key":"plain-2"}') returning id as provider \gset
select is((select x ->> 'api_key' from jsonb_array_elements(public.secrets_plain()) x where x ->> 'id' = :'provider'), 'plain-2', 'a key in the other spelling is found too');

select * from finish();
rollback;
