-- api_numbers.sql - phone numbers as people ask for them: lists, changes, what can be bought, people's own numbers, calls to try one, its use.
begin;
select no_plan();

select gen_random_uuid() as alice \gset
select gen_random_uuid() as bob \gset
select tests.organization('Alice', :'alice') as org \gset
select tests.organization('Bob', :'bob') as other \gset
select tests.provider('Vapi') as provider \gset
insert into public.assistants (organization_id, name, vapi_assistant_id, status) values (:'org', 'Front desk', 'va-1', 'active') returning id as assistant \gset
insert into public.assistants (organization_id, name, vapi_assistant_id, status, deleted_at) values (:'org', 'Gone', 'va-2', 'deleted', now()) returning id as gone \gset
insert into public.assistants (organization_id, name) values (:'other', 'Theirs') returning id as theirs \gset
insert into public.phone_numbers (organization_id, phone_number, status, origin, provider_id, voice_number_id, assistant_id, capabilities, created_at)
    values (:'org', '+12125550001', 'active', 'manual', :'provider', 'pn-1', :'assistant', '{"voice":true,"SMS":true,"fax":false}', now() - interval '2 hours')
    returning id as number \gset
insert into public.phone_numbers (organization_id, phone_number, status, wanted, origin, created_at)
    values (:'org', '+12125550002', 'released', 'released', 'chosen', now() - interval '1 hour') returning id as given \gset
insert into public.phone_numbers (organization_id, phone_number) values (:'other', '+12125550003') returning id as foreign_number \gset
insert into public.verified_numbers (organization_id, phone_number, status) values (:'org', '+15550100041', 'verified') returning id as mine \gset
insert into public.verified_numbers (organization_id, phone_number, status, expires_at)
    values (:'org', '+15550100042', 'pending', now() + interval '1 hour') returning id as pending \gset
insert into public.verified_numbers (organization_id, phone_number, status) values (:'other', '+15550100043', 'verified');

-- What a change is refused with: "state code field".
create function tests.refused(p_number uuid, p_changes jsonb) returns text language plpgsql as $$
declare
    v_hint text;
begin
    perform api.number_update(p_number, p_changes);
    return null;
exception when others then
    get stacked diagnostics v_hint = pg_exception_hint;
    return trim(sqlstate || ' ' || sqlerrm || ' ' || v_hint);
end
$$;

select tests.be(:'alice');

-- ---- seen ---------------------------------------------------------------------

select is(jsonb_path_query_array(api.number_list(), '$.data[*].phone_number'), '["+12125550002", "+12125550001"]', 'one''s own numbers, newest first');
select is(jsonb_path_query_array(api.number_list(p_status => 'active'), '$.data[*].id'), jsonb_build_array(:'number'), 'by status');
select is(jsonb_path_query_array(api.number_list(p_assistant_id => :'assistant'), '$.data[*].id'), jsonb_build_array(:'number'), 'by assistant');
select is(jsonb_path_query_array(api.number_list(p_after => api.number_list(p_limit => 1) ->> 'next_cursor'), '$.data[*].id'), jsonb_build_array(:'number'), 'page by page');
select is(api.number_get(:'number') -> 'capabilities', '{"voice": true, "sms": true}', 'what it takes is told in small letters, and faxes are nothing to us');
select throws_ok(format('select api.number_get(%L)', :'foreign_number'), 'PT404', 'number_not_found', 'a number of another organization does not exist');

-- ---- changed --------------------------------------------------------------------

select is(api.number_update(:'number', '{"name":"Reception"}') ->> 'name', 'Reception', 'a number has a name');
select is(api.number_update(:'number', '{"name":null}') ->> 'name', null, 'which null takes away');
select is(tests.refused(:'number', jsonb_build_object('assistant_id', a)), 'PT404 assistant_not_found assistant_id', 'no assistant that is ' || why)
  from (values (:'theirs'::uuid, 'another organization''s'), (:'gone', 'deleted'), (gen_random_uuid(), 'not there')) x(a, why);
select is(tests.refused(:'number', jsonb_build_object(f, n)), 'PT422 number_not_verified ' || f, f || ' is no number that is ' || why)
  from (values ('+15550100042', 'not proved yet'), ('+15550100043', 'another organization''s'), ('+12125550001', 'the number itself')) x(n, why),
       unnest('{forward_to,sms_forward_to}'::text[]) f;
