-- claim.sql - which calls are dialled now, in which order, and why the others wait.
begin;
select no_plan();

select tests.organization('Claim') as org \gset
select tests.organization('Claim, capped', gen_random_uuid(), 2) as capped \gset
select tests.template(:'org') as template \gset
select tests.template(:'capped') as capped_template \gset
select tests.provider('Claim Vapi', 'vapi', 3) as vapi \gset

-- ---- order ------------------------------------------------------------------

insert into public.call_queue (organization_id, template_id, recipient_number)
select :'org', :'template', '+1555010000' || i from generate_series(1, 6) i;
select is((select array_agg(recipient_number order by position) from public.call_queue where organization_id = :'org'),
          (select array_agg(q.recipient_number order by q.priority, q.due_at, q.position) from public.call_queue q where q.organization_id = :'org'),
          'the line keeps the order of entry');
select is((select array_agg((tests.queue(c.id)).recipient_number order by c.i) from unnest(tests.claim(10)) with ordinality c(id, i)),
          '{+15550100001,+15550100002,+15550100003}', 'first come, first served within one transaction, up to the provider''s limit');
select is((select count(*)::integer from public.call_queue where organization_id = :'org' and status = 'queued'), 3, 'the others wait');
select is(tests.claim(10), '{}', 'and wait as long as no place is free');
select is((select array_agg(distinct admission) from public.call_queue where organization_id = :'org' and status = 'queued'), '{provider_capacity}',
          'their rows say why');
select is(public.calls_claim(10, 'a', 30) -> 'waiting', '{"provider_capacity":1}', 'and so does the claim');
select is((select array_agg(distinct admission) from public.call_queue where organization_id = :'org' and status = 'in-progress'), '{admitted}',
          'an admitted call says that too');
select is((select array_agg(distinct state) from public.call_assignments where organization_id = :'org'), '{leased}', 'claimed attempts are leased');
select ok((select bool_and(lease_until > clock_timestamp() + interval '20 seconds' and lease_until < clock_timestamp() + interval '31 seconds'
                           and fence = 1 and attempt = 1 and assistant = 'assistant-vapi')
             from public.call_assignments where organization_id = :'org'), 'for the time that was asked for, with a first fence');

update public.call_service_providers set max_concurrent_calls = 5 where id = :'vapi';
select tests.call(:'org', :'template', '+15550100099', 1) as urgent \gset
select is((tests.claim(1))[1], :'urgent'::uuid, 'a smaller priority number goes before age');
select is((tests.queue((tests.claim(1))[1])).recipient_number, '+15550100004', 'then the oldest again');

-- ---- dials: what the dialler is told ------------------------------------------

select tests.clear_road();
update public.call_service_providers set is_active = true, max_concurrent_calls = 10 where id = :'vapi';
insert into public.voice_options (voice_id, name, voice_provider) values ('sarah', 'Sarah', '11labs') returning id as voice \gset
insert into public.phone_numbers (organization_id, phone_number, voice_number_id) values (:'org', '+15550109999', 'pn-1') returning id as number \gset
insert into public.call_queue (organization_id, template_id, recipient_number, recipient_name, recipient_email, voice_id, caller_number_id, custom_variables)
values (:'org', :'template', '+15550100001', 'John Doe', 'john@example.com', :'voice', :'number', '{"company":"Acme"}') returning id as call \gset
select is((public.calls_claim(1, 'a', 30) -> 'dials' -> 0) - 'assignment_id',
          jsonb_build_object('fence', 1, 'call_id', :'call', 'organization_id', :'org', 'provider_id', :'vapi', 'provider_type', 'vapi',
              'base_url', 'http://127.0.0.1:1', 'api_key', 'sealed:x', 'key_number', 1, 'timeout_ms', null, 'number', '+15550100001', 'name', 'John Doe',
              'email', 'john@example.com', 'assistant', 'assistant-vapi', 'caller', 'pn-1', 'variables', '{"company":"Acme"}'::jsonb,
              'says', null, 'voice', '{"provider":"11labs","voiceId":"sarah"}'::jsonb), 'a dial holds all that the provider must be told');

-- ---- caps of an organization ----------------------------------------------------

select tests.clear_road();
update public.call_service_providers set is_active = true, max_concurrent_calls = 100 where id = :'vapi';
insert into public.call_queue (organization_id, template_id, recipient_number)
select :'capped', :'capped_template', '+1555020000' || i from generate_series(1, 5) i;
select tests.call(:'org', :'template') as call \gset
select is((select count(*)::integer from unnest(tests.claim(10)) c where (tests.queue(c)).organization_id = :'capped'), 2,
          'an organization has no more live calls than its cap');
