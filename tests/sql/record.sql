-- record.sql - what became of a dial: accepted, refused, unknown; each fenced, in any order with the provider's events.
begin;
select no_plan();

select tests.organization('Record') as org \gset
select tests.template(:'org', '{vapi,synthflow}') as template \gset
select tests.provider('Record Vapi', 'vapi', 1000, 1) as vapi \gset

-- ---- accepted -------------------------------------------------------------

select tests.call(:'org', :'template') as call \gset
select tests.sent(:'call') as attempt \gset
select is(tests.outcome(:'attempt', 'accepted', '{"provider_call_id":"rec-1","control_url":"https://c.test/1"}'), 'accepted', 'an acceptance is recorded');
select results_eq(format('select state, provider_call_id, control_url, progress from public.call_assignments where id = %L', :'attempt'),
                  $$values ('accepted', 'rec-1', 'https://c.test/1', 'queued')$$, 'with the provider''s id and where to hang up');
select results_eq(format('select status, call_id, attempts from public.call_queue where id = %L', :'call'), $$values ('in-progress', 'rec-1', 1)$$,
                  'the queue shows the provider''s id');
select results_eq(format('select status, provider_call_id, vapi_call_id, provider_type, attempts from public.calls where id = %L', :'call'),
                  $$values ('in-progress', 'rec-1', 'rec-1', 'vapi', 1)$$, 'and so does the call');
select is(tests.outcome(:'attempt', 'accepted', '{"provider_call_id":"rec-1"}'), 'accepted', 'recording it twice is harmless');
select is((tests.record(:'call')).attempts, 1, 'and counts one attempt');
select is(tests.outcome(:'attempt', 'refused', '{"fault":"call","reason":"http_400"}'), 'accepted', 'an accepted call cannot be refused afterwards');
select is((tests.record(:'call')).status, 'in-progress', 'it goes on');
select is(public.calls_record(jsonb_build_array(jsonb_build_object('assignment_id', gen_random_uuid(), 'fence', 1, 'result', 'accepted'))) -> 0 ->> 'state',
          'gone', 'an attempt that does not exist is said to be gone');
select ok((select next_look_at > clock_timestamp() + interval '100 seconds' from public.call_assignments where id = :'attempt'),
          'a call that stays silent will be looked up');

select tests.call(:'org', :'template') as call \gset
select tests.sent(:'call') as attempt \gset
select tests.outcome(:'attempt', 'accepted', jsonb_build_object('provider_call_id', 'rec-2', 'report',
    '{"status":"ended","final":true,"reason":"call.start.error-subscription-concurrency-limit-reached"}'::jsonb)) \g /dev/null
select is((tests.queue(:'call')).status, 'queued', 'an answer that says that the call is over already is believed at once');

-- ---- refused -----------------------------------------------------------------

select tests.clear_road();
update public.call_service_providers set is_active = true, failures = 0, cooling_until = null where id = :'vapi';
select tests.provider('Record Vapi two', 'vapi', 1000, 2) as second \gset
select tests.call(:'org', :'template') as call \gset
select tests.sent(:'call') as attempt \gset
select is(tests.outcome(:'attempt', 'refused', '{"fault":"call","reason":"http_400","status":400,"detail":"bad number"}'), 'refused', 'a refusal is recorded');
select results_eq(format('select state, outcome, reason, http_status, detail from public.call_assignments where id = %L', :'attempt'),
                  $$values ('refused', 'refused', 'http_400', 400, 'bad number')$$, 'with what the provider said');
select results_eq(format('select status, ended_reason, attempts from public.calls where id = %L', :'call'), $$values ('failed', 'http_400', 0)$$,
                  'the call''s own fault ends it');
select is((select failures from public.call_service_providers where id = :'vapi'), 0, 'the provider does not rest for that');
select is((select count(*)::integer from public.usage_entries where call_id = :'call'), 0, 'what no provider accepted costs nothing');

-- Each fault of the provider's own: the next one is asked at once, no attempt is lost.
create function tests.fails_over(p_call uuid, p_attempt uuid, p_fault text, p_next uuid) returns text language plpgsql as $$
declare
    q public.call_queue;
begin
    perform tests.outcome(p_attempt, 'refused', jsonb_build_object('fault', p_fault, 'reason', 'refused'));
    q := tests.queue(p_call);
    if q.status <> 'queued' or not q.ready or q.attempts <> 0 or q.retry_count <> 0 then
        return 'not put back at once: ' || q::text;
    end if;
    if (select cooling_until is null from public.call_service_providers p where p.id = (tests.attempt(p_call)).provider_id) then
        return 'the provider does not rest';
    end if;
    perform tests.claim(1);
    return case when (tests.attempt(p_call)).provider_id = p_next then 'next' else 'not the next provider' end;
end
$$;
select tests.clear_road();
update public.call_service_providers set is_active = true, failures = 0, cooling_until = null where id in (:'vapi', :'second');
create temporary table faults as select f, tests.call(:'org', :'template', '+15550100001', 5, 1) as call
  from unnest('{concurrency,credit,key,rate,connect}'::text[]) f;
do $$
declare
    r record;
begin
    for r in select * from faults loop
        update public.call_service_providers set failures = 0, cooling_until = null;
        perform tests.sent(r.call);
    end loop;
end
$$;
select is(tests.fails_over(f.call, (tests.attempt(f.call)).id, f.f, :'second'), 'next',
          f.f || ': the provider rests, the call goes to the next one and loses no attempt') from faults f;