select is(tests.refused(:'number', '{"forward_when":"always"}'), 'PT422 forward_target_missing forward_to', 'nobody is put through to nowhere');
select is(tests.refused(:'number', '{"sms_mode":"forward"}'), 'PT422 forward_target_missing sms_forward_to', 'and no text is sent on to nowhere');
select ok(x @> '{"forward_to":"+15550100041","forward_when":"always","sms_mode":"forward","sms_forward_to":"+15550100041"}',
          'callers and texts are put through to a number that was proved')
  from api.number_update(:'number', '{"forward_to":"+15550100041","forward_when":"always","sms_mode":"forward","sms_forward_to":"+15550100041"}') x;
select is(tests.refused(:'number', '{"forward_to":null}'), 'PT422 forward_target_missing forward_to', 'a target that is needed is not cleared');
select throws_ok(format('select api.number_verified_delete(%L)', :'mine'), 'PT409', 'verified_number_in_use', 'and its proof is not forgotten');
select is(api.number_update(:'number', '{"forward_to":null,"forward_when":"down","sms_mode":"keep","sms_forward_to":null}') ->> 'forward_to', null, 'null clears it');
select is(tests.refused(:'given', '{"name":"x"}'), 'PT409 number_released', 'what was given back is not changed');
select is(tests.refused(:'foreign_number', '{"name":"x"}'), 'PT404 number_not_found', 'nor what is another''s');
select is(api.number_release(:'given') ->> 'status', 'released', 'giving back twice is giving back once');

-- ---- what is on sale --------------------------------------------------------------

select tests.be_nobody();
update public.phone_numbers set rests_until = now() + interval '1 day' where id = :'given';
insert into public.phone_numbers (organization_id, phone_number, status, wanted, origin, rests_until)
    values (:'other', '+12125550005', 'released', 'released', 'chosen', now() - interval '1 day');
create function tests.found(p_more jsonb default '{}') returns jsonb language sql as $$
    select '{"result":"ok","status":200,"code":null}' || jsonb_build_object('body', jsonb_build_object('available_phone_numbers',
        (select jsonb_agg(jsonb_build_object('phone_number', '+1212555000' || i, 'friendly_name', '(212) 555-000' || i, 'locality', 'New York', 'region', 'NY',
                'postal_code', '10001', 'iso_country', 'US', 'address_requirements', 'none', 'capabilities', '{"voice":true,"SMS":true,"MMS":false,"fax":true}'::jsonb))
           from generate_series(1, 5) i))) || p_more
$$;
create function tests.search(p_answer jsonb, p_limit integer default 20, p_after text default null) returns jsonb language sql as $$
    select api.number_search('US', 'local', '212', null, null, null, true, null, null, p_limit, p_after, '{"request":"x","known":{}}', p_answer)
$$;
select tests.be(:'alice');
select is(jsonb_path_query_array(tests.search(tests.found()), '$.view.data[*].phone_number'), '["+12125550004", "+12125550005"]',
          'numbers that somebody has or that rest are not on offer; one that has rested is');
select is(tests.search(tests.found()) -> 'view' -> 'data' -> 0 -> 'capabilities', '{"voice": true, "sms": true, "mms": false}', 'capabilities in small letters');
select is(tests.search(null) #> '{ask}', '{"path":"/AvailablePhoneNumbers/US/Local.json","query":{"AreaCode":"212","Contains":null,"InRegion":null,"InLocality":null,
    "SmsEnabled":"true","VoiceEnabled":null,"MmsEnabled":null,"PageSize":"20","Page":null}}', 'what Twilio is asked');