select is((tests.queue(:'call')).status, 'in-progress', 'the one behind it is served');
select is((select array_agg(distinct admission) from public.call_queue where organization_id = :'capped' and status = 'queued' and admission is not null),
          '{organization_capacity}', 'its waiting calls say why');
select is(tests.claim(10), '{}', 'a second claim does not exceed the cap');
select a.id as attempt from public.call_assignments a where a.organization_id = :'capped' and a.state = 'leased' limit 1 \gset
select is(tests.outcome(:'attempt', 'refused', '{"fault":"call","reason":"http_400"}'), 'leased', 'what was not sent cannot have been refused');
select public.calls_sent(array[a.id], array[a.fence], 1000, 30), tests.outcome(a.id, 'refused', '{"fault":"call","reason":"http_400"}')
  from public.call_assignments a where a.id = :'attempt' \g /dev/null
select is(cardinality(tests.claim(10)), 1, 'a place that becomes free is taken');

-- Closed organizations at the head of the line.
select tests.clear_road();
update public.call_service_providers set is_active = true, max_concurrent_calls = 100 where id = :'vapi';
update public.organizations set max_concurrent_calls = 0 where id = :'capped';
insert into public.call_queue (organization_id, template_id, recipient_number, priority)
select :'capped', :'capped_template', '+15550200001', 1 from generate_series(1, 300) i;
select tests.call(:'org', :'template') as call \gset
select is(tests.claim(3), array[:'call'::uuid], 'hundreds of calls of an organization at its cap do not hide another''s');

-- Forty organizations outside of their calling hours, each with more rows than a claim looks at.
select tests.clear_road();
update public.call_service_providers set is_active = true where id = :'vapi';
create temporary table asleep as select tests.organization('Asleep ' || i) as id from generate_series(1, 40) i;
update public.organizations set settings = '{"calling_hours":{"start":"00:00","end":"00:00"}}' where id in (select id from asleep);
insert into public.call_queue (organization_id, template_id, recipient_number, priority)
select a.id, :'template', '+15550200001', 1 from asleep a, generate_series(1, 15) i order by a.id, i;
select tests.call(:'org', :'template') as call \gset
select is(tests.claim(10), array[:'call'::uuid], 'many organizations outside of their calling hours do not hide the one that may call');
select tests.clear_road();
update public.call_service_providers set is_active = true where id = :'vapi';

-- ---- calling hours, do-not-call, status -----------------------------------------

-- The organization's own clock is set so that it is a given hour there now: a fixed offset from UTC makes any hour of the day.
create function tests.hours(p_organization uuid, p_hour integer, p_start text, p_end text, p_more jsonb default '{}') returns text language plpgsql as $$
declare
    o public.organizations;
    v_minute integer := extract(minute from clock_timestamp());
    v_shift integer := extract(hour from clock_timestamp() at time zone 'UTC')::integer - p_hour;
begin
    -- Half past p_hour on the organization's clock: <X>+-hh:mm is UTC minus that.
    select * into o from public.organizations where id = p_organization;
    o.settings := jsonb_build_object('calling_hours', jsonb_build_object('start', p_start, 'end', p_end, 'timezone',
        '<X>' || case when v_shift * 60 + v_minute - 30 < 0 then '-' else '+' end
              || to_char(abs(v_shift * 60 + v_minute - 30) / 60, 'FM00') || ':' || to_char(abs(v_shift * 60 + v_minute - 30) % 60, 'FM00')) || p_more);
    return public.organization_admission(o);
end
$$;
select is(tests.hours(:'org', 12, '09:00', '20:00'), null, 'at noon of the organization''s own time zone calls go out');
select is(tests.hours(:'org', 8, '09:00', '20:00'), 'calling_hours', 'before its hours they wait');
select is(tests.hours(:'org', 20, '09:00', '20:00'), 'calling_hours', 'and after them');
select is(tests.hours(:'org', 20, '09:00', '24:00'), null, 'hours may last until midnight');
select is(tests.hours(:'org', 12, '09:00', '20:00', '{"days":[]}'), 'calling_hours', 'on a day that is not listed they wait');
select is(tests.hours(:'org', 12, '09:00', '20:00', '{"days":[1,2,3,4,5,6,7]}'), null, 'on a listed day they go');
select is(tests.hours(:'org', 12, '09:00', '20:00', '{"timezone":"Moon/Tranquility"}'), 'calling_hours_unreadable',
          'settings that cannot be read let no call out');