-- An old fence says nothing.
select tests.clear_road();
update public.call_service_providers set is_active = true, failures = 0, cooling_until = null where id = :'vapi';
select tests.call(:'org', :'template') as call \gset
select tests.sent(:'call') as attempt \gset
select is(tests.outcome(:'attempt', 'refused', '{"fence":0,"fault":"call","reason":"http_400"}'), 'sent', 'a refusal with an old fence is not believed');
select is(tests.outcome(:'attempt', 'unknown', '{"fence":0,"reason":"timeout"}'), 'sent', 'nor an unknown outcome');
select is(tests.outcome(:'attempt', 'accepted', '{"fence":0,"provider_call_id":"rec-3"}'), 'accepted', 'but the provider''s yes is the truth, whoever holds the lease');

-- ---- unknown -------------------------------------------------------------------

select tests.call(:'org', :'template') as call \gset
select tests.sent(:'call') as attempt \gset
select is(tests.outcome(:'attempt', 'unknown', '{"reason":"timeout","status":504}'), 'unknown', 'an answer that did not come is unknown');
select is((tests.queue(:'call')).status, 'in-progress', 'such a call is not dialled again');
select is(tests.claim(5), '{}', 'by nobody');
select ok((select next_look_at <= clock_timestamp() from public.call_assignments where id = :'attempt'), 'the provider is asked about it now');
select is(tests.outcome(:'attempt', 'refused', '{"fault":"rate","reason":"http_429"}'), 'refused', 'a refusal that was read late still counts');
select is((tests.queue(:'call')).status, 'queued', 'and puts it back');

-- ---- events before the record ------------------------------------------------------

update public.call_service_providers set failures = 0, cooling_until = null where id = :'vapi';
select tests.call(:'org', :'template') as call \gset
select tests.sent(:'call') as attempt \gset
select is(public.webhook_keep('vapi', :'org', 'installation', 'early', 'status-update', null, 'rec-4', '{}', '{"status":"ringing"}', 'moves'), 'waiting',
          'an event that comes before the record waits');
select tests.outcome(:'attempt', 'accepted', '{"provider_call_id":"rec-4"}') \g /dev/null
select is((tests.record(:'call')).progress, 'ringing', 'storing the acceptance applies it');
select is((select state from public.webhook_events where provider_call_id = 'rec-4'), 'applied', 'and marks it');

select tests.call(:'org', :'template') as call \gset
select tests.sent(:'call') as attempt \gset
select is(tests.report(:'attempt', '{"status":"in-progress","control_url":"https://c.test/5"}'), 'applied', 'an event with our mark needs no record');
select is((tests.attempt(:'call')).state, 'accepted', 'it proves the acceptance');
select is(tests.outcome(:'attempt', 'unknown', '{"reason":"timeout"}'), 'accepted', 'the dialler''s later doubt does not undo it');
select is(tests.outcome(:'attempt', 'accepted', '{"provider_call_id":"rec-5"}'), 'accepted', 'and the record adds');
select results_eq(format('select provider_call_id, control_url, progress from public.call_assignments where id = %L', :'attempt'),
                  $$values ('rec-5', 'https://c.test/5', 'in-progress')$$, 'the provider''s id, and takes nothing away');

-- A report for an attempt that was given up as refused.
select tests.clear_road();
update public.call_service_providers set is_active = true, failures = 0, cooling_until = null where id = :'vapi';
select tests.call(:'org', :'template') as call \gset
select tests.sent(:'call') as attempt \gset
select tests.outcome(:'attempt', 'refused', '{"fault":"connect","reason":"connect"}') \g /dev/null
select is((tests.queue(:'call')).status, 'queued', 'a refused call waits for the next provider');
select is(public.call_apply(:'org', 'call', 'vapi', :'attempt', 'rec-6', '{"status":"ringing"}'), 'applied', 'if the provider speaks of it after all');
select is((tests.queue(:'call')).status, 'in-progress', 'nobody else is asked');
select is(public.call_apply(:'org', 'call', 'vapi', :'attempt', 'rec-6', tests.ended('customer-ended-call')), 'applied', 'its end');
select is((tests.record(:'call')).status, 'completed', 'completes the call');

-- ---- hang-ups --------------------------------------------------------------------

select tests.call(:'org', :'template') as call \gset
update public.call_service_providers set failures = 0, cooling_until = null where id = :'vapi';
select tests.accepted(:'call', 'rec-7') as attempt \gset
select is(public.hangups_claim(5), '[]', 'nobody is hung up on unasked');
select public.call_cancel(:'call');
select is(public.hangups_claim(5) -> 0 ->> 'control_url', 'https://control.test/rec-7', 'a canceled live call is hung up at its control address');
select is(public.hangups_claim(5), '[]', 'one pump at a time');
update public.call_assignments set hangup_requested_at = clock_timestamp() - interval '1 second' where id = :'attempt';
select is(jsonb_array_length(public.hangups_claim(5)), 1, 'again later, if that did not work');
select public.hangups_record(array[:'attempt'::uuid]);
update public.call_assignments set hangup_requested_at = clock_timestamp() - interval '1 second' where id = :'attempt';
select is(public.hangups_claim(5), '[]', 'once done, no more');

select tests.provider('Record Flow', 'synthflow', 1000, 0) as flow \gset
select tests.call(:'org', :'template') as call \gset
select tests.accepted(:'call', 'flow-1') as attempt \gset
select lives_ok(format('select public.call_cancel(%L)', :'call'), 'a live call at SynthFlow cannot be hung up, but it can be canceled');
select isnt((tests.queue(:'call')).cancel_requested_at, null, 'so that it is not dialled again');

select * from finish();
rollback;