select is(tests.search(null, 5, tests.search(tests.found(), 5) -> 'view' ->> 'next_cursor') #>> '{ask,query,Page}', '1', 'a full page has another one behind it');
select is(tests.search(tests.found(), 6) -> 'view' -> 'next_cursor', 'null', 'one that is not full is the last');
select is(tests.search(tests.found('{"body":{}}')) -> 'view' -> 'data', '[]', 'an answer without a list is an empty one');
select throws_ok(format('select tests.search(tests.found(%L))', x.answer), x.state, x.code, x.what) from (values
    ('{"result":"retry"}', 'PT503', 'unavailable', 'a provider that is too busy'), ('{"result":"unknown"}', 'PT503', 'unavailable', 'one that says nothing'),
    ('{"result":"failed","code":"twilio_21451"}', 'PT422', 'number_search_refused', 'one that does not understand'),
    ('{"result":"absent","code":"twilio_20404"}', 'PT422', 'number_search_refused', 'a country that it has not')) x(answer, state, code, what);
select throws_ok($$select tests.search(null, 5, 'x')$$, 'PT400', 'bad_cursor', 'a cursor that is none');

-- ---- people's own numbers -------------------------------------------------------------

select tests.be_nobody();
delete from public.workflows where name = 'verify-number';
select tests.be(:'alice');
select throws_ok($$select api.number_verify('+15550100051')$$, 'PT409', 'numbers_not_configured', 'nothing is sent where nobody sends');
select tests.be_nobody();
insert into public.workflows (name, steps) values ('verify-number', '{send}');
select tests.be(:'alice');
select api.number_verify('+15550100051', 'call') ->> 'id' as first \gset
select throws_ok($$select api.number_verify('+15550100041')$$, 'PT409', 'number_verified', 'what is proved need not be proved');
select throws_ok($$select api.number_verify('+12125550001')$$, 'PT422', 'number_invalid', 'a number that an assistant answers is nobody''s own');
select api.number_verify('+15550100051') ->> 'id' as second \gset
select isnt(:'first'::text, :'second', 'each code is another one');
select throws_ok(format('select api.number_verify_confirm(%L, true)', :'first'), 'PT404', 'verified_number_not_found', 'and the one before is worth nothing');
select lives_ok($$select api.number_verify('+15550100051')$$, 'three codes at once');
select throws_ok($$select api.number_verify('+15550100051')$$, 'PT429', 'too_many_tries', 'and no fourth');
select tests.be(:'bob');
select throws_ok($$select api.number_verify('+15550100051')$$, 'PT429', 'too_many_tries', 'whoever asks for it');
select tests.be(:'alice');
select is((select count(*) from public.verified_numbers where phone_number = '+15550100051'), 1::bigint, 'a number stands there once');
select is(api.number_verify_confirm(:'pending', false), '{}', 'a wrong code') from generate_series(1, 4);
select is(api.number_verify_confirm(:'pending', true) ->> 'status', 'verified', 'a right one at the fifth try');
select is(api.number_verify_confirm(:'pending', true), '{}', 'is good for once');
select tests.be_nobody();
update public.verified_numbers set status = 'pending', tries = 0, verified_at = null, expires_at = clock_timestamp() + interval '1 hour' where id = :'pending';
select tests.be(:'alice');
select is(api.number_verify_confirm(:'pending', false), '{}', 'five wrong codes') from generate_series(1, 5);
select is(api.number_verify_confirm(:'pending', true), '{}', 'and the right one comes too late');
select is((select status || tries from public.verified_numbers where id = :'pending'), 'failed5', 'nothing more is tried');
select tests.be_nobody();
update public.verified_numbers set status = 'pending', tries = 0, expires_at = clock_timestamp() - interval '1 second' where id = :'pending';
select tests.be(:'alice');
select is(api.number_verify_confirm(:'pending', true), '{}', 'a code that ran out is worth nothing');
select is((select jsonb_object_agg(v ->> 'phone_number', v ->> 'status') from jsonb_array_elements(api.number_verified_list() -> 'data') v),
          '{"+15550100041":"verified","+15550100042":"expired","+15550100051":"pending"}', 'and is told so');
select tests.be_nobody();
select is(public.verify_prepare(jsonb_build_object('input', jsonb_build_object('verified_number_id', i))) is null, sent, 'sent, while somebody waits for it: ' || sent)
  from (select id, phone_number = '+15550100051' from public.verified_numbers where organization_id = :'org') x(i, sent);
insert into public.do_not_call (organization_id, phone_number) values (:'org', '+15550100051');
select isnt(public.verify_prepare(jsonb_build_object('input', jsonb_build_object('verified_number_id', v.id))), null, 'and not to a number that must not be called')
  from public.verified_numbers v where v.phone_number = '+15550100051';
select public.verify_sent(jsonb_build_object('input', jsonb_build_object('verified_number_id', v.id), 'result', '{"refused":"twilio_21211"}'::jsonb))
  from public.verified_numbers v where v.phone_number = '+15550100051';
select is((select status from public.verified_numbers where phone_number = '+15550100051'), 'failed', 'what cannot be sent has failed');
select is((select jsonb_agg(distinct r.input - 'verified_number_id') from public.workflow_runs r where r.workflow = 'verify-number'),
          '[{"to":"+15550100051","channel":"call"},{"to":"+15550100051","channel":"sms"}]', 'no code stands in a run');
select tests.be(:'alice');
select throws_ok($$select api.number_verify('+15550100051')$$, 'PT422', 'number_do_not_call', 'nor is one asked for');

-- ---- tried ----------------------------------------------------------------------

select throws_ok(format('select api.number_test(%L, %L)', :'number', :'pending'), 'PT422', 'number_not_verified', 'a number that is not proved is not called');
select throws_ok(format('select api.number_test(%L, %L)', :'given', :'mine'), 'PT409', 'number_not_active', 'a number that was given back calls nobody');
select throws_ok(format('select api.number_test(%L, %L)', :'foreign_number', :'mine'), 'PT404', 'number_not_found', 'nor does another''s');
select api.number_test(:'number', :'mine') as call \gset
select is(:'call'::jsonb ->> 'recipient_number' || ' ' || (:'call'::jsonb ->> 'status') || ' ' || (:'call'::jsonb ->> 'from_number'), '+15550100041 queued +12125550001',
          'one is called from it');
select is((select c.assistant_id from public.calls c where c.id = (:'call'::jsonb ->> 'id')::uuid), :'assistant'::uuid, 'by its assistant');
select tests.be_nobody();
update public.phone_numbers set status = 'paused' where id = :'number';
select is(tests.claim(), '{}', 'a number that was paused meanwhile calls nobody');
update public.phone_numbers set status = 'active' where id = :'number';
update public.call_queue set ready = true, due_at = now() where id = (:'call'::jsonb ->> 'id')::uuid;
select is(tests.claim(), array[(:'call'::jsonb ->> 'id')::uuid], 'it goes through the queue as any other');
select is((select array[a.assistant, a.caller_number, a.provider_id::text] from public.call_assignments a where a.call_id = (:'call'::jsonb ->> 'id')::uuid),
          array['va-1', 'pn-1', :'provider'], 'said by the assistant, from the number, where both are');

-- By an assistant of its own choice: from the number that is named, else from one that has it, else from any that can call.
select tests.be_nobody();
insert into public.assistants (organization_id, name, vapi_assistant_id, status) values (:'org', 'Night desk', 'va-3', 'active') returning id as night \gset
insert into public.assistants (organization_id, name) values (:'org', 'New') returning id as fresh \gset
insert into public.assistants (organization_id, name, vapi_assistant_id, provider_id, status)
    values (:'org', 'Elsewhere', 'va-4', tests.provider('Vapi 2'), 'active') returning id as elsewhere \gset
insert into public.phone_numbers (organization_id, phone_number, status, origin, provider_id, voice_number_id, assistant_id, created_at)
    values (:'org', '+12125550005', 'active', 'manual', :'provider', 'pn-5', :'night', now()) returning id as late \gset
select tests.be(:'alice');
select is(api.assistant_test(:'night', :'mine') ->> 'from_number', '+12125550005', 'an assistant calls from a number that has it');
select is(api.assistant_test(:'night', :'mine', :'number') ->> 'from_number', '+12125550001', 'from the one that is named');
select is((select array_agg(x.vapi_assistant_id) from public.calls c join public.assistants x on x.id = c.assistant_id
            where c.from_number = '+12125550001' and c.id <> (:'call'::jsonb ->> 'id')::uuid and c.to_number = '+15550100041'), '{va-3}',
          'and says itself what it says, whoever answers that number');
select tests.be_nobody();
update public.phone_numbers set status = 'paused' where id = :'late';
select tests.be(:'alice');
select is(api.assistant_test(:'night', :'mine') ->> 'from_number', '+12125550001', 'else from any that can call');
select throws_ok(format('select api.assistant_test(%L, %L, %L)', :'night', :'mine', :'late'), 'PT409', 'number_not_active', 'from a paused one nobody is called');
select throws_ok(format('select api.assistant_test(%L, %L)', :'elsewhere', :'mine'), 'PT409', 'number_not_active', 'nor from one at another account');
select throws_ok(format('select api.assistant_test(%L, %L, %L)', :'elsewhere', :'mine', :'number'), 'PT409', 'number_not_active', 'though it is named');
select throws_ok(format('select api.assistant_test(%L, %L)', :'fresh', :'mine'), 'PT409', 'assistant_not_ready', 'nor by one that Vapi does not have');
select throws_ok(format('select api.assistant_test(%L, %L)', a, :'mine'), 'PT404', 'assistant_not_found', 'nor by one that is gone or another''s')
  from unnest(array[:'gone', :'theirs']) a;
select throws_ok(format('select api.assistant_test(%L, %L)', :'night', :'pending'), 'PT422', 'number_not_verified', 'nor at a number that is not proved');
select throws_ok(format('select api.assistant_test(%L, %L)', :'night', v.id), 'PT404', 'verified_number_not_found', 'or another''s')
  from (values (:'foreign_number'::uuid)) v(id);
select throws_ok(format('select api.assistant_test(%L, %L, %L)', :'night', :'mine', :'foreign_number'), 'PT404', 'number_not_found', 'nor from another''s');
select tests.be_nobody();
update public.phone_numbers set status = 'paused' where id = :'number';
select tests.be(:'alice');
select throws_ok(format('select api.assistant_test(%L, %L)', :'night', :'mine'), 'PT409', 'number_not_active', 'nor where there is no number to call from');
select tests.be_nobody();
delete from public.call_queue q where q.recipient_number = '+15550100041' and q.id <> (:'call'::jsonb ->> 'id')::uuid;
delete from public.calls c where c.to_number = '+15550100041' and c.id <> (:'call'::jsonb ->> 'id')::uuid;
update public.phone_numbers set status = 'active' where id = :'number';

-- ---- used -------------------------------------------------------------------------

insert into public.calls (organization_id, direction, status, phone_number_id, from_number, duration_seconds, created_at)
    select :'org', 'inbound', 'completed', :'number', '+15550100099', s, now() - interval '1 minute' from unnest('{61,59,null}'::integer[]) s;
insert into public.calls (organization_id, direction, status, phone_number_id, duration_seconds, created_at)
    values (:'org', 'inbound', 'completed', :'number', 600, now() - interval '400 days');
insert into public.text_messages (organization_id, phone_number_id, direction) select :'org', :'number', d from unnest('{inbound,inbound,outbound}'::text[]) d;
select tests.be(:'alice');
select is(api.number_usage(:'number', now() - interval '1 hour', now() + interval '1 hour') - '{from,to}'::text[],
          '{"calls_in":3,"calls_out":1,"seconds_in":120,"seconds_out":0,"minutes":3,"messages_in":2,"messages_out":1}', 'what went over it');
select throws_ok(format('select api.number_usage(%L, now(), now() - interval ''1 hour'')', :'number'), 'PT422', 'period_invalid', 'a time that goes backwards is none');
select throws_ok(format('select api.number_usage(%L)', :'foreign_number'), 'PT404', 'number_not_found', 'of one''s own numbers only');

-- ---- its log ------------------------------------------------------------------------

select tests.be_nobody();
select public.number_log(:'org', a, 'noted', jsonb_build_object('phone_number_id', :'number', 'error_message', 'secret words')) from unnest('{search,buy}'::text[]) a \g /dev/null
select public.number_log(:'other', 'buy', 'noted', jsonb_build_object('phone_number_id', :'number')) \g /dev/null
select tests.be(:'alice');
select is((select array_agg(l ->> 'action' order by l ->> 'action') from jsonb_array_elements(api.number_log_list(:'number') -> 'data') l), '{buy,search}', 'what was done with it');
select ok(api.number_log_list(:'number')::text !~ 'secret', 'without the words of providers');
select throws_ok(format('select api.number_log_list(%L)', :'foreign_number'), 'PT404', 'number_not_found', 'of one''s own numbers only');

-- ---- bought -----------------------------------------------------------------------

select tests.be_nobody();
create or replace function public.numbers_ready() returns boolean language sql stable set search_path = '' as 'select false';
select tests.be(:'alice');
select throws_ok($$select api.number_buy(p_phone_number => '+12125550004')$$, 'PT409', 'numbers_not_configured', 'nothing is bought where nobody sells');
select throws_ok(format('select api.number_buy(p_assistant_id => %L)', :'theirs'), 'PT404', 'assistant_not_found', 'nor for another''s assistant');

select * from finish();
rollback;
