-- end.sql - ends that come late, twice, from a look, or for an attempt that was given up: the ledger is right in each case.
begin;
select no_plan();

select tests.organization('End') as org \gset
select tests.template(:'org') as template \gset
select tests.provider('End Vapi', 'vapi', 1000, 1) as vapi \gset

create function tests.looked(p_attempt uuid, p_provider_call text, p_report jsonb) returns text language sql as $$
    select public.looks_record(jsonb_build_array(jsonb_build_object('assignment_id', p_attempt, 'look_fence', 0, 'finding', 'found',
        'provider_type', 'vapi', 'provider_call_id', p_provider_call, 'report', p_report))) -> 0 ->> 'state'
$$;
create function tests.told(p_org uuid, p_key text, p_provider_call text, p_report jsonb, p_signer text default 'installation') returns text language sql as $$
    select public.webhook_keep('vapi', p_org, p_signer, p_key, 'end-of-call-report', null, p_provider_call, '{}', p_report::text, 'moves')
$$;
create function tests.ledger(p_call uuid) returns text language sql stable as $$
    select string_agg(u.kind || '=' || u.quantity, ' ' order by u.kind) from public.usage_entries u where u.call_id = p_call
$$;

-- ---- a look that comes before the report -------------------------------------------

select tests.call(:'org', :'template') as call \gset
select tests.accepted(:'call', 'end-1') as attempt \gset
select is(tests.looked(:'attempt', 'end-1', '{"status":"ended","final":true,"reason":"customer-ended-call"}'), 'ended', 'a look finds the end, with little to tell');
select is((tests.record(:'call')).status, 'completed', 'which ends the call');
select is(tests.told(:'org', 'end-1', 'end-1', '{"status":"ended","final":true,"reason":"customer-ended-call","started_at":"2026-11-20T10:00:00Z",
    "ended_at":"2026-11-20T10:05:00Z","transcript":"hello","recording_url":"https://r.test/1","cost_cents":12.5}'), 'applied', 'the report that comes after it counts');
select is(tests.ledger(:'call'), 'calls=1 seconds=300', 'its seconds are in the ledger');
select is((select transcript_text from public.call_transcripts where call_id = :'call'), 'hello', 'its transcript is kept');
select is((tests.record(:'call')).total_cost_cents, 12.5, 'and its cost');
select is(tests.told(:'org', 'end-1b', 'end-1', '{"status":"ended","final":true,"reason":"customer-ended-call","duration_seconds":1}'), 'ignored', 'a second report changes nothing');

-- ---- given up, and real after all ----------------------------------------------------

select tests.call(:'org', :'template') as call \gset
select tests.sent(:'call') as attempt \gset
select tests.outcome(:'attempt', 'unknown', '{"reason":"timeout"}') \g /dev/null
update public.call_assignments set sent_at = clock_timestamp() - interval '2 days', look_fence = 1 where id = :'attempt';
select is(public.looks_record(jsonb_build_array(jsonb_build_object('assignment_id', :'attempt', 'look_fence', 1, 'finding', 'failed'))) -> 0 ->> 'state',
          'ended', 'an attempt that is never settled is given up');
select is((tests.record(:'call')).ended_reason, 'outcome_unknown', 'with its reason');
select is(tests.ledger(:'call'), null, 'nothing is known to have been used');
select is(public.webhook_keep('vapi', :'org', 'installation', 'end-2', 'end-of-call-report', :'attempt', 'end-2', '{}',
    '{"status":"ended","final":true,"reason":"customer-ended-call","started_at":"2026-11-20T10:00:00Z","ended_at":"2026-11-20T10:05:00Z","cost_cents":50}', 'moves'),
    'applied', 'its report comes days later');
select is(tests.ledger(:'call'), 'calls=1 seconds=300', 'then it is in the ledger');
select is((tests.record(:'call')).attempts, 1, 'as an attempt');

select tests.clear_road();
update public.call_service_providers set is_active = true where id = :'vapi';
select tests.call(:'org', :'template') as call \gset
select tests.sent(:'call') as first \gset
select tests.outcome(:'first', 'unknown', '{"reason":"timeout"}') \g /dev/null
update public.call_assignments set state = 'absent', finished_at = clock_timestamp(), next_look_at = null where id = :'first';
update public.call_queue set status = 'queued', ready = true where id = :'call';
select tests.accepted(:'call', 'end-3b') as second \gset
select isnt(:'first'::uuid, :'second'::uuid, 'a call is dialled again');
select is(public.webhook_keep('vapi', :'org', 'installation', 'end-3', 'end-of-call-report', :'first', 'end-3', '{}',
    '{"status":"ended","final":true,"reason":"customer-ended-call","duration_seconds":40}', 'moves'), 'applied', 'the first attempt was real after all');
select is((select state from public.call_assignments where id = :'second'), 'accepted', 'the second one lives on');
select tests.told(:'org', 'end-3b', 'end-3b', '{"status":"ended","final":true,"reason":"customer-ended-call","duration_seconds":60}') \g /dev/null
select is(tests.ledger(:'call'), 'calls=1 seconds=100', 'both are in the ledger');

-- ---- what an organization says of itself ------------------------------------------------

select tests.call(:'org', :'template') as call \gset
select tests.sent(:'call') as attempt \gset
select is(public.webhook_keep('vapi', :'org', 'organization', 'end-4', 'status-update', :'attempt', 'somebody-elses', '{}', '{"status":"ringing"}', 'moves'),
    'waiting', 'an organization''s own signature cannot say which call an attempt is');
select is((select provider_call_id from public.call_assignments where id = :'attempt'), null, 'so it stays open');
select tests.outcome(:'attempt', 'accepted', '{"provider_call_id":"end-4","provider_type":"vapi"}') \g /dev/null
select is((select provider_call_id from public.call_assignments where id = :'attempt'), 'end-4', 'until the provider says it');
select is(tests.told(:'org', 'end-4r', 'end-4', '{"status":"ended","final":true,"reason":"customer-ended-call"}', 'organization'), 'applied', 'an end that it tells of');
select is((select state from public.call_assignments where id = :'attempt'), 'accepted', 'frees no line');
select ok((select next_look_at <= clock_timestamp() from public.call_assignments where id = :'attempt'), 'but makes the pump ask the provider');
select is(tests.told(:'org', 'end-4r', 'end-4', '{"status":"ended","final":true,"reason":"customer-ended-call","duration_seconds":77}'), 'applied',
    'and does not take the place of the true report');
select is(tests.ledger(:'call'), 'calls=1 seconds=77', 'which is what counts');

-- ---- patience, and one bad finding among good ones -----------------------------------------

select tests.call(:'org', :'template') as call \gset
select tests.accepted(:'call', 'end-5') as attempt \gset
update public.call_assignments set accepted_at = clock_timestamp() - interval '2 days' where id = :'attempt';
select is(tests.looked(:'attempt', 'end-5', '{"status":"queued"}'), 'ended', 'a provider that says for days that a call is queued is not believed for ever');
select is((tests.record(:'call')).ended_reason, 'outcome_unknown', 'that call has failed');

select tests.call(:'org', :'template') as call \gset
select tests.accepted(:'call', 'end-6') as attempt \gset
select tests.call(:'org', :'template') as other \gset
select tests.accepted(:'other', 'end-7') as attempt2 \gset
select public.looks_record(jsonb_build_array(
    jsonb_build_object('assignment_id', :'attempt', 'finding', 'found', 'provider_type', 'vapi', 'provider_call_id', 'end-6', 'report', '{"status":"dreaming"}'::jsonb),
    jsonb_build_object('assignment_id', :'attempt2', 'finding', 'found', 'provider_type', 'vapi', 'provider_call_id', 'end-7', 'report', tests.ended('customer-ended-call'))))
    \g /dev/null
select is((tests.record(:'other')).status, 'completed', 'one finding that cannot be applied undoes no other');
select ok((select next_look_at > clock_timestamp() from public.call_assignments where id = :'attempt'), 'and is looked at again later');

select tests.call(:'org', :'template') as call \gset
select tests.accepted(:'call', 'end-8') as attempt \gset
update public.call_assignments set first_absent_at = clock_timestamp() - interval '1 hour' where id = :'attempt';
select tests.looked(:'attempt', 'end-8', '{"status":"ringing"}') \g /dev/null
select is((select first_absent_at from public.call_assignments where id = :'attempt'), null, 'a call that is found is not half-way to absent any more');

-- ---- hands off ----------------------------------------------------------------------------

select throws_ok(format('delete from public.call_service_providers where id = %L', :'vapi'), 'PT409', 'provider_in_use',
    'a provider is not taken away from under its calls');
select tests.clear_road();
update public.call_service_providers set is_active = true where id = :'vapi';
select tests.call(:'org', :'template') as call \gset
select tests.sent(:'call') as attempt \gset
select is(public.handle_failed_call(:'call'), false, 'a call whose telephone may be ringing cannot be declared failed');
select is((select state from public.call_assignments where id = :'attempt'), 'sent', 'nothing is changed then');

select tests.call(:'org', :'template') as call \gset
select public.queue_promote() \g /dev/null
update public.organizations set status = 'suspended' where id = :'org';
select is(public.assign_call_to_provider(:'call', :'vapi'), null, 'by SQL too no call of a suspended organization is dialled');
update public.organizations set status = 'active' where id = :'org';
insert into public.do_not_call (organization_id, phone_number) select :'org', recipient_number from public.call_queue where id = :'call';
select is(public.assign_call_to_provider(:'call', :'vapi'), null, 'nor one to a number that must not be called');

-- ---- one refusal does not close a provider ----------------------------------------------------

select tests.provider('End Tired', 'vapi', 1000, 1) as tired \gset
update public.call_service_providers set is_active = id = :'tired', max_concurrent_calls = 10;
delete from public.do_not_call;
select tests.call(:'org', :'template') as live \gset
select tests.accepted(:'live', 'end-9') as attempt \gset
update public.call_service_providers set failures = 1, cooling_until = clock_timestamp() - interval '1 second' where id = :'tired';
select is((select free from public.providers_free() where id = :'tired'), 1, 'a provider that refused lately is tried with one call, also while others live there');
select tests.call(:'org', :'template') as probe \gset
select tests.sent(:'probe') \g /dev/null
select is((select free from public.providers_free() where id = :'tired'), 0, 'and with no more before that one is answered');

-- ---- expired rows in front -----------------------------------------------------------------------

update public.call_service_providers set failures = 0, max_concurrent_calls = 5;
update public.call_queue set status = 'canceled' where status = 'queued';
select count(tests.call(:'org', :'template')) from generate_series(1, 80) \g /dev/null
update public.call_queue set priority = 1, expires_at = clock_timestamp() - interval '1 second' where status = 'queued';
select tests.call(:'org', :'template') as good \gset
select public.queue_promote() \g /dev/null
select ok(:'good'::uuid = any (tests.claim(1)), 'expired rows in front hide no call behind them');

select * from finish();
rollback;
