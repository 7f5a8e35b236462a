-- look.sql - attempts of which nobody has heard: found, absent by proof only, or unknown for good.
begin;
select no_plan();

select tests.organization('Look') as org \gset
select tests.template(:'org') as template \gset
select tests.provider('Look Vapi', 'vapi', 1000, 1) as vapi \gset

-- Deadline passed p_ago seconds ago; nobody knows what became of it.
create function tests.lost(p_call uuid, p_ago double precision) returns uuid language plpgsql as $$
declare
    v_id uuid := tests.sent(p_call);
begin
    perform tests.outcome(v_id, 'unknown', '{"reason":"timeout"}');
    update public.call_assignments set deadline_at = clock_timestamp() - make_interval(secs => p_ago),
           sent_at = clock_timestamp() - make_interval(secs => p_ago + 10) where id = v_id;
    return v_id;
end
$$;
-- One complete listing that began p_ago seconds ago and did not show the attempt.
create function tests.not_there(p_attempt uuid, p_ago double precision, p_finding text default 'not_found') returns text language plpgsql as $$
declare
    v_fence bigint;
begin
    update public.call_assignments set look_fence = look_fence + 1, looks = looks + 1 where id = p_attempt returning look_fence into v_fence;
    return public.looks_record(jsonb_build_array(jsonb_build_object('assignment_id', p_attempt, 'look_fence', v_fence, 'finding', p_finding,
        'began_ms', floor(extract(epoch from clock_timestamp() - make_interval(secs => p_ago)) * 1000)::bigint))) -> 0 ->> 'state';
end
$$;

-- ---- what is looked at -------------------------------------------------------

select tests.call(:'org', :'template', '+15550100042') as call \gset
select tests.lost(:'call', 0) as attempt \gset
select public.looks_claim(5, 30) as looks \gset
select is((:'looks'::jsonb -> 0 ->> 'assignment_id')::uuid, :'attempt'::uuid, 'an unknown attempt is looked up at once');
select is(:'looks'::jsonb -> 0 ->> 'number', '+15550100042', 'by its number too');
select ok(abs((:'looks'::jsonb -> 0 ->> 'since_ms')::bigint - extract(epoch from clock_timestamp() - interval '310 seconds') * 1000) < 60000,
          'back past its start, less five minutes');
select is(public.looks_claim(5, 30), '[]', 'one pump at a time looks');
update public.call_assignments set next_look_at = clock_timestamp() - interval '1 second' where id = :'attempt';
select is(public.looks_claim(5, 30) -> 0 ->> 'look_fence', '2', 'when that one is late, another with a greater fence');
select is(public.looks_record(jsonb_build_array(jsonb_build_object('assignment_id', :'attempt', 'look_fence', 1, 'finding', 'not_found', 'began_ms', 0)))
          -> 0 ->> 'state', 'unknown', 'what the first one says of absence is not believed any more');
select is((select first_absent_at from public.call_assignments where id = :'attempt'), null, 'nor remembered');

select tests.clear_road();
update public.call_service_providers set is_active = true where id = :'vapi';
select tests.call(:'org', :'template') as call \gset
select tests.sent(:'call') as attempt \gset
select is(public.looks_claim(5, 30), '[]', 'a dial that is still in time is not looked up');
update public.call_assignments set lease_until = clock_timestamp() - interval '1 second' where id = :'attempt';
select is(public.looks_claim(5, 30) -> 0 ->> 'state', 'unknown', 'one whose pump died is unknown, and looked up');

-- ---- found -----------------------------------------------------------------------

select is(public.looks_record(jsonb_build_array(jsonb_build_object('assignment_id', :'attempt', 'look_fence', 0, 'finding', 'found', 'provider_type', 'vapi',
    'provider_call_id', 'look-1', 'control_url', 'https://c.test/look', 'report', '{"status":"ringing"}'::jsonb))) -> 0 ->> 'state', 'accepted',
    'found: accepted, whoever looked');