select is(tests.hours(:'org', 12, 'nine', '20:00'), 'calling_hours_unreadable', 'nor hours that are none');

select tests.call(:'org', :'template') as call \gset
update public.organizations set settings = '{"calling_hours":{"start":"00:00","end":"00:00"}}' where id = :'org';
select is(tests.claim(5), '{}', 'a call outside of the hours is not claimed');
select is((tests.queue(:'call')).admission, 'calling_hours', 'its row says why');
update public.organizations set settings = '{}' where id = :'org';
select is(tests.claim(5), array[:'call'::uuid], 'it goes when they come');

select is((select array_agg(s || '=' || coalesce(public.organization_admission(o), 'open') order by s)
             from unnest('{active,past_due,read_only,suspended,canceled,disabled}'::text[]) s
             cross join lateral (select (jsonb_populate_record(x, jsonb_build_object('status', s))).* from public.organizations x where x.id = :'org') o),
          '{active=open,canceled=organization_inactive,disabled=organization_inactive,past_due=open,read_only=organization_inactive,suspended=organization_inactive}',
          'only organizations that are active or past due may call');

select tests.call(:'org', :'template') as call \gset
update public.organizations set status = 'disabled' where id = :'org';
select is(tests.claim(5), '{}', 'a disabled organization''s calls wait');
select is((tests.queue(:'call')).admission, 'organization_inactive', 'and say why');
update public.organizations set status = 'active' where id = :'org';

insert into public.do_not_call (organization_id, phone_number) values (:'org', '+15550100066');
select tests.call(:'org', :'template', '+15550100066') as unwanted \gset
select tests.call(:'capped', :'capped_template', '+15550100066') as others \gset
update public.organizations set max_concurrent_calls = null where id = :'capped';
select is((select array_agg(c order by c) from unnest(tests.claim(5)) c), (select array_agg(c order by c) from unnest(array[:'call', :'others']::uuid[]) c),
          'a number on the do-not-call list is not dialled; another organization''s list does not matter');
select is((tests.record(:'unwanted')).status || ' ' || (tests.record(:'unwanted')).ended_reason, 'canceled do_not_call', 'the call is canceled and says why');

-- ---- time -------------------------------------------------------------------------

insert into public.call_queue (organization_id, template_id, recipient_number, scheduled_time)
values (:'org', :'template', '+15550100001', clock_timestamp() + interval '1 hour') returning id as call \gset
select public.queue_promote() \g /dev/null
select is(tests.claim(5), '{}', 'a scheduled call does not go before its time');
select ok(not (tests.queue(:'call')).ready, 'it is not even in the line');
select is((tests.queue(:'call')).due_at, (tests.queue(:'call')).scheduled_time, 'its due time is the scheduled one');
update public.call_queue set due_at = clock_timestamp() - interval '1 millisecond' where id = :'call';
select is(public.queue_promote(), 1, 'when its time has come it is promoted');
select is(public.queue_promote(), 0, 'once');
select is(tests.claim(5), array[:'call'::uuid], 'and claimed');

select tests.call(:'org', :'template') as call \gset
update public.call_queue set expires_at = clock_timestamp() - interval '1 second' where id = :'call';
select is(tests.claim(5), '{}', 'an expired call is not dialled');
select is((tests.record(:'call')).status, 'expired', 'it expires');
select is(public.queue_expire(), 0, 'once and for all');
select is((tests.record(:'call')).status || ' ' || (tests.record(:'call')).ended_reason, 'expired expired', 'with a reason');
select is(public.queue_expire(), 0, 'once');
select is((select array_agg(type) from public.events where subject_id = :'call'), '{call.expired}', 'and an outgoing event');

-- ---- providers ----------------------------------------------------------------------

select tests.clear_road();
select tests.provider('First', 'vapi', 10, 1) as first \gset
select tests.provider('Second', 'vapi', 10, 2) as second \gset
select tests.provider('Flow', 'synthflow', 10, 3) as flow \gset
select tests.template(:'org', '{vapi,synthflow}') as both \gset
select tests.template(:'org', '{synthflow}') as flow_only \gset

create function tests.goes_to(p_template uuid) returns text language plpgsql as $$
declare
    v_call uuid := tests.call((select organization_id from public.call_templates where id = p_template), p_template);
    v_name text;
