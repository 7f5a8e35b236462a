-- admin_queue.sql - operators: keys that change under dials, leases of what is closed, what hangs or is unknown, usage.
begin;
set local client_min_messages = warning;
select no_plan();

select gen_random_uuid() as olga \gset
select tests.organization('Queue') as org \gset
select tests.organization('Idle') as idle \gset
select tests.template(:'org', '{vapi,synthflow}') as template \gset
select tests.provider('Queue Vapi', 'vapi', 100, 1) as vapi \gset
select tests.provider('Queue SynthFlow', 'synthflow', 100, 2) as flow \gset

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

-- ---- a refused key that has been replaced ---------------------------------------------

select tests.call(:'org', :'template') as call \gset
select tests.sent(:'call') as attempt \gset
update public.call_service_providers set api_key = 'sealed:y' where id = :'vapi';
select is((select key_number from public.call_service_providers where id = :'vapi'), 2, 'while a dial is under way the key is replaced');
select is(tests.outcome(:'attempt', 'refused', '{"fault":"key","reason":"http_401","key_number":1}'), 'refused', 'the dial was made with the old one, and refused');
select results_eq(format('select failures, cooling_until, cooling_reason from public.call_service_providers where id = %L', :'vapi'),
                  'values (0, null::timestamptz, null::text)', 'that is not held against the provider');
select results_eq(format('select status, ready, attempts, retry_count from public.call_queue where id = %L', :'call'), $$values ('queued', true, 0, 0)$$,
                  'the call goes again at once, and has lost no attempt');
select tests.sent(:'call') as attempt \gset
select is((tests.attempt(:'call')).provider_id, :'vapi'::uuid, 'with the new key, at the same provider');
select is((public.dials_of(array[:'attempt'::uuid]) -> 0 ->> 'key_number')::integer, 2, 'which its dial says');
select tests.outcome(:'attempt', 'refused', '{"fault":"key","reason":"http_401","key_number":2}') \g /dev/null
select results_eq(format('select failures, cooling_reason from public.call_service_providers where id = %L', :'vapi'), $$values (1, 'key')$$,
                  'a refusal of the key that is there now is');
select tests.sent(:'call') as attempt \gset
select is((tests.attempt(:'call')).provider_id, :'flow'::uuid, 'and the next one is asked');
select tests.operator();
select api.admin_provider_key(:'vapi', 2, 'sealed:z', null, 'x') \g /dev/null
select is(api.admin_provider_health(:'vapi') @> '{"state":"active","failures":0,"cooling_reason":null}', true, 'a new key ends the rest that the old one was given');
select tests.be_nobody();
select public.provider_cool(:'vapi', 'rate', 3600, 'slow down', null) \g /dev/null
select tests.operator();
select api.admin_provider_key(:'vapi', 3, 'sealed:z2', null, 'x') \g /dev/null
select is(api.admin_provider_health(:'vapi') @> '{"state":"cooling","failures":1,"cooling_reason":"rate"}', true, 'but no other');
select tests.be_nobody();
select tests.clear_road();

-- ---- leases of what is closed -------------------------------------------------------

update public.call_service_providers set is_active = true, failures = 0, cooling_until = null;
select tests.call(:'org', :'template') as call \gset
select tests.claim() \g /dev/null
update public.call_assignments set lease_until = clock_timestamp() - interval '1 second' where call_id = :'call';
update public.call_service_providers set is_draining = true where id = :'vapi';
select public.calls_claim(10, 'b', 30) \g /dev/null
select results_eq(format('select state, reason from public.call_assignments where call_id = %L', :'call'), $$values ('absent', 'put_back')$$,
                  'what a dead pump had claimed of a provider that is drained is not sent there');