select results_eq(format('select provider_call_id, control_url, progress from public.call_assignments where id = %L', :'attempt'),
                  $$values ('look-1', 'https://c.test/look', 'ringing')$$, 'with what the provider told');
select ok((select next_look_at > clock_timestamp() + interval '60 seconds' from public.call_assignments where id = :'attempt'), 'it is then looked at only when silent');
select is(public.looks_record(jsonb_build_array(jsonb_build_object('assignment_id', :'attempt', 'look_fence', 0, 'finding', 'found', 'provider_type', 'vapi',
    'provider_call_id', 'look-1', 'report', tests.ended('customer-ended-call')))) -> 0 ->> 'state', 'ended', 'a look may find the end');
select is((tests.record(:'call')).status, 'completed', 'which ends the call');

-- ---- absent: each guard by itself ------------------------------------------------------

select tests.clear_road();
update public.call_service_providers set is_active = true where id = :'vapi';
select tests.call(:'org', :'template') as call \gset
select tests.lost(:'call', 300) as attempt \gset
select is(tests.not_there(:'attempt', 61), 'unknown', 'one listing without it proves nothing');
select is(tests.not_there(:'attempt', 59), 'unknown', 'nor do two that are close together');
select is(tests.not_there(:'attempt', 0, 'failed'), 'unknown', 'nor one that failed');
select is((tests.queue(:'call')).status, 'in-progress', 'so long it is not dialled again');
select is(tests.not_there(:'attempt', 0), 'absent', 'two that are a minute apart, the later two minutes after the deadline, do');
select is((tests.queue(:'call')).status, 'queued', 'then it is dialled again');
select ok((tests.queue(:'call')).ready, 'at once');
select is((tests.queue(:'call')).attempts, 0, 'and costs no attempt');

select tests.call(:'org', :'template') as call \gset
select tests.lost(:'call', 119) as attempt \gset
select is(tests.not_there(:'attempt', 100), 'unknown', 'a first listing');
select is(tests.not_there(:'attempt', 1), 'unknown', 'and a second far behind it, but too soon after the deadline: not absent');
update public.call_assignments set deadline_at = deadline_at - interval '5 seconds' where id = :'attempt';
select is(tests.not_there(:'attempt', 0), 'absent', 'later, it is');

select tests.call(:'org', :'template') as call \gset
select tests.lost(:'call', 300) as attempt \gset
select tests.not_there(:'attempt', 200) \g /dev/null
select is(tests.not_there(:'attempt', 190), 'unknown', 'two listings late enough but ten seconds apart: not absent');
select ok((select next_look_at <= first_absent_at + interval '5 minutes' from public.call_assignments where id = :'attempt'), 'the next look is when it can prove something');

update public.call_service_providers set absence_gap_seconds = 1, absence_after_seconds = 2 where id = :'vapi';
select tests.call(:'org', :'template') as call \gset
select tests.lost(:'call', 5) as attempt \gset
select tests.not_there(:'attempt', 2) \g /dev/null
select is(tests.not_there(:'attempt', 0), 'absent', 'both guards are settings of the provider');
update public.call_service_providers set absence_gap_seconds = 60, absence_after_seconds = 120 where id = :'vapi';

-- A call that the provider had accepted is never dialled again, even when it knows it no more.
select tests.clear_road();
update public.call_service_providers set is_active = true where id = :'vapi';
select tests.call(:'org', :'template') as call \gset
select tests.accepted(:'call', 'look-2') as attempt \gset
update public.call_assignments set accepted_at = clock_timestamp() - interval '300 seconds', deadline_at = clock_timestamp() - interval '300 seconds' where id = :'attempt';
select is(tests.not_there(:'attempt', 100), 'accepted', 'an accepted call that is not listed once goes on');
select is(tests.not_there(:'attempt', 0), 'ended', 'twice: it is over');
select is((tests.record(:'call')).status || ' ' || (tests.record(:'call')).ended_reason, 'failed lost_at_provider', 'it has failed, and is not dialled again');