begin
    perform tests.claim(1);
    select p.name into v_name from public.call_service_providers p where p.id = (tests.attempt(v_call)).provider_id;
    if v_name is null then
        delete from public.call_queue where id = v_call;
    end if;
    return v_name;
end
$$;
select is(tests.goes_to(:'template'), 'First', 'the provider with the smaller priority number is asked first');
select is(tests.goes_to(:'both'), 'First', 'also where another kind could say it');
select is(tests.goes_to(:'flow_only'), 'Flow', 'a template goes only where it can be said');
update public.call_service_providers set is_draining = true where id = :'first';
select is(tests.goes_to(:'template'), 'Second', 'a draining provider gets no new calls');
update public.call_service_providers set is_active = false where id = :'second';
select is(tests.goes_to(:'both'), 'Flow', 'nor does one that is switched off');
select is(tests.goes_to(:'template'), null, 'what no provider can say waits');
select tests.call(:'org', :'template') as call \gset
select tests.claim(1) \g /dev/null
select is((tests.queue(:'call')).admission, 'no_provider', 'and says so');
delete from public.call_queue where id = :'call';
update public.call_service_providers set is_active = true, is_draining = false where id in (:'first', :'second');

select tests.clear_road();
update public.call_service_providers set is_active = true where id in (:'first', :'second');
select public.provider_cool(:'first', 'concurrency', -1, 'limit');
select is(tests.goes_to(:'template'), 'Second', 'a provider that rests is passed over');
select public.provider_cool(:'second', 'concurrency', -1, 'limit');
select tests.call(:'org', :'template') as call \gset
select is(tests.claim(1), '{}', 'where all rest, calls wait');
select is((tests.queue(:'call')).admission, 'provider_cooling', 'and say why');
update public.call_service_providers set cooling_until = clock_timestamp() - interval '1 second' where id in (:'first', :'second');
update public.call_service_providers set is_active = false where id = :'second';
select tests.call(:'org', :'template') as another \gset
select is(cardinality(tests.claim(5)), 1, 'after its rest a provider gets one call to show that it is well');
select tests.call(:'org', :'template') as third \gset
select is(tests.claim(5), '{}', 'and no other before that');
select public.calls_sent(array[a.id], array[a.fence], 1000, 30), tests.outcome(a.id, 'accepted', '{"provider_call_id":"probe"}')
  from public.call_assignments a where a.call_id = :'call' \g /dev/null
select is(cardinality(tests.claim(5)), 2, 'once it has accepted, all again');
select is((select failures || ' ' || coalesce(cooling_reason, 'well') from public.call_service_providers where id = :'first'), '0 well', 'its refusals are forgotten');
select public.provider_cool(:'first', 'concurrency', -1, 'limit') from generate_series(1, 12) \g /dev/null
select ok(tests.within(extract(epoch from cooling_until - clock_timestamp())::numeric, 50, 61), 'the rest doubles, to a minute')
  from public.call_service_providers where id = :'first';
update public.call_service_providers set cooling_until = null, failures = 0 where id = :'first';
select public.provider_cool(:'first', 'rate', 120, 'Retry-After');
select ok(tests.within(extract(epoch from cooling_until - clock_timestamp())::numeric, 115, 121), 'a provider''s own Retry-After is heeded')
  from public.call_service_providers where id = :'first';
select public.provider_cool(:'first', 'rate', 1, 'Retry-After');
select ok(cooling_until > clock_timestamp() + interval '100 seconds', 'and a shorter one never shortens it')
  from public.call_service_providers where id = :'first';