select results_eq(format('select status, ready, attempts from public.call_queue where id = %L', :'call'), $$values ('queued', true, 0)$$, 'the call goes back into the line');
select is(tests.claim(), array[:'call'::uuid], 'and goes');
select is((tests.attempt(:'call')).provider_id, :'flow'::uuid, 'elsewhere');
update public.call_assignments set lease_until = clock_timestamp() - interval '1 second' where call_id = :'call' and state = 'leased';
update public.organizations set status = 'disabled' where id = :'org';
select public.calls_claim(10, 'b', 30) \g /dev/null
select results_eq(format('select status, ready from public.call_queue where id = %L', :'call'), $$values ('queued', true)$$, 'nor is it sent for an organization that was closed');
update public.organizations set status = 'active' where id = :'org';
update public.call_service_providers set is_draining = false;
select is(tests.claim(), array[:'call'::uuid], 'until it is opened');
update public.call_queue set expires_at = clock_timestamp() where id = :'call';
update public.call_assignments set lease_until = clock_timestamp() - interval '1 second' where call_id = :'call' and state = 'leased';
update public.call_service_providers set is_active = false;
select public.calls_claim(10, 'b', 30) \g /dev/null
select is((tests.record(:'call')).status, 'expired', 'one whose time has passed meanwhile ends');
select tests.clear_road();
update public.call_service_providers set is_active = true;

-- ---- the monitor ---------------------------------------------------------------------

select tests.call(:'org', :'template') as waiting \gset
select tests.call(:'org', :'template') as silent \gset
select tests.call(:'org', :'template') as lost \gset
select tests.accepted(:'silent', 'admin-1') as silent_attempt \gset
select tests.sent(:'lost') as lost_attempt \gset
select tests.outcome(:'lost_attempt', 'unknown', '{"reason":"timeout"}') \g /dev/null
update public.call_assignments set updated_at = now() - interval '1 hour' where id = :'silent_attempt';
insert into public.webhook_events (provider, organization_id, signer, type, key, state, apply_error, report, body) values
    ('vapi', :'org', 'call', 'status-update', 'k1', 'failed', 'P0001 +1 (555) 010-0001 is odd', '{"status":"ringing"}', 'secret words'),
    ('vapi', :'org', 'call', 'status-update', 'k2', 'foreign_call', null, null, 'secret words');
select max(id) - 1 as event, max(id) as foreign_event from public.webhook_events \gset
insert into public.workflow_runs (id, workflow, organization_id, state, last_error, due_at, finished_at) values ('admin:run', 'mail', :'org', 'failed', 'send: refused', null, now());
insert into public.end_reasons_unlisted (provider_type, reason, seen) values ('vapi', 'odd', 3);
select tests.operator();
select is(api.admin_queue() @> jsonb_build_object('calls', '{"ready":1,"later":0,"in_progress":2}'::jsonb, 'waiting', '{"not_tried":1}'::jsonb,
              'attempts', '{"accepted":1,"unknown":1}'::jsonb, 'stuck', 1, 'dead_letters', 1, 'webhooks', '{"failed":1,"foreign_call":1}'::jsonb, 'end_reasons_unlisted', 1),
          true, 'all of it at a glance: ' || api.admin_queue()::text);
select is(api.admin_queue() -> 'organizations', jsonb_build_array(jsonb_build_object('organization_id', :'org', 'name', 'Queue', 'waiting', 1, 'in_progress', 2)), 'and whose it is');
select is(api.admin_attempt_list('stuck', 300) -> 'data' -> 0 ->> 'id', :'silent_attempt', 'a silent attempt hangs');
select is(jsonb_array_length(api.admin_attempt_list('stuck', 7200) -> 'data'), 0, 'depending on how long is long');
select is(api.admin_attempt_list('unknown', 0) -> 'data' -> 0 ->> 'id', :'lost_attempt', 'an unknown one stands in a list of its own');
select is(jsonb_array_length(api.admin_attempt_list('live', 0) -> 'data'), 2, 'both live');
select is(api.admin_webhook_list('failed') -> 'data' -> 0 ->> 'error', 'P0001 # is odd', 'a failed event says why, without numbers');
select is((api.admin_webhook_list('failed')::text || api.admin_webhook_list('foreign_call')::text || api.admin_queue()::text || api.admin_attempt_list('live', 0)::text)
          ~ 'secret words|5550100001', false, 'nobody''s number and no body is shown');