-- Canceled meanwhile.
select tests.call(:'org', :'template') as call \gset
select tests.lost(:'call', 300) as attempt \gset
select public.call_cancel(:'call');
select tests.not_there(:'attempt', 100) \g /dev/null
select is(tests.not_there(:'attempt', 0), 'absent', 'a canceled call that proves absent');
select is((tests.record(:'call')).status, 'canceled', 'is canceled');

-- ---- an event for an attempt that was given up -------------------------------------------

select tests.clear_road();
update public.call_service_providers set is_active = true where id = :'vapi';
select tests.call(:'org', :'template') as call \gset
select tests.lost(:'call', 300) as attempt \gset
select tests.not_there(:'attempt', 100), tests.not_there(:'attempt', 0) \g /dev/null
select is((tests.queue(:'call')).status, 'queued', 'a call whose attempt is absent waits again');
select is(public.call_apply(:'org', 'call', 'vapi', :'attempt', 'look-3', '{"status":"ringing"}'), 'applied', 'if the provider speaks of it now');
select is((tests.attempt(:'call')).state, 'accepted', 'the attempt lives');
select is((tests.queue(:'call')).status, 'in-progress', 'and nobody else is asked');
select is((tests.queue(:'call')).attempts, 1, 'it counts as an attempt now');
update public.call_assignments set next_look_at = clock_timestamp() where id = :'attempt';
select is(jsonb_array_length(public.looks_claim(5, 30)), 1, 'it is looked up when it is silent');
select is(tests.not_there(:'attempt', 0, 'failed'), 'accepted', 'as any other');
select is(public.call_apply(:'org', 'call', 'vapi', :'attempt', 'look-3', tests.ended('customer-ended-call')), 'applied', 'its report');
select is((tests.record(:'call')).status, 'completed', 'ends the call');
select is((select quantity from public.usage_entries where call_id = :'call' and kind = 'seconds'), 65::numeric, 'with its seconds');

select tests.call(:'org', :'template') as call \gset
select tests.lost(:'call', 300) as attempt \gset
select tests.not_there(:'attempt', 100), tests.not_there(:'attempt', 0) \g /dev/null
select tests.sent(:'call') as newer \gset
select is(public.call_apply(:'org', 'call', 'vapi', :'attempt', 'look-4', '{"status":"ringing"}'), 'ignored', 'when a newer attempt was begun, the old one stays given up');
select is((select state from public.call_assignments where id = :'attempt'), 'absent', 'its row does not change');
select is((select state from public.call_assignments where id = :'newer'), 'sent', 'nor does the newer one''s');
select tests.outcome(:'newer', 'accepted', '{"provider_call_id":"look-5"}'), tests.report(:'newer', tests.ended('customer-busy', false)) \g /dev/null
select is((tests.queue(:'call')).status, 'queued', 'also when that newer one is over and the call waits once more');
select is(public.call_apply(:'org', 'call', 'vapi', :'attempt', 'look-4', '{"status":"ringing"}'), 'ignored', 'the old one stays given up');

-- ---- patience ------------------------------------------------------------------------------

select tests.call(:'org', :'template') as call \gset
select tests.lost(:'call', 86300) as attempt \gset
select is(tests.not_there(:'attempt', 0, 'failed'), 'unknown', 'a provider that cannot be asked is asked again');
select ok((select tests.within(extract(epoch from next_look_at - clock_timestamp())::numeric, 1, 300) from public.call_assignments where id = :'attempt'), 'with a growing wait');
update public.call_assignments set sent_at = sent_at - interval '200 seconds' where id = :'attempt';
select is(tests.not_there(:'attempt', 0, 'failed'), 'ended', 'for a day');
select is((tests.record(:'call')).status || ' ' || (tests.record(:'call')).ended_reason, 'failed outcome_unknown', 'then the outcome is unknown for good');
select is(tests.claim(5), '{}', 'and nobody dials it again');
select is((select count(*)::integer from public.call_assignments where call_id = :'call'), 1, 'one attempt, one outcome');
select is((select outcome from public.call_assignments where id = :'attempt'), 'outcome_unknown', 'which is recorded');

select * from finish();
rollback;