-- Starts per second.
select tests.clear_road();
update public.call_service_providers set is_active = true, cooling_until = null, failures = 0, starts_per_second = 2 where id = :'second';
insert into public.call_queue (organization_id, template_id, recipient_number) select :'org', :'template', '+15550100001' from generate_series(1, 6);
update public.call_assignments set created_at = created_at - interval '1 minute' where provider_id = :'second';
select is(cardinality(tests.claim(10)), 2, 'no more dials begin in one second than the provider allows');
-- The second is stretched, so that a slow machine does not reach its end.
update public.call_assignments set created_at = clock_timestamp() + interval '10 minutes' where provider_id = :'second' and state = 'leased';
select tests.claim(10) \g /dev/null
select is((select array_agg(distinct admission) from public.call_queue where organization_id = :'org' and status = 'queued'), '{provider_starts}', 'the others say why they wait');
update public.call_assignments set created_at = clock_timestamp() - interval '1 second' where provider_id = :'second';
select is(cardinality(tests.claim(10)), 2, 'the next second brings the next');
update public.call_service_providers set starts_per_second = 0.2 where id = :'second';
update public.call_assignments set created_at = clock_timestamp() + interval '10 minutes' where provider_id = :'second';
select is(cardinality(tests.claim(10)), 0, 'less than one a second: one in five seconds');
update public.call_assignments set created_at = clock_timestamp() - interval '6 seconds' where provider_id = :'second';
select is(cardinality(tests.claim(10)), 1, 'and then one');
update public.call_service_providers set starts_per_second = 1e-12 where id = :'second';
update public.call_assignments set created_at = clock_timestamp() - interval '2 days' where provider_id = :'second';
insert into public.call_queue (organization_id, template_id, recipient_number) select :'org', :'template', '+15550100001' from generate_series(1, 3);
select is(cardinality(tests.claim(10)), 1, 'as few as nobody means are one a day, and stop no claim');
insert into public.call_service_providers (name, provider_type) values ('New flow', 'synthflow');
select is((select starts_per_second from public.call_service_providers where name = 'New flow'), 1::numeric, 'SynthFlow allows one start a second unless agreed otherwise');

-- One provider that was asked for.
select tests.clear_road();
update public.call_service_providers set is_active = true, starts_per_second = 1000, cooling_until = null, failures = 0 where id in (:'first', :'second');
insert into public.call_queue (organization_id, template_id, recipient_number, provider_id) values (:'org', :'template', '+15550100001', :'second') returning id as call \gset
select tests.claim(1) \g /dev/null
select is((tests.attempt(:'call')).provider_id, :'second'::uuid, 'a call that asks for one provider gets that one');
update public.call_service_providers set is_draining = true where id = :'second';
insert into public.call_queue (organization_id, template_id, recipient_number, provider_id) values (:'org', :'template', '+15550100001', :'second') returning id as call \gset
select is(tests.claim(1), '{}', 'and waits for it');
delete from public.call_queue where id = :'call';
insert into public.call_queue (organization_id, template_id, recipient_number, provider_id) values (:'org', :'template', '+15550100001', :'flow') returning id as call \gset
update public.call_service_providers set is_active = true where id = :'flow';
select is(tests.claim(1), '{}', 'a call whose template that provider cannot say is not dialled');
select is((tests.queue(:'call')).admission, 'no_target', 'and says why');
select ok((tests.queue(:'call')).due_at > clock_timestamp(), 'it is looked at again later, not at each turn');

-- ---- leases and fences ----------------------------------------------------------------

select tests.clear_road();
update public.call_service_providers set is_active = true where id = :'first';
select tests.call(:'org', :'template') as call \gset
select tests.claim(1, 'a', 30) \g /dev/null
select is(public.calls_claim(5, 'b', 30) -> 'renewed', '0', 'a lease that runs is nobody else''s');
update public.call_assignments set lease_until = clock_timestamp() - interval '1 second' where call_id = :'call';
select is(cardinality(public.calls_sent(array[(tests.attempt(:'call')).id], array[1], 1000, 30)), 0, 'a lease that ran out cannot be sent on');
select is(tests.claim(5, 'b', 30), array[:'call'::uuid], 'another pump takes it');
select is((tests.attempt(:'call')).fence, 2::bigint, 'with a greater fence');
select is((tests.attempt(:'call')).worker, 'b', 'under its own name');
select is((select count(*)::integer from public.call_assignments where call_id = :'call'), 1, 'and no second attempt');
select is(cardinality(public.calls_sent(array[(tests.attempt(:'call')).id], array[1], 1000, 30)), 0, 'the first one cannot send it with its old fence');
select is(cardinality(public.calls_sent(array[(tests.attempt(:'call')).id], array[2], 1000, 30)), 1, 'the second one can');
select is(cardinality(public.calls_sent(array[(tests.attempt(:'call')).id], array[2], 1000, 30)), 0, 'once');
select is((tests.attempt(:'call')).state, 'sent', 'it is sent');
select ok((tests.attempt(:'call')).deadline_at > (tests.attempt(:'call')).sent_at
          and (tests.attempt(:'call')).lease_until > (tests.attempt(:'call')).deadline_at, 'the lease lasts beyond the answer''s deadline');
select throws_ok(format('insert into public.call_assignments (call_id, call_created_at, organization_id, provider_type, attempt, lease_until)
    select call_id, call_created_at, organization_id, provider_type, 2, now() from public.call_assignments where call_id = %L', :'call'),
    '23505', null, 'a second live attempt of one call is impossible');

select * from finish();
rollback;