select is(api.admin_end_reasons() -> 'data' -> 0 ->> 'reason', 'odd', 'and end reasons that nobody listed');

-- What can be done about it.
select tests.be_nobody();
update public.call_assignments set next_look_at = null where id = :'silent_attempt';
select tests.operator();
select isnt(api.admin_attempt_look(:'silent_attempt') ->> 'next_look_at', null, 'the provider is asked');
select is(tests.logged(), format('attempt.looked - {"state": "accepted", "call_id": "%s"}', :'silent'), 'which is written down');
select throws_ok('select api.admin_attempt_look(gen_random_uuid())', 'PT404', 'attempt_not_found', 'not about nothing');
select is(api.admin_call_cancel(:'waiting') ->> 'status', 'canceled', 'a call is taken out of the queue');
select is(tests.logged(), format('call.canceled %s {}', :'org'), 'which its organization''s log tells');
select throws_ok(format('select api.admin_call_cancel(%L)', :'waiting'), 'PT409', 'call_ended', 'once');
select throws_ok('select api.admin_call_cancel(gen_random_uuid())', 'PT404', 'call_not_found', 'one that is not there is not found');
select is((api.admin_call_cancel(:'silent') ->> 'cancel_requested_at') is not null, true, 'a live one is hung up');
select is(api.admin_webhook_apply(:'event') ->> 'state', 'waiting', 'an event is tried again');
select is(tests.logged(), format('webhook_event.applied - {"state": "waiting", "event_id": %s}', :'event'), 'which is written down');
select throws_ok(format('select api.admin_webhook_apply(%s)', :'foreign_event'), 'PT409', 'webhook_event_over', 'what names another''s call is never applied');
select throws_ok('select api.admin_webhook_apply(9007199254740992)', 'PT404', 'webhook_event_not_found', 'nor what is not there');
select is(api.admin_run_redrive('admin:run') ->> 'state', 'ready', 'a dead letter goes on');
select is(tests.logged(), 'run.redriven - {"run_id": "admin:run"}', 'which is written down');
select throws_ok('select api.admin_run_redrive(''admin:run'')', 'PT409', 'workflow_run_not_failed', 'once');
select is(api.admin_run_cancel('admin:run') ->> 'state', 'canceled', 'or is given up');
select throws_ok('select api.admin_run_cancel(''admin:run'')', 'PT409', 'workflow_run_over', 'once');
select throws_ok('select api.admin_run_cancel(''none'')', 'PT404', 'workflow_run_not_found', 'one that is not there is not found');

-- ---- usage ---------------------------------------------------------------------------

select tests.be_nobody();
select tests.call(:'org', :'template') as done \gset
select tests.accepted(:'done', 'admin-2') as attempt \gset
select tests.report(:'attempt', tests.ended('customer-ended-call') || '{"cost_cents":7.5}') \g /dev/null
select tests.operator();
select results_eq($$select u -> 'name', u -> 'calls', u -> 'seconds', u -> 'minutes', u -> 'cost_cents'
                      from jsonb_array_elements(api.admin_usage('2026-01-05T12:00:00Z', '2026-01-05T13:00:00Z') -> 'data') u order by 1$$,
                  $$values ('"Idle"'::jsonb, '0'::jsonb, '0'::jsonb, '0'::jsonb, '0'::jsonb), ('"Queue"', '1', '65', '2', '7.5')$$, 'what each organization used in a time');
select is((select sum((u ->> 'calls')::integer)::integer from jsonb_array_elements(api.admin_usage('2026-01-05T13:00:00Z', null) -> 'data') u), 0, 'by when calls ended');
select is(split_part(api.admin_usage_export('2026-01-05T12:00:00Z', '2026-01-05T13:00:00Z', null) ->> 'text', E'\r\n', 1), 'organization_id,name,calls,seconds,minutes,cost_cents', 'as a table too');
select is(api.admin_usage_export('2026-01-05T12:00:00Z', '2026-01-05T13:00:00Z', null) ->> 'text' ~ (:'org' || '","Queue",1,65,2,7.5'), true, 'with the same figures');

select * from finish();
rollback;
